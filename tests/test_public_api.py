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
