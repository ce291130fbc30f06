"""The floor is counted right, and what is measured is set against it."""

import numpy as np
import pytest

from builders import tiny
from rewardsmith.bench import share
from rewardsmith.bench.tables import share_lines
from rewardsmith.commands import bench
from rewardsmith.errors import UsageError
from rewardsmith.progress import SILENT
from rewardsmith.scoring.trees import TokenTree


def ids(length):
    return np.arange(length, dtype=np.int32)


def test_pairs_that_see_each_other_are_counted_by_hand():
    # Prefix of 2: 1 + 2. A branch of 3 sees it (3 x 2) and itself (1 + 2 + 3); one of 1 sees it (2) and itself (1).
    assert share.seen_pairs(TokenTree(ids(2), (ids(3), ids(1)))) == 3 + 6 + 6 + 2 + 1
    assert share.seen_pairs(TokenTree(ids(0), (ids(4),))) == 10


def test_the_floor_is_six_flops_a_weight_and_token_and_attention():
    network = tiny().network
    trees = [TokenTree(ids(2), (ids(3), ids(1)))]
    layers, width = 2, 64
    # Llama's four projections of 64 x 64 and three of its feed-forward part.
    config = network.hf.config
    weights = layers * (4 * width * width + 3 * width * config.intermediate_size)
    if config.num_key_value_heads != config.num_attention_heads:
        pytest.fail("count the projections anew")
    assert share.layer_parameters(network) == weights
    floor = share.floor_of(network, trees)
    assert floor.training == 6 * weights * 6 + 12 * width * layers * 18
    assert floor.scoring * 3 == floor.training


def test_shares_follow_from_the_times(monkeypatch):
    monkeypatch.setattr(share, "SIDE", 64)
    monkeypatch.setattr(share, "COPIED", 2**12)
    monkeypatch.setattr(share, "PAIRS", 4)
    model = tiny()
    found = share.measure_share(model, "tiny", repetitions=5, limit=60, progress=SILENT)
    trees = share.trees_of(model.network, longest=model.contract.max_length)
    seconds = found.seconds["training"]["median"]
    assert found.training_of_peak == pytest.approx(
        share.floor_of(model.network, trees).training / (found.matmul_peak * seconds)
    )
    assert found.matmul_peak == pytest.approx(2 * 64**3 / found.seconds["matmul"]["median"])
    assert found.tokens == sum(tree.tokens for tree in trees)
    assert found.useful_tokens == 1
    assert 0 < found.tokens_saved_by_sharing < 0.5
    assert all(tree.depth <= model.contract.max_length for tree in trees)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(UsageError, match="--quick skips"):
        bench.Config(quick=True, model="tiny")
    with pytest.raises(UsageError, match="with a pretrained --model"):
        bench.Config(layers=3)


def test_the_text_names_the_shares():
    told = "\n".join(
        share_lines(
            {
                "model": "m", "dtype": "bf16", "pairs": 16, "tokens": 9000, "budget": 2048, "matmul_peak": 3.5e11,
                "bandwidth": 2e10, "training_of_peak": 0.612, "training_tokens_per_second": 1500.0,
                "training_pairs_per_second": 2.5, "scoring_of_peak": 0.5, "scoring_tokens_per_second": 4000.0,
                "useful_tokens": 1.0, "tokens_saved_by_sharing": 0.3,
            }
        )
    )  # fmt: skip
    assert "61% of the peak" in told
    assert "350 GFLOP/s, memory 20.0 GB/s" in told
