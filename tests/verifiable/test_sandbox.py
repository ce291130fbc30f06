"""Hostile programs are held: they reach nothing outside, take no more than their limits, and leave nothing behind."""

import os
import subprocess
import sys
import time

import pytest

from hostile_programs import ENDS, HOSTILE
from rewardsmith.errors import SandboxError
from rewardsmith.verifiable.code.running import went_wrong
from rewardsmith.verifiable.sandbox import confined, support
from rewardsmith.verifiable.sandbox.confined import HeldProgram
from rewardsmith.verifiable.sandbox.limits import MIB, ProgramLimits
from sandbox_here import children, no_orphans, run_hostile, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
ENDLESS = {"huge number", "recursion", "nested data", *(name for name, end in ENDS.items() if end == "timed_out")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_program_is_contained(name, sandbox, tmp_path):
    seconds = 1.5 if name in ENDLESS else 30.0
    began = time.monotonic()
    ended = run_hostile(HOSTILE[name], tmp_path, ProgramLimits(seconds=seconds, output=MIB))
    assert b"ESCAPED" not in ended.output + ended.errors, ended
    assert len(ended.output) <= MIB
    assert len(ended.errors) <= MIB
    assert time.monotonic() - began < seconds + confined.GRACE
    if name in ENDS:
        assert went_wrong(ended) == ENDS[name], ended


def test_what_a_program_writes_and_how_it_ends_comes_back(sandbox):
    source = "import sys\nprint(input()[::-1])\nprint('bad', file=sys.stderr)\nsys.exit(7)\n"
    ended = confined.run(HeldProgram({"main.py": source}), "größe\n".encode())
    assert (ended.how, ended.code, ended.output, ended.errors) == ("exited", 7, "eßörg\n".encode(), b"bad\n")


def test_large_input_and_output_pass_at_the_same_time(sandbox):
    given = bytes(range(32, 127)) * 30_000
    source = "import sys\nfor line in iter(lambda: sys.stdin.read(4096), ''):\n    sys.stdout.write(line)\n"
    assert confined.run(HeldProgram({"main.py": source}), given).output == given


def test_a_program_that_does_not_read_its_input_is_no_error(sandbox):
    assert confined.run(HeldProgram({"main.py": "print(1)"}), b"x" * 10**6).output == b"1\n"


def test_two_programs_read_each_other_and_end_together(sandbox):
    asks = "import sys\nprint('21', flush=True)\nprint(input(), file=sys.stderr)\n"
    answers = "while True:\n    print(int(input()) * 2, flush=True)\n"
    with no_orphans():
        one, other = confined.run_joined(HeldProgram({"main.py": asks}), HeldProgram({"main.py": answers}))
    assert one.errors == b"42\n"
    assert one.code == 0
    assert other.how in (confined.TOLD, confined.EXITED)


def test_the_same_program_gives_the_same_output_every_time(sandbox):
    source = "print({'a', 'b', 'c', 'd', 'e'})"
    assert len({confined.run(HeldProgram({"main.py": source})).output for _ in range(3)}) == 1


STARTS_ONE = """
import threading, time
from rewardsmith.verifiable.sandbox import confined
source = "import time; time.sleep(60)"
threading.Thread(target=lambda: confined.run(confined.HeldProgram({"main.py": source})), daemon=True).start()
time.sleep(2)
print("running", flush=True)
time.sleep(60)
"""


def test_nothing_is_left_when_whoever_runs_a_program_is_killed(sandbox):
    with no_orphans():
        process = subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.kill()
        process.wait()
        process.stdout.close()
        deadline = time.monotonic() + 20
        while children() and time.monotonic() < deadline:
            reap()
            time.sleep(0.1)


def reap():
    """Bury what has become a child of this process, and has ended."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return


def test_the_standard_library_is_there(sandbox):
    source = "import asyncio, ctypes, decimal, json, multiprocessing, re, tempfile\nexit(len(tempfile.gettempdir()))\n"
    assert confined.run(HeldProgram({"main.py": source})).code == len("/work")


WITHOUT_NAMESPACES = """
from rewardsmith.verifiable.sandbox import kernel, seccomp
import os
kernel.filter_calls(seccomp.program(os.uname().machine))
from rewardsmith.verifiable.reward import VerifiableReward
from rewardsmith.verifiable.definition import definition_of
VerifiableReward(definition_of({"kind": "verifiable", "gold": "tests", "rewards": [{"check": "code"}]}, "file"))
"""


def test_where_namespaces_are_refused_so_is_the_check_before_anything_runs(sandbox):
    done = subprocess.run([sys.executable, "-c", WITHOUT_NAMESPACES], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "SandboxError: the check code runs programs in a sandbox, which is not available here: " in last
    assert "unshare: Operation not permitted; " in last


def test_other_systems_are_refused(monkeypatch):
    monkeypatch.setattr(support.sys, "platform", "darwin")
    support.missing.cache_clear()
    try:
        with pytest.raises(SandboxError, match="it needs Linux"):
            support.need_sandbox()
    finally:
        monkeypatch.undo()
        support.missing.cache_clear()


def test_a_limit_that_does_not_hold_is_a_refusal(sandbox, monkeypatch):
    program = support.trial()
    kept = {"main.py": program.files["main.py"].replace("range(count)", "range(1)")}
    monkeypatch.setattr(support, "trial", lambda: HeldProgram(kept, program.limits))
    support.missing.cache_clear()
    try:
        assert support.missing() == "these limits have no effect: processes; Linux 5.14 or newer is needed"
    finally:
        monkeypatch.undo()
        support.missing.cache_clear()
