"""The process that checks expressions belongs to the process that asks: a fork gets one of its own."""

import os
import subprocess
import sys

import pytest

FORKED = """
import os, sys
from rewardsmith.verifiable.killable import HELPER

def answers(start):
    return [HELPER.ask("matches", pattern=str(n), text=str(start), whole=False, timeout=20.0) for n in range(20)]

assert answers(0)[0]  # the parent's process runs
mine = HELPER.process.pid
child = os.fork()
own = 7 if child == 0 else 13
right = answers(own) == [str(n) in str(own) for n in range(20)]
same = HELPER.process.pid == mine
HELPER.close() if child == 0 else None
if child == 0:
    os._exit(0 if right and not same else 1)
_, status = os.waitpid(child, 0)
HELPER.close()
sys.exit(0 if right and same and status == 0 else 2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_gets_answers_to_its_own_questions():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
