"""However a step is cut, the run is the same: losses and final weights within rounding, in fp32 and without dropout."""

import orjson
import pytest
import torch

from builders import pair, ranking, tiny
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.loop import Fit, FitSettings


def run(folder, *, share=True, budget=10**6):
    """A short run; (losses of all steps, final weights)."""
    model = tiny(seed=1)
    if not share:
        model.network.packed = False
        model.network.use_attention()
    rows = [
        pair(f"Is {k} more than {k % 7}?", "It is. " * (1 + k % 4), f"No, {k} is not.").at("made", k) for k in range(24)
    ]
    rows += [ranking(f"List {k} things", "one, two", "one " * 9, "none", "") for k in range(8)]
    train = encode_examples(rows, model.encoder, share=share).examples
    settings = FitSettings(
        epochs=2, batch=8, lr=1e-3, weight_decay=0.01, warmup=0.1, clip=1.0, dropout=0.0, loss="bradley-terry", seed=0,
        tokens_per_microbatch=budget, eval_every=10**6, patience=0, keep=1,
    )  # fmt: skip
    folder.mkdir()
    Fit(model.network, settings, train=train, validation=[], folder=folder, fingerprint={}).run()
    steps = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    weights = torch.cat([p.detach().flatten() for p in model.network.hf.parameters()])
    return [step["loss"] for step in steps], weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run(tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize(
    ("name", "changes"),
    {
        "one record at a time, 8 x 1": {"budget": 1},
        "a small budget": {"budget": 300},
        "a middle one": {"budget": 900},
        "separate sequences in padded rows": {"share": False},
        "separate sequences, one record at a time": {"share": False, "budget": 1},
    }.items(),
)
def test_the_curve_is_the_same(whole, tmp_path, name, changes):
    losses, weights = run(tmp_path / "run", **changes)
    assert len(losses) == 8
    assert losses == pytest.approx(whole[0], rel=1e-4), name
    assert losses[0] != losses[-1]
    # AdamW's first steps are the sign of the gradient: where that is about zero, rounding decides it.
    assert (weights - whole[1]).norm() <= 1e-3 * whole[1].norm()
