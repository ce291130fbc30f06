"""Settings as keywords of a Python function: which types they are written with, and what becomes of the values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from rewardsmith.commands.train import Config, Lora
from rewardsmith.errors import UsageError
from rewardsmith.settings.keywords import accepted, typed


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (int, int),
        (float | None, float | None),
        (Path, str | Path),
        (Path | None, str | Path | None),
        (tuple[str, ...], str | Sequence[str]),
        (tuple[float, float, float], Sequence[float]),
        (Literal["a", "b"] | None, Literal["a", "b"] | None),
        (tuple[Literal["a", "b"], ...], Literal["a", "b"] | Sequence[Literal["a", "b"]]),
        (Lora, Lora | Mapping[str, Any]),
    ],
)
def test_a_keyword_takes_what_becomes_the_type_of_its_setting(hint, expected):
    assert accepted(hint) == expected


def test_only_texts_that_name_files_are_written_with_a_path():
    assert accepted(tuple[str, ...], files=True) == str | Path | Sequence[str | Path]
    assert accepted(str | None, files=True) == str | Path | None


def test_what_becomes_a_setting_without_loss_is_taken(tmp_path):
    given = {"dataset": tmp_path, "epochs": np.int64(2), "lr": 1, "track": {"mlflow"}, "read_layers": np.array([1, 2])}
    found = typed(Config, {**given, "test": (tmp_path, "b.jsonl"), "output": "out", "lora": Lora(r=4)})
    assert found["dataset"] == (str(tmp_path),)
    assert found["test"] == (str(tmp_path), "b.jsonl")
    assert found["output"] == Path("out")
    assert (found["epochs"], type(found["epochs"])) == (2, int)
    assert (found["lr"], type(found["lr"])) == (1.0, float)
    assert (found["track"], found["read_layers"]) == (("mlflow",), (1, 2))
    assert (found["lora.r"], found["lora.alpha"], found["lora.target"]) == (4, None, ())


@pytest.mark.parametrize("value", [2.0, np.float64(2), "2", b"2", [2], True, {"a": 2}])
def test_what_is_no_whole_number_is_not_made_one(value):
    with pytest.raises(UsageError, match=r"^epochs: got .*, expected an integer"):
        typed(Config, {"epochs": value})
