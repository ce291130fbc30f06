"""Measurements: interleaved, within their time, of what they claim to measure."""

import json
import math

import numpy as np
import pytest
import torch

from rewardsmith.bench import documented, sizes, tables, workload
from rewardsmith.bench.timing import calls_for, interleaved
from rewardsmith.cli import main
from rewardsmith.commands import bench
from rewardsmith.errors import OutputError, UsageError

SMALL = documented.Size(1, 1, 16, 64)


class Machine:
    """A clock that only jobs move, and what they did."""

    def __init__(self):
        self.now, self.done = 0.0, []

    def clock(self):
        return self.now

    def job(self, name, *seconds):
        """A job that takes each of `seconds` in turn, the last one for ever."""
        left = list(seconds)

        def work():
            self.done.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


def test_jobs_take_turns_and_medians_leave_out_the_warm_up_and_a_bad_minute():
    machine = Machine()
    a = machine.job("a", 9.0, 1.0, 1.0, 1.2, 50.0, 1.1, 0.9)  # first the warm-up, which is long, so only once
    families = [{"a": a}, {"b": machine.job("b", 0.5)}]
    found = interleaved(families, repetitions=6, limit=1e6, clock=machine.clock)
    assert machine.done == ["a", "b", "b", *["a", "b"] * 6]
    timing = found.by_job["a"]
    assert timing.median == pytest.approx((1.0 + 1.1) / 2)
    assert (timing.fastest, timing.slowest) == (pytest.approx(0.9), pytest.approx(50.0))
    assert found.left_out == ()


def test_a_short_job_is_called_often_enough_for_the_clock():
    machine = Machine()
    found = interleaved([{"a": machine.job("a", 0.002)}], repetitions=5, limit=10, clock=machine.clock)
    assert found.by_job["a"].calls == math.ceil(0.05 / 0.002) == calls_for(0.002)
    assert found.by_job["a"].median == pytest.approx(0.002)


def test_what_does_not_fit_into_the_time_is_left_out_and_named():
    machine = Machine()
    family = {batch: machine.job(batch, float(batch)) for batch in (1, 2, 4, 8, 16)}
    found = interleaved([family], repetitions=5, limit=20, clock=machine.clock)
    # 1 + 2 seconds five times are 15, with the four 35; 8 and 16 are not even tried, since 4 took half of the limit.
    assert set(found.by_job) == {1, 2}
    assert found.left_out == (4, 8, 16)
    assert 16 not in machine.done


def test_texts_are_exactly_as_long_as_the_model_reads():
    model = workload.build(SMALL, device="cpu", dtype="fp32")
    records = workload.pairs(model, 3)
    lengths = {len(ids) for record in records for ids in model.encode(record).sequences}
    assert lengths == {SMALL.block_size}
    assert len({record.prompt_id for record in records}) == 3
    assert not any(model.encode(record).cuts.any for record in records)


def test_a_training_job_is_a_step_of_training():
    model = workload.build(SMALL, device="cpu", dtype="fp32")
    trainer = workload.Trainer.of(model, 4)
    assert len(trainer.examples) == 4
    records = workload.pairs(model, 4)
    before = np.array(list(model.score_records(records)))
    job = trainer.step(4)
    for _ in range(100):
        job()
    after = np.array(list(model.score_records(records)))
    margin = after[:, 0] - after[:, 1]
    assert (margin > before[:, 0] - before[:, 1]).all()
    assert (margin > 0).all()


def test_a_scoring_job_gives_rewards_of_different_texts():
    model = workload.build(SMALL, device="cpu", dtype="fp32")
    rewards = workload.scoring(model, 3)()
    assert rewards.shape == (3,)
    assert len(set(rewards.tolist())) == 3


def test_the_command_measures_keeps_and_shows_every_cell(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(documented, "SIZES", (documented.Size(2, 2, 512, 32, steps_per_second=10, memory_mb=100),))
    for module in (sizes, tables):
        monkeypatch.setattr(module, "BATCHES", (1, 4))
    output = tmp_path / "bench.json"
    assert main(["bench", "--quick", "--device", "cpu", "-o", str(output), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads(output.read_text())
    assert figures["repetitions"] == 5
    assert figures["machine"]["threads"] == torch.get_num_threads()
    (size,) = figures["sizes"]
    for work, rate, unit in (("training", "steps_per_second", "pairs"), ("scoring", "calls_per_second", "samples")):
        assert [row["batch"] for row in size[work]] == [1, 4]
        for row in size[work]:
            seconds = row["seconds"]
            assert 0 < seconds["fastest"] <= seconds["median"] <= seconds["slowest"]
            assert row[rate] == pytest.approx(1 / seconds["median"])
            assert row[f"{unit}_per_second"] == pytest.approx(row["batch"] / seconds["median"])
    memory, least = size["training_memory"], 4 * size["model_mb"]  # weights, gradients, and AdamW's two moments
    assert size["model_mb"] > 20
    if memory["libraries_mb"] is not None:  # systems without /proc tell the peak only
        assert least < memory["peak_mb"] - memory["libraries_mb"] < 4 * least
    text = bench.Result(figures, output).to_text()
    assert "2 layers, 512 wide" in text
    assert "~10" in text
    assert "an Apple Silicon CPU (model not stated)" in text
    with pytest.raises(OutputError, match="already exists"):
        bench.run(bench.Config(quick=True, output=output))


def test_too_few_repetitions_are_refused():
    with pytest.raises(UsageError, match="at least 5"):
        bench.Config(repetitions=3)
