"""Freed memory stays with the process while training runs, and goes back afterwards."""

import json
import resource

import pytest
import torch

from builders import tiny
from rewardsmith.cli import main
from rewardsmith.model.runtime import allocator
from rewardsmith.model.runtime.allocator import glibc, kept_memory, tuned

SIZE = 2**24  # floats: 64 MB, beyond what malloc keeps by itself

pytestmark = pytest.mark.skipif(
    glibc() is None or tuned(), reason="not glibc, or its malloc is tuned by the environment"
)


def faults():
    """Pages that had to be made for ten blocks, one after another."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(SIZE).sum().item()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_blocks_are_used_again_and_given_back_at_the_end():
    usual = faults()
    with kept_memory("cpu"):
        faults()
        kept = faults()
    assert kept < usual / 5
    assert faults() > usual / 2


def test_nothing_happens_for_a_gpu_or_where_malloc_is_tuned(monkeypatch):
    usual = faults()
    with kept_memory("cuda"):
        assert faults() > usual / 2
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    with kept_memory("cpu"):
        assert faults() > usual / 2


def test_score_and_evaluate_keep_memory_while_they_compute(monkeypatch, tmp_path):
    asked = []

    class Library:
        def mallopt(self, name, value):
            asked.append((name, value))

        def malloc_trim(self, pad):
            asked.append("given back")

    monkeypatch.setattr(allocator, "glibc", Library)
    tiny().save(tmp_path / "model")
    row = {"prompt": "why is the sky blue?", "chosen": "light scatters", "rejected": "no idea"}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({**row, "prompt": f"{k}, why?"}) + "\n" for k in range(30)))
    given = [str(tmp_path / "model"), str(tmp_path / "rows.jsonl"), "-o"]
    for command, output in (("score", "scored.jsonl"), ("evaluate", "evaluated")):
        asked.clear()
        assert main([command, *given, str(tmp_path / output)]) == 0
        assert asked[0] == (allocator.MMAP_THRESHOLD, allocator.LARGE)
        assert asked[-1] == "given back"
