"""The public names: exactly the table, each one there, and none loaded before it is used."""

import importlib
import inspect
import subprocess
import sys

import pytest

import rewardsmith


def test_all_is_the_table():
    assert sorted(rewardsmith.__all__) == sorted(["__version__", *rewardsmith.PUBLIC])
    assert dir(rewardsmith) == sorted(rewardsmith.__all__)


@pytest.mark.parametrize(("name", "target"), sorted(rewardsmith.PUBLIC.items()))
def test_every_public_name_is_there_and_documented(name, target):
    module, _, attribute = target.partition(":")
    value = getattr(rewardsmith, name)
    assert value is getattr(importlib.import_module(module), attribute)
    assert inspect.getdoc(value)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = rewardsmith.trian


def test_errors_and_records_come_without_torch():
    check = "import sys, rewardsmith as rs; rs.DataError, rs.Record; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_user_error_can_be_caught_as_a_value_error():
    assert issubclass(rewardsmith.DataError, ValueError)
    assert issubclass(rewardsmith.MissingExtraError, ImportError)


@pytest.mark.parametrize("name", ["train", "evaluate", "diagnose"])
@pytest.mark.parametrize("first", ["function", "folder"])
def test_a_function_is_not_hidden_by_the_folder_of_its_name(name, first):
    lines = ["import rewardsmith as rs", f"import rewardsmith.{name}", f"assert callable(rs.{name}), rs.{name}"]
    if first == "function":
        lines.insert(1, f"assert callable(rs.{name})")
    lines.append(f"from rewardsmith.{name} import __doc__ as words; assert words")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
