"""The engine: who is computed with whom and when, what is refused, and that a reward depends on nothing but its text."""

import asyncio
import gc
import threading
import time

import numpy as np
import pytest

from builders import tiny
from rewardsmith.errors import ModelError
from rewardsmith.model.scorer import Sequences, sequences_of
from rewardsmith.records import Message, Record, Response
from rewardsmith.serve.engine.computing import Computing
from rewardsmith.serve.engine.engine import EngineLimits, RewardEngine
from rewardsmith.serve.engine.work import EngineJob, TextOutput, Unavailable, Waiting, units_of


class Fake:
    """A model whose reward is the last token, and which notes what it computes together."""

    shares = True

    def __init__(self, *, own_thread=False):
        self.own_thread = own_thread
        self.passes = []
        self.gate = threading.Event()
        self.gate.set()

    def compute(self, texts, budget):
        self.gate.wait(10)
        self.passes.append([int(text.ids[0][-1]) for text in texts])
        if any(text.ids[0][-1] == 13 for text in texts):
            raise ModelError("not finite")
        return [TextOutput(float(text.ids[0][-1]), {}) for text in texts]

    def along(self, text):
        return TextOutput(float(text.ids[0][-1]), {}, (1.0,))


def text(prompt, number, length=10):
    ids = np.full(length, hash(prompt) % 1000, dtype=np.int32)
    ids[-1] = number
    return Sequences(prompt, (ids,))


def job(model, *texts, seconds=60.0, finish=lambda _: None):
    return EngineJob(model, texts, time.monotonic() + seconds, finish)


def numbers(units):
    return [int(one.ids[0][-1]) for unit in units for one in unit.sequences]


def test_texts_of_one_prompt_are_one_unit_and_share_it():
    model = Fake()
    (unit,) = units_of(job(model, text("a", 1), text("a", 2), text("a", 3)), 100)
    assert unit.tokens == 10 + 1 + 1
    one, other = units_of(job(model, text("a", 1), text("b", 2)), 100)
    assert (one.tokens, other.tokens) == (10, 10)
    assert [unit.numbers for unit in units_of(job(model, *(text("a", k) for k in range(5))), 12)] == [(0, 1, 2), (3, 4)]


def test_equal_prompts_of_other_requests_come_first():
    model, waiting = Fake(), Waiting()
    for one in (text("a", 1), text("b", 2), text("a", 3), text("c", 4)):
        waiting.put(units_of(job(model, one), 100))
    units, _ = waiting.take(25, alone=False)
    assert numbers(units) == [1, 3, 2]
    assert waiting.tokens == 10
    units, _ = waiting.take(25, alone=False)
    assert numbers(units) == [4]
    assert not waiting


def test_a_request_of_many_texts_does_not_hold_up_a_small_one():
    model, waiting = Fake(), Waiting()
    waiting.put(units_of(job(model, *(text(str(k), k) for k in range(100))), 10))
    assert numbers(waiting.take(20, alone=False)[0]) == [0, 1]
    waiting.put(units_of(job(model, text("small", 999)), 10))
    assert 999 in numbers(waiting.take(30, alone=False)[0])


def test_what_nobody_waits_for_is_dropped_before_it_is_computed():
    model, waiting = Fake(), Waiting()
    gone, late, wanted = job(model, text("a", 1)), job(model, text("b", 2), seconds=-1), job(model, text("c", 3))
    for one in (gone, late, wanted):
        waiting.put(units_of(one, 100))
    gone.cancelled = True
    units, dropped = waiting.take(100, alone=False)
    assert numbers(units) == [3]
    assert sorted(numbers(dropped)) == [1, 2]
    assert waiting.tokens == 0


def test_models_are_not_mixed():
    one, other, waiting = Fake(), Fake(), Waiting()
    waiting.put(units_of(job(one, text("a", 1)), 100))
    waiting.put(units_of(job(other, text("a", 2)), 100))
    assert numbers(waiting.take(100, alone=False)[0]) == [1]
    assert numbers(waiting.take(100, alone=False)[0]) == [2]


def test_alone_is_one_tree_of_one_request():
    model, waiting = Fake(), Waiting()
    waiting.put(units_of(job(model, text("a", 1), text("a", 2)), 100))
    waiting.put(units_of(job(model, text("a", 3)), 100))
    assert numbers(waiting.take(100, alone=True)[0]) == [1, 2]
    assert numbers(waiting.take(100, alone=True)[0]) == [3]


def running(model, **limits):
    engine = RewardEngine(EngineLimits(**limits), lambda error: None)
    engine.start()
    return engine


def test_a_text_that_fails_takes_no_other_with_it():
    model = Fake()
    engine = running(model)

    async def ask():
        model.gate.clear()
        asked = [
            asyncio.ensure_future(engine.outputs(model, [text("a", number)], time.monotonic() + 20))
            for number in (1, 13, 2)
        ]
        await asyncio.sleep(0.1)
        model.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    first, failed, second = asyncio.run(ask())
    engine.close()
    assert (first[0].reward, second[0].reward) == (1.0, 2.0)
    assert isinstance(failed, ModelError)


def test_a_deadline_ends_a_request_and_its_work_is_not_done():
    model = Fake()
    engine = running(model)

    async def ask():
        model.gate.clear()
        engine.computing.put(job(model, text("busy", 1)))
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable) as refused:
            await engine.outputs(model, [text("late", 2)], time.monotonic() + 0.1)
        model.gate.set()
        return refused.value

    refused = asyncio.run(ask())
    engine.close()
    assert refused.code == "deadline"
    assert refused.after >= 1
    assert model.passes == [[1]]
    assert engine.computing.counts.dropped == 1


def test_whoever_is_cancelled_takes_his_work_along():
    model = Fake()
    engine = running(model)

    async def ask():
        model.gate.clear()
        engine.computing.put(job(model, text("busy", 1)))
        await asyncio.sleep(0.1)
        asked = asyncio.ensure_future(engine.outputs(model, [text("gone", 2)], time.monotonic() + 20))
        await asyncio.sleep(0.05)
        asked.cancel()
        await asyncio.sleep(0.05)
        model.gate.set()

    asyncio.run(ask())
    engine.close()
    assert model.passes == [[1]]


def test_a_full_queue_refuses_and_says_when_to_come_again():
    model = Fake()
    engine = running(model, waiting_tokens=25)
    model.gate.clear()
    for number in range(4):
        engine.computing.put(job(model, text(str(number), number)))
    time.sleep(0.1)
    with pytest.raises(Unavailable) as refused:
        engine.admit(0)
    model.gate.set()
    engine.close()
    assert refused.value.code == "overloaded"
    assert refused.value.after >= 1
    assert engine.seconds_full > 0


def test_what_is_being_read_counts_as_waiting():
    engine = RewardEngine(EngineLimits(waiting_tokens=100), lambda error: None)
    with engine.admit(300) as admission:
        with pytest.raises(Unavailable):
            engine.admit(0)
        admission.release()
        admission.release()
        assert engine.waiting == 0
    assert engine.waiting == 0


def test_the_wait_is_bounded_in_seconds_too():
    engine = RewardEngine(EngineLimits(waiting_seconds=2.0), lambda error: None)
    engine.computing.speed = 10.0
    with engine.admit(3 * 19), pytest.raises(Unavailable), engine.admit(3 * 19), engine.admit(0):
        pass


def test_closing_computes_what_waits():
    model, done = Fake(), []
    computing = Computing(100, alone=False, report=lambda error: None)
    for number in (1, 2):
        computing.put(job(model, text(str(number), number), finish=done.append))
    computing.start()
    computing.close()
    assert len(done) == 2


WORDS = ["pear", "苹果", "a rather long answer that goes on", "x", "é 😀"]


def conversations():
    for prompt in ("Name a fruit.", "天空为什么是蓝色的？" * 3, "Hi"):
        for k in range(6):
            yield Record((Message("user", prompt),), (Response((Message("assistant", WORDS[k % 5] * (k + 1)),)),))


@pytest.mark.parametrize("alone", [False, True])
def test_rewards_do_not_depend_on_the_load(alone):
    from rewardsmith.serve.models.reference import stored_reference
    from rewardsmith.serve.models.served import ServedModel

    model = tiny(head_scale=20.0)
    served = ServedModel("tiny", "tiny", model, stored_reference(None, None))
    records = list(conversations())
    expected = [float(model.score([record.prompt + record.responses[0].messages])[0]) for record in records]
    texts = [sequences_of(record, model.encode(record)) for record in records]
    engine = running(model, alone=alone, budget=200)

    async def ask(together):
        deadline = time.monotonic() + 60
        asked = [engine.outputs(served, [one], deadline) for one in texts]
        if together:
            return [one.reward for (one,) in await asyncio.gather(*asked)]
        return [(await one)[0].reward for one in asked]

    one_by_one, at_once = asyncio.run(ask(False)), asyncio.run(ask(True))
    engine.close()
    np.testing.assert_allclose(one_by_one, expected, atol=1e-5)
    np.testing.assert_allclose(at_once, expected, atol=1e-5)
    if alone:
        assert one_by_one == at_once


def asked(engine, model, number):
    return engine.outputs(model, [text("a", number)], time.monotonic() + 20)


def test_what_asks_or_writes_has_a_thread_of_its_own():
    """While it waits others are answered; its own queue is bounded, and its thread ends when nobody has it any more."""
    quick, others = Fake(), [Fake(own_thread=True)]
    engine = running(quick, waiting_tokens=15)
    others[0].gate.clear()

    async def ask():
        (slow,) = others
        waiting = [asyncio.ensure_future(asked(engine, slow, number)) for number in (1, 2)]
        while engine.computing_of(slow).tokens < 20:
            await asyncio.sleep(0.01)
        assert engine.waiting == 0
        assert (await asked(engine, quick, 3))[0].reward == 3.0
        with pytest.raises(Unavailable, match="full"):
            await asked(engine, slow, 4)
        slow.gate.set()
        return [found[0].reward for found in await asyncio.gather(*waiting)]

    assert asyncio.run(ask()) == [1.0, 2.0]
    computing = engine.computing_of(others[0])
    assert computing is not engine.computing_of(quick)
    assert [one.counts.texts for one in engine.all_computing] == [1, 2]
    others.clear()
    end = time.monotonic() + 10
    while computing.alive and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert not computing.alive
    engine.close()


class Writing(Fake):
    """One that writes for a minute, step by step."""

    def compute(self, texts, budget):
        self.passes.append(len(texts))
        for _ in range(6000):
            time.sleep(0.01)
        raise AssertionError


def test_closing_interrupts_what_is_being_written():
    model, reported = Writing(own_thread=True), []
    engine = RewardEngine(EngineLimits(), reported.append)
    engine.start()
    computing = engine.computing_of(model)
    for number in (1, 2, 3):
        computing.put(job(model, text(str(number), number)))
    while not model.passes:
        time.sleep(0.01)
    started = time.monotonic()
    engine.close()
    assert time.monotonic() - started < 10
    assert not computing.alive
    assert len(model.passes) == 1
    assert not reported
