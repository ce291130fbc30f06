"""Pooled hidden states of a frozen language model, computed once per record and kept in a folder.

What a linear head can be fitted on by cross-validation: signals for finding wrong labels, layers worth keeping. Only the
layers up to the highest one asked for are computed. Used by `benchmarks/label_noise.py`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rewardsmith.model.forward.batches import PackedTrees, micro_batches
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Record
from rewardsmith.scoring.trees import build_tree
from rewardsmith.terminal import progress_for
from rewardsmith.train.optimizer import layer_stack

LAYERS = (6, 9, 12)
LENGTH = 320
BUDGET = 2048


def open_frozen(model: str, layers: int) -> RewardModel:
    """The first `layers` layers of a backbone under its own contract."""
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.pipelines.train.setup import open_model

    config = Config(
        model=model, dataset=("none",), output=Path("none"), freeze_layers=-1, max_length=LENGTH, layers=layers
    )
    return open_model(config).model


def states_of(model: RewardModel, batch: PackedTrees, taken: Sequence[int]) -> list[torch.Tensor]:
    """Output (T, H) of each layer number in `taken`, before the final norm."""
    kept: dict[int, torch.Tensor] = {}

    def keep(number: int):  # noqa: ANN202
        def hook(module, inputs, output) -> None:  # noqa: ANN001
            kept[number] = (output[0] if isinstance(output, tuple) else output)[0]

        return hook

    layers = layer_stack(model.network.hf.base_model)
    hooks = [layers[number - 1].register_forward_hook(keep(number)) for number in taken]
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        model.network.hf.base_model(
            input_ids=batch.ids, position_ids=batch.positions, use_cache=False, tree_layout=batch.layout
        )
    for hook in hooks:
        hook.remove()
    return [kept[number] for number in taken]


def frozen_features(
    records: Sequence[Record], cache: Path, *, model: str = "smollm2-135m", layers: Sequence[int] = LAYERS
) -> np.ndarray:
    """Shape (N, K, layers, H), fp16: the mean over each response's own tokens; every record has the same K.

    Texts over LENGTH tokens are cut as in scoring. Read from `cache` where it is there.
    """
    if cache.is_file():
        with np.load(cache) as stored:
            return stored["features"]
    network = open_frozen(model, max(layers))
    trees = [build_tree(network.encode(record).sequences, share=True) for record in records]
    found = np.zeros((len(trees), len(records[0].responses), len(layers), network.network.hf.config.hidden_size), "f2")
    with progress_for(sys.stderr).task("features", len(trees), "records") as task:
        for group in micro_batches(trees, BUDGET, packed=True):
            batch = network.network.collate([trees[index] for index in group])
            assert isinstance(batch, PackedTrees)
            states, start = states_of(network, batch, layers), 0
            for index in group:
                start += len(trees[index].prefix)
                rows = []
                for branch in trees[index].branches:
                    span = slice(start, start + len(branch))
                    rows.append(torch.stack([state[span].float().mean(0) for state in states]))
                    start += len(branch)
                found[index] = torch.stack(rows).numpy()
            task.advance(len(group))
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, features=found)
    return found
