"""Freed memory stays with the process while training runs, and goes back afterwards."""

import resource

import pytest
import torch

from rewardsmith.train.allocator import glibc, kept_memory, tuned

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
