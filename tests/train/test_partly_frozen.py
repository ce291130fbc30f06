"""Training that begins above the frozen layers is the same training: curve, weights, resume, adapters, checkpointing."""

import gc
import re
import warnings

import orjson
import pytest
import torch
from test_together import stop_after

from builders import pair, ranking, tiny
from rewardsmith.model.adapters.lora import LoraSettings, attach
from rewardsmith.model.runtime.processes import ALONE
from rewardsmith.pipelines.train.frozen_cache import cached_outputs, passes_over
from rewardsmith.pipelines.train.setup import Start
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.optimizer import freeze, recompute_activations

LAYERS = 2


class Notes:
    """Collects what is told."""

    def __init__(self):
        self.told = []

    def note(self, text):
        self.told.append(text)

    def task(self, *arguments):
        from rewardsmith.progress import SILENT

        return SILENT.task(*arguments)


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))


def rows(n=20):
    pairs = [pair(f"Is {k} more than {k % 7}?", "It is. " * (1 + k % 4), f"No, {k} is not.") for k in range(n)]
    return [*pairs, ranking("List", "one, two", "one one", "none"), pair("tie?", "a", "b", preference=0.6)]


def plain(model):
    freeze(model.network, LAYERS)


def adapter(model):
    model.adapter = attach(model.network, LoraSettings(r=2, alpha=4), first_layer=LAYERS)


def checkpointed(model):
    freeze(model.network, LAYERS)
    recompute_activations(model.network)


def adapter_checkpointed(model):
    adapter(model)
    recompute_activations(model.network)


def separate(model):
    model.network.packed = False
    model.network.use_attention()
    freeze(model.network, LAYERS)


def everything(model):
    freeze(model.network, 4)


def prepared(prepare):
    model = tiny(seed=1, n_layer=4)
    prepare(model)
    return model


def settings_of(**changes):
    settings = {
        "epochs": 3, "batch": 6, "lr": 1e-3, "weight_decay": 0.01, "warmup": 0.1, "clip": 0.5, "dropout": 0.1,
        "loss": "bradley-terry", "seed": 0, "tokens_per_microbatch": 300, "eval_every": 3, "patience": 0, "keep": 9,
    }  # fmt: skip
    return FitSettings(**{**settings, **changes})


def train(folder, prepare, *, known, layers=LAYERS, stop=None, resuming=False, **changes):
    """A run; (metrics, final weights, what was told)."""
    model = prepared(prepare)
    training, held = (encode_examples(r, model.encoder, share=model.network.packed) for r in (rows(), rows(5)))
    settings, notes = settings_of(**changes), Notes()
    start = Start(model, "full", settings.head_start, (), None, layers if known else 0)
    folder.mkdir(exist_ok=True)
    with cached_outputs(start, training, held, settings, notes, ALONE):
        examples = {"train": training.examples, "validation": held.examples}
        fit = Fit(model.network, settings, **examples, folder=folder, fingerprint={})
        if known:
            assert model.network.cache is not None, notes.told
            for layer in model.network.lower.layers:
                layer.forward = None  # must not be called any more
        if stop:
            stop_after(fit, stop, resuming=resuming)
        else:
            fit.run(resuming=resuming)
    assert model.network.cache is None
    metrics = [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]
    weights = torch.cat([p.detach().flatten() for p in model.network.hf.parameters() if p.requires_grad])
    return metrics, weights, notes.told


WAYS = {
    "plain": (plain, LAYERS),
    "adapter": (adapter, LAYERS),
    "checkpointed": (checkpointed, LAYERS),
    "adapter, checkpointed": (adapter_checkpointed, LAYERS),
    "separate sequences": (separate, LAYERS),
    "only the final norm and the head learn": (everything, 4),
}


@pytest.mark.parametrize(("prepare", "layers"), WAYS.values(), ids=WAYS)
def test_the_curve_and_the_weights_are_the_same(tmp_path, prepare, layers):
    whole, weights, _ = train(tmp_path / "whole", prepare, known=False)
    begun, same, told = train(tmp_path / "begun", prepare, known=True, layers=layers)
    assert told[0].startswith(f"outputs of the {layers} frozen layers for ")
    assert [row.keys() for row in begun] == [row.keys() for row in whole]
    for mine, theirs in zip(begun, whole, strict=True):
        for key in ("loss", "margin", "grad_norm", "eval_loss", "eval_margin"):
            if theirs.get(key) is not None:
                assert mine[key] == pytest.approx(theirs[key], rel=1e-5, abs=1e-5)
    assert (same - weights).norm() <= 1e-5 * weights.norm()
    assert whole[0]["loss"] != whole[-2].get("loss")


def test_a_fitted_head_begins_alike(tmp_path):
    whole = train(tmp_path / "whole", plain, known=False, head_start="probe")
    begun = train(tmp_path / "begun", plain, known=True, head_start="probe")
    assert begun[0][0]["eval_loss"] == pytest.approx(whole[0][0]["eval_loss"], rel=1e-4)
    assert (begun[1] - whole[1]).norm() <= 1e-4 * whole[1].norm()


def test_a_run_goes_on_after_a_power_cut(tmp_path):
    whole, weights, _ = train(tmp_path / "whole", plain, known=True)
    train(tmp_path / "cut", plain, known=True, stop=5)
    again, same, told = train(tmp_path / "cut", plain, known=True, resuming=True)
    assert " 0 of them computed in this run" in told[0]
    assert torch.equal(same, weights)
    assert [row["step"] for row in again] == [row["step"] for row in whole]


def test_other_weights_below_never_meet_kept_states(tmp_path):
    """A second model with the same texts: it must train as if there were no store."""
    train(tmp_path / "first", plain, known=True)

    def other(model):
        with torch.no_grad():
            model.network.hf.model.layers[0].mlp.up_proj.weight.mul_(1.5)
        plain(model)

    _, weights, _ = train(tmp_path / "whole", other, known=False)
    _, same, told = train(tmp_path / "begun", other, known=True)
    assert " 0 of them computed in this run" not in told[0]
    assert (same - weights).norm() <= 1e-5 * weights.norm()


def told_of(prepare, **changes):
    """What a run says that does not keep anything, and the network it leaves."""
    model = prepared(prepare)
    training = encode_examples(rows(), model.encoder, share=True)
    settings, notes = settings_of(**changes), Notes()
    start = Start(model, "full", settings.head_start, (), None, LAYERS)
    with cached_outputs(start, training, encode_examples([], model.encoder, share=True), settings, notes, ALONE):
        assert model.network.cache is None
        assert model.network.lower is None
    return notes.told


def test_what_is_not_kept_is_said_in_one_line(monkeypatch, tmp_path):
    again = "the outputs of the 2 frozen layers are not cached: "
    assert told_of(plain, epochs=1) == [again + "every text is used only once"]
    assert told_of(plain, max_steps=3) == [again + "every text is used only once"]
    monkeypatch.setenv("REWARDSMITH_FEATURES_GB", "0.0001")
    assert re.fullmatch(f"{again}they need \\S+ GB, but REWARDSMITH_FEATURES_GB is 0.0001", *told_of(plain))
    monkeypatch.delenv("REWARDSMITH_FEATURES_GB")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "features").write_bytes(b"in the way")
    assert told_of(plain)[0].startswith(f"{again}cannot write {tmp_path}/home/features: ")


@pytest.mark.parametrize(
    ("changes", "passes"),
    [({}, 3), ({"epochs": 1}, 1), ({"max_steps": 4}, 1), ({"max_steps": 5}, 2),
     ({"epochs": 1, "head_start": "probe"}, 2)],
)  # fmt: skip
def test_passes_over_the_texts(changes, passes):
    assert passes_over(settings_of(**changes), 24) == passes


def test_no_file_stays_open(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(tmp_path / "run", plain, known=True)
        gc.collect()
