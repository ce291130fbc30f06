"""The engine: what of a request is let in, and its texts → rewards."""

import asyncio
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from rewardsmith.model.scorer import Sequences
from rewardsmith.serve.engine.computing import Computing
from rewardsmith.serve.engine.work import EngineJob, ScoringModel, TextOutput, Unavailable

T = TypeVar("T")
BYTES_A_TOKEN = 3
"""Bytes of a request per token that it probably has, before it is read."""
LONGEST_AFTER = 60.0
"""Seconds after which a client is asked to come again, at most."""


@dataclass(frozen=True)
class EngineLimits:
    """`budget`: tokens of a forward pass. `waiting_tokens` and `waiting_seconds`: what may wait before requests are refused.
    `deadline`: seconds that a request may take. `alone`: each tree of a request by itself (`--batch-invariant`).
    """

    budget: int = 1024
    waiting_tokens: int = 262_144
    waiting_seconds: float = 10.0
    deadline: float = 60.0
    alone: bool = False


class RewardEngine:
    """One model thread and one thread that tokenizes, for all models of a server; a source that writes or asks has a thread
    of its own, for as long as there is that source. Used from one event loop."""

    def __init__(self, limits: EngineLimits, report: Callable[[BaseException], None]) -> None:
        self.limits = limits
        self.report = report
        self.computing = Computing(limits.budget, alone=limits.alone, report=report)
        self._own: weakref.WeakKeyDictionary[ScoringModel, Computing] = weakref.WeakKeyDictionary()
        self.reading = ThreadPoolExecutor(1, thread_name_prefix="rewardsmith-tokens")
        self.reserved = 0
        self.draining = False
        self.full_since: float | None = None

    def start(self) -> None:
        """Begin to compute."""
        self.computing.start()

    def close(self) -> None:
        """Compute what waits, and end the threads; what writes or asks is interrupted, since nobody waits for it now."""
        self.reading.shutdown()
        for computing in list(self._own.values()):
            computing.abandon()
        self.computing.close()

    def computing_of(self, model: ScoringModel) -> Computing:
        """The thread that computes a model."""
        if not model.own_thread:
            return self.computing
        found = self._own.get(model)
        if found is None:
            limits = self.limits
            found = Computing(limits.budget, alone=limits.alone, report=self.report, name="rewardsmith-source")
            self._own[model] = found
            weakref.finalize(model, found.end)  # when it has been replaced and its last request is answered
            found.start()
        return found

    @property
    def waiting(self) -> int:
        """Tokens that wait, those of requests that are being read as an estimate."""
        return self.computing.tokens + self.reserved

    @property
    def all_computing(self) -> list[Computing]:
        """Every thread that computes."""
        return [self.computing, *self._own.values()]

    def admit(self, size: int) -> "Admission":
        """Room for a request of `size` bytes until it is tokenized; Unavailable where there is none."""
        self.refuse_if_full()
        return Admission(self, size // BYTES_A_TOKEN, time.monotonic() + self.limits.deadline)

    @property
    def seconds_waiting(self) -> float:
        """How long what waits will take, at the recent speed; 0 before anything was computed."""
        return seconds(self.waiting, self.computing)

    @property
    def waiting_too_long(self) -> bool:
        """Whether as much waits as may."""
        return self._too_much(self.waiting, self.computing)

    def _too_much(self, tokens: int, computing: Computing) -> bool:
        limits = self.limits
        return tokens >= limits.waiting_tokens or seconds(tokens, computing) > limits.waiting_seconds

    def refuse_if_full(self) -> None:
        """Unavailable while the server stops, and while as much waits as may."""
        if self.draining:
            raise Unavailable("the server is stopping", after=5, code="stopping")
        if self.waiting_too_long:
            self.full_since = self.full_since or time.monotonic()
            raise full(self.waiting, self.computing)
        self.full_since = None

    @property
    def seconds_full(self) -> float:
        """For how long requests have been refused without a break; 0 where the last one was let in."""
        return 0.0 if self.full_since is None else time.monotonic() - self.full_since

    async def tokenized(self, read: "Callable[[], T]") -> "T":
        """What `read` returns, from the thread that tokenizes."""
        return await asyncio.get_running_loop().run_in_executor(self.reading, read)

    async def outputs(
        self, model: ScoringModel, texts: Sequence[Sequences], deadline: float, *, per_token: bool = False
    ) -> list[TextOutput]:
        """The output of each text, in order.

        `deadline` is a time of `time.monotonic`; Unavailable where it passes. Whoever is cancelled while waiting takes its
        texts out of the queue.
        """
        if not texts:
            return []
        computing = self.computing_of(model)
        if computing is not self.computing and self._too_much(computing.tokens, computing):
            raise full(computing.tokens, computing)
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not finished.done():
                finished.set_result(None)

        def finish(job: EngineJob) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle)

        job = EngineJob(model, tuple(texts), deadline, finish, per_token)
        computing.put(job)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await finished
        except TimeoutError:
            message = "the deadline of the request passed before its rewards were computed"
            after = min(LONGEST_AFTER, seconds(computing.tokens, computing))
            raise Unavailable(message, after=after, code="deadline") from None
        finally:
            job.cancelled = not finished.done() or finished.cancelled()
        if job.error is not None:
            raise job.error
        return [job.outputs[number] for number in range(len(texts))]


def seconds(tokens: int, computing: Computing) -> float:
    """How long tokens will take, at the recent speed of their thread; 0 before anything was computed."""
    return tokens / computing.speed if computing.speed else 0.0


def full(tokens: int, computing: Computing) -> Unavailable:
    """As much waits as may."""
    return Unavailable(
        f"the queue is full ({tokens} tokens are waiting); try again later",
        after=min(LONGEST_AFTER, seconds(tokens, computing) / 2),
        code="overloaded",
    )


class Admission:
    """A request that was let in: `tokens` are reserved until `release`, which its texts in the queue then stand for."""

    def __init__(self, engine: RewardEngine, tokens: int, deadline: float) -> None:
        self.engine, self.tokens, self.deadline = engine, tokens, deadline
        engine.reserved += tokens

    def release(self) -> None:
        """Give the room back, once."""
        self.engine.reserved -= self.tokens
        self.tokens = 0

    def __enter__(self) -> "Admission":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
