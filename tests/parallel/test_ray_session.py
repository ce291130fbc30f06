"""Ray sessions: what is said where Ray is not there; sessions themselves are tested with the commands that use them."""

import re
import sys

import pytest

from rewardsmith.errors import MissingExtraError
from rewardsmith.launch.installation import install_command
from rewardsmith.parallel.ray_session import ray_session


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_command("ray"))), ray_session(workers=2):
        pass
