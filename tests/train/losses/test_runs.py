"""Whole runs with losses of each kind: they learn, resume with the same bits, and say what they lack."""

import dataclasses
from typing import ClassVar

import numpy as np
import orjson
import pytest

from builders import pair, ranking, tiny
from rewardsmith.data.synthetic.arithmetic import arithmetic
from rewardsmith.errors import TrainingError
from rewardsmith.model.heads import HEADS, attach_outputs, describe_head
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.pipelines.train.loss import check_labels
from rewardsmith.progress import SILENT
from rewardsmith.records import Message, Record, Response
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.labels import labels_of, unit_weights
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import LOSSES, choose
from rewardsmith.train.resume import weights

SETTINGS = FitSettings(
    epochs=2, batch=4, lr=1e-3, weight_decay=0.01, warmup=0.1, clip=1.0, dropout=0.1, loss="bradley-terry", seed=0,
    tokens_per_microbatch=300, eval_every=2, patience=0, keep=2,
)  # fmt: skip


PLANS = {
    "attributes": AttributePlan(("overall", "safe"), rated={"overall": (2.0, 1.0)}),
    "helpful-cost": AttributePlan(("safe",), rated={"safe": (0.0, 1.0)}, both=True),
}
"""What a head with attributes learns of `rows`."""


RESUMED = ("plackett-luce", "odin", "contrastive", "attributes", "helpful-cost", "gaussian", "quantile", "inform")
RESUMED += ("step-cross-entropy",)


def rows(n, *, start=0):
    """Rankings of three with ratings, margins and votes."""
    made = []
    for k in range(start, start + n):
        record = ranking(f"Which is larger, {k} or {k + 3}?", f"It is {k + 3}.", "Both, I think.", f"It is {k}.")
        said = tuple(
            dataclasses.replace(c, margin=float(c.j - c.i), votes=(3, 1, 1), preference=0.7) for c in record.comparisons
        )
        made.append(dataclasses.replace(record, comparisons=said, ratings={"overall": (3.0, 1.0, None)}).at("made", k))
    return made


def with_safety(record):
    """The record with a judgement on which of two responses is safer, and whether they are safe."""
    safer = (*record.comparisons, dataclasses.replace(record.comparisons[0], attribute="safe"))
    return dataclasses.replace(record, comparisons=safer, ratings={**record.ratings, "safe": (1.0, 0.0, None)})


def fit(folder, name, options=None, **changes):
    model = tiny(seed=1)
    loss = choose(name, options)
    plan = PLANS.get(name)
    info = describe_head(loss.outputs, {}, plan or AttributePlan()) if loss.outputs in HEADS else None
    attach_outputs(model.network, loss.outputs, info, members=loss.members, seed=0)
    parts = (rows(12), rows(4, start=50))
    if name == "step-cross-entropy":
        parts = (list(arithmetic(12)), list(arithmetic(4, seed=9)))
    if plan is not None:
        parts = ([with_safety(record) for record in part] for part in parts)
    rated = loss.needs == "ratings"
    train, held = (encode_examples(each, model.encoder, share=True, rated=rated, plan=plan).examples for each in parts)
    folder.mkdir(exist_ok=True)
    settings = dataclasses.replace(SETTINGS, loss=name, loss_options=options, **changes)
    return Fit(model.network, settings, train=train, validation=held, folder=folder, fingerprint={"a": 1})


def bits(trainer):
    return {name: value.numpy().tobytes() for name, value in weights(trainer.network, trainer.team).items()}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_and_chooses_the_best_weights_by_its_own_value(tmp_path, name):
    result = fit(tmp_path, name, epochs=1, max_steps=3, eval_every=1).run()
    lines = [orjson.loads(line) for line in (tmp_path / "metrics.jsonl").read_bytes().splitlines()]
    own = [row["eval_objective" if name != "bradley-terry" else "eval_loss"] for row in lines if "eval_loss" in row]
    assert len(own) == 3
    assert result.state.best_loss == min(own)
    assert result.state.best_step == 1 + int(np.argmin(own))


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path, name):
    whole = fit(tmp_path / "whole", name)
    whole.run()
    broken = fit(tmp_path / "broken", name)
    one_step = broken._one_step

    def stopping(epoch, chosen, task):
        if broken.state.step == 3:
            raise RuntimeError("power cut")
        one_step(epoch, chosen, task)

    broken._one_step = stopping
    with pytest.raises(RuntimeError, match="power cut"):
        broken.run()
    again = fit(tmp_path / "broken", name)
    assert again.run(resuming=True).resumed_from == 2
    assert bits(again) == bits(whole)


def examples(records, *, rated=False):
    model = tiny()
    return encode_examples(records, model.encoder, share=True, rated=rated).examples


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("margin", "none of the 2 training comparisons has a margin"),
        ("soft-labels", "none of the 2 training comparisons has votes"),
        ("plackett-luce", "no training record ranks 3 or more responses"),
        ("regression", "no response of the training data has a rating"),
    ],
)
def test_data_that_lack_what_a_loss_needs_are_refused(name, told):
    made = examples([pair("a", "b", "c"), pair("d", "e", "f")])
    with pytest.raises(TrainingError, match=told):
        check_labels(choose(name), name, made, SILENT)


def test_what_some_records_lack_is_told_with_its_count():
    class Noting:
        notes: ClassVar = []

        def note(self, text):
            self.notes.append(text)

    made = examples([pair("a", "b", "c", margin=1.0), pair("d", "e", "f")])
    check_labels(choose("margin"), "margin", made, Noting())
    assert Noting.notes[0].startswith("1 of 2 training comparisons have no margin")
    with pytest.raises(TrainingError, match=r"1 training records have a negative margin, first made:1"):
        check_labels(choose("margin"), "margin", examples([pair("a", "b", "c", margin=-1.0)]), SILENT)


def test_single_rated_responses_are_examples_of_a_loss_on_ratings():
    single = Record((Message("user", "q"),), (Response((Message("assistant", "a"),)),), ratings={"overall": (2.0,)})
    unrated = dataclasses.replace(single, ratings={})
    (example,) = examples([single, unrated], rated=True)
    assert example.ratings.tolist() == [2.0]
    assert unit_weights(example, "response").tolist() == [1.0]
    assert labels_of([example], tiny().network.device, "response").preferred.shape == (0,)


def test_the_units_of_a_record_share_its_weight():
    (rated,) = examples(rows(1), rated=True)
    assert unit_weights(rated, "response").tolist() == [0.5, 0.5, 0.0]
    assert unit_weights(rated, "ranking").tolist() == [1.0]
    assert unit_weights(rated, "comparison").tolist() == pytest.approx([1 / 3] * 3)
