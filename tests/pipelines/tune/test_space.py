"""What a search may change: every way to write it, every refusal, and the values that a grid or a default has."""

from pathlib import Path

import pytest

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.pipelines.tune.config import Config
from rewardsmith.pipelines.tune.pipeline import checked
from rewardsmith.pipelines.tune.space import (
    SPACES,
    Parameter,
    chosen_space,
    defaults_in,
    grid,
    kind_of,
    of_json,
    parsed,
    read_space,
)
from rewardsmith.settings.fields import build, values_of
from rewardsmith.train.schedule import LEARNING_RATES


def base(**changes):
    return TrainConfig(**{"model": "tiny", "dataset": ("x",), "output": Path("y"), **changes})


def search(*words, **changes):
    return Config(**{"model": "tiny", "dataset": ("x",), "output": Path("y"), "search": words, **changes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr=1e-5..1e-3:log", Parameter("lr", (), 1e-5, 1e-3, True)),
        ("batch=4,8,16", Parameter("batch", (4, 8, 16))),
        ("learning_rate=1e-4,2e-4", Parameter("lr", (1e-4, 2e-4))),
        ("warmup=0..0.2:step=0.05", Parameter("warmup", (), 0.0, 0.2, False, 0.05)),
        ("lora.r=4..64:log", Parameter("lora.r", (), 4, 64, True, None, True)),
        ("loss=bradley-terry,focal", Parameter("loss", ("bradley-terry", "focal"))),
        ("pooling=last,last+mean", Parameter("pooling", (("last",), ("last", "mean")))),
        ("freeze-layers=0,2", Parameter("freeze_layers", (0, 2))),
    ],
)
def test_a_word_is_read_and_told_again(text, expected):
    assert parsed(text, "--search") == expected
    assert parsed(expected.told(), "--search") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr", "expected NAME=LOW..HIGH"),
        ("lr=", "expected NAME=LOW..HIGH"),
        ("lrr=1..2", "Did you mean 'lr'"),
        ("seed=1,2", "same in every trial; pass it as --seed"),
        ("dataset=a,b", "same in every trial"),
        ("lr=1e-3..1e-5", "empty"),
        ("lr=0..1:log", "cannot begin at 0"),
        ("lr=1..2:linear", "got 'linear' behind the range"),
        ("lr=a..b", "needs numbers"),
        ("batch=1.5..4", "is an integer"),
        ("batch=2..8:step=1.5", "is an integer"),
        ("warmup=0..0.1:step=0.5", "does not fit"),
        ("loss=a..b:log", "needs numbers"),
        ("pooling=1..2", "is not a number"),
        ("batch=four", "got 'four'"),
        ("pooling=first", "last, mean"),
        ("lr=1..inf", "empty"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_what_was_expected(text, said):
    with pytest.raises(UsageError, match="--search") as error:
        parsed(text, "--search")
    assert said in str(error.value)


def test_a_file_says_the_same(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(
        "lr: {low: 1e-5, high: 1e-3, log: true}\nbatch: [8, 16]\npooling: [last, last+mean]\n"
        "gradient_checkpointing: [true, false]\n"
    )
    assert read_space(file) == (
        Parameter("lr", (), 1e-5, 1e-3, True),
        Parameter("batch", (8, 16)),
        Parameter("pooling", (("last",), ("last", "mean"))),
        Parameter("gradient_checkpointing", (True, False)),
    )
    for content, said in [
        ("", "names no setting"),
        ("lr: 3", "expected a list"),
        ("lr: {low: 1}", "low: NUMBER"),
        ("lr: {low: 1, high: 2, width: 3}", "low: NUMBER"),
        ("lr: {low: 1, high: 2, log: 1}", "true or false"),
        ("lr: {low: 1, high: 2, step: a}", "a number as step"),
        ("batch: [8, x]", "got the text 'x'"),
        ("nothing: [1]", "no setting 'nothing'"),
    ]:
        file.write_text(content)
        with pytest.raises(UsageError) as error:
            read_space(file)
        assert said in str(error.value)
    with pytest.raises(UsageError, match="cannot read"):
        read_space(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "tiny"),
        ({"model": "some/model"}, "full"),
        ({"lora": Lora(r=8)}, "lora"),
        ({"freeze_layers": -1}, "head"),
        ({"freeze_layers": -1, "head_start": "probe"}, "probe"),
    ],
)
def test_every_kind_of_training_has_a_space_around_its_defaults(changes, kind):
    config = base(**changes)
    assert kind_of(config) == kind
    space = chosen_space(config, (), None)
    assert list(space) == [parsed(one, "") for one in SPACES[kind]]
    lr = next((one for one in space if one.key == "lr"), None)
    assert (lr is None) == (kind == "probe")
    if lr is not None:
        assert lr.low <= LEARNING_RATES[kind] / 5
        assert lr.high >= 2.5 * LEARNING_RATES[kind]


def test_the_defaults_are_a_point_of_the_default_space_of_tiny():
    space = chosen_space(base(), (), None)
    found = defaults_in(space, base(), 2e-3)
    assert found == {"lr": 2e-3, "batch": 16, "weight_decay": 0.01, "dropout": 0.0, "warmup": 0.05}
    assert defaults_in(space, base(batch=17), 2e-3) is None


def test_a_grid_has_every_combination_once():
    points = grid([parsed("lr=1e-4..1e-2:log", ""), parsed("batch=8,16", "")])
    assert len(points) == 10
    rates = sorted({one["lr"] for one in points})
    assert rates == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    assert [p["warmup"] for p in grid([parsed("warmup=0..0.2:step=0.1", "")])] == pytest.approx([0, 0.1, 0.2])
    assert [p["batch"] for p in grid([parsed("batch=1..3", "")])] == [1, 2, 3]
    with pytest.raises(UsageError, match="combinations, at most 1000"):
        grid([parsed(f"{key}=0..0.1", "") for key in ("warmup", "dropout", "weight_decay", "clip", "frac")])


def test_settings_travel_as_json_and_as_dotted_values():
    config = base(lora=Lora(r=4), pooling=("last", "mean"))
    assert build(TrainConfig, values_of(config)) == config
    space = [parsed("pooling=last,last+mean", ""), parsed("batch=2,4", "")]
    assert of_json(space, {"pooling": ["last", "mean"], "batch": 2}) == {"pooling": ("last", "mean"), "batch": 2}


@pytest.mark.parametrize(
    ("words", "changes", "said"),
    [
        (("dropout=0..2",), {}, "--dropout 2"),
        (("loss=bradley-terry,focla",), {}, "focla"),
        (("lr=1e-4..1e-3", "learning_rate=1,2"), {}, "names lr twice"),
        ((), {"trials": 0}, "--trials 0"),
        ((), {"minutes": 0.0}, "--minutes 0"),
        ((), {"jobs": 0}, "--jobs 0"),
        ((), {"push_to_hub": "a/b"}, "rewardsmith push"),
        ((), {"run_name": "x", "track": ("tensorboard",)}, "named after --output"),
        (("lr=1..2",), {"lr_only": True}, "remove --search"),
        ((), {"lr_only": True, "resume": True}, "one short test"),
        (("batch=4,8",), {"space": Path("s.yaml")}, "cannot be combined"),
    ],
)
def test_what_no_trial_could_use_is_refused_before_anything_is_read(words, changes, said):
    with pytest.raises((UsageError, ValueError)) as error:
        checked(search(*words, **changes))
    assert said in str(error.value)


def test_under_several_losses_the_search_is_for_accuracy():
    assert search("batch=4,8").chosen_metric() == "loss"
    assert search("loss=bradley-terry,hinge").chosen_metric() == "accuracy"
    assert search("loss.gamma=1..3", metric="loss").chosen_metric() == "loss"
