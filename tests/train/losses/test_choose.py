"""The table of losses: what each takes, what is refused, what centring adds."""

import dataclasses
import re
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from test_formulas import PAIRWISE, some

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.settings.fields import attribute_docs
from rewardsmith.train.losses import LOSSES, choose
from rewardsmith.train.losses.text import OPTIONS


def test_every_option_of_a_loss_is_a_setting_and_every_setting_is_used():
    used = {option for loss in LOSSES.values() for option in loss.options}
    assert used | {"name", "center", *OPTIONS} == {field.name for field in dataclasses.fields(LossSettings)}


def test_the_help_names_the_losses_that_take_an_option_and_its_default():
    documents = attribute_docs(LossSettings)
    for option in sorted({option for loss in LOSSES.values() for option in loss.options}):
        users = {name: loss.options[option].default for name, loss in LOSSES.items() if option in loss.options}
        text = documents[option]
        assert text.split(":")[0].split(", ") == list(users)
        (default,) = set(users.values())
        told = re.search(r"\(default: (all|[\d./]+)", text).group(1)
        assert (0.0 if told == "all" else eval(told)) == pytest.approx(default)
    assert re.findall(r"[a-z]+(?:-[a-z]+)*", documents["name"].split("(see")[0])[2:] == [
        *list(LOSSES)[:-1], "or", list(LOSSES)[-1],
    ]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_the_defaults_of_the_functions_are_those_of_the_table(name):
    given = {option: each.default for option, each in LOSSES[name].options.items()}
    if name in PAIRWISE:
        rewards, said = some(3)
        assert torch.equal(choose(name, given).values(rewards, said), LOSSES[name].values(rewards, said))
    assert choose(name) == LOSSES[name]


def test_an_option_changes_the_loss_it_belongs_to():
    rewards, said = some(4)
    changed = choose("focal", {"gamma": 0.0}).values(rewards, said)
    assert torch.allclose(changed, LOSSES["bradley-terry"].values(rewards, said))


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("hinge", {"gamma": 1.0}, r"--loss\.gamma has no effect with --loss hinge; .*--loss focal or focal-ranking"),
        ("regression", {"center": 0.1}, r"--loss\.center has no effect with --loss regression"),
        ("huber", {}, "expected one of bradley-terry, margin"),
        ("label-smoothing", {"smoothing": 0.5}, r"--loss\.smoothing 0\.5: expected a number in \[0, 0\.5\)"),
        ("gce", {"power": 0.0}, r"\(0, 1\]"),
        ("hinge", {"hinge_lead": float("inf")}, r"\(0, ∞\)"),
        ("focal", {"gamma": float("nan")}, r"--loss\.gamma nan: expected"),
    ],
)
def test_what_does_not_fit_is_refused_and_says_what_does(name, options, told):
    with pytest.raises(UsageError, match=told):
        choose(name, options)


@pytest.mark.parametrize("name", PAIRWISE)
def test_centring_adds_the_squared_sum_of_each_comparison(name):
    rewards, said = some(5)
    more = choose(name, {"center": 0.1}).values(rewards, said) - choose(name).values(rewards, said)
    total = rewards[said.preferred] + rewards[said.other]
    assert torch.allclose(more, 0.1 * total**2)


@pytest.mark.parametrize(("name", "center"), [("bradley-terry", 0.0), ("margin", 0.0), ("margin", 0.3)])
def test_margins_and_centring_are_those_of_trl(name, center):
    trl = pytest.importorskip("trl")
    rewards, said = some(6)
    said = dataclasses.replace(said, preference=torch.ones(6), margin=torch.arange(6.0))
    nothing = SimpleNamespace(gather_for_metrics=lambda value: value, gather=lambda value: value)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False), args=SimpleNamespace(center_rewards_coefficient=center or None),
        accelerator=nothing, _metrics={"eval": defaultdict(list)}, _total_train_tokens=0,
    )  # fmt: skip
    inputs = {"margin": said.margin} if name == "margin" else {}
    theirs = trl.RewardTrainer.compute_loss(
        trainer, lambda **_: SimpleNamespace(logits=rewards[:, None]), {**inputs, "attention_mask": torch.ones(1)}
    )
    assert choose(name, {"center": center}).values(rewards, said).mean().item() == pytest.approx(theirs.item())
