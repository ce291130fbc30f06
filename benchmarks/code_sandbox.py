"""What becomes of hostile programs in the sandbox of code tests, and what a sandbox costs per program.

    python benchmarks/code_sandbox.py [--times 40]

`contained` says of each program of tests/hostile_programs.py whether it reached nothing, with how it ended; `forged`, how
many tests each program of tests/forged_results.py passed. For the cost a program that does nothing is run `times` times by
Python alone and in a sandbox, in turn, and so are tests of two forms: medians with 95 % intervals by bootstrap, of the wall
clock and of the processor seconds of all children.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.files import write_json
from rewardsmith.verifiable.code.cases import tests_of
from rewardsmith.verifiable.code.running import RunSettings, outcome_of
from rewardsmith.verifiable.sandbox import confined, support
from rewardsmith.verifiable.sandbox.limits import MIB, ProgramLimits

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from forged_results import FORGERIES  # noqa: E402  # the programs of the tests
from hostile_programs import HOSTILE  # noqa: E402
from sandbox_here import run_hostile  # noqa: E402

RESULT = HERE / "results" / "code_sandbox.json"
ADD = "def add(a, b):\n    return a + b\n"


def main() -> None:
    """Run all, print a table and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=40)
    times = parser.parse_args().times
    reason = support.missing()
    if reason is not None:
        sys.exit(f"no sandbox can be made here: {reason}")
    result = {"user": os.getuid(), "kernel": os.uname().release, "hostile": hostile(), "forged": forged()}
    result["cost"] = cost(times)
    write_json(RESULT, result)
    for each in result["hostile"]:
        said = "contained" if each["contained"] else "ESCAPED"
        print(f"{each['program']:32} {each['ended']:12} {each['seconds']:6.2f} s  {said}")
    for name, passed in result["forged"].items():
        print(f"{name:32} passed {passed}")
    for name, figures in result["cost"].items():
        print(f"{name:32} {figures}")


def hostile() -> list[dict[str, Any]]:
    """Each hostile program once."""
    found = []
    for name, source in HOSTILE.items():
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            try:
                ended = run_hostile(source, Path(folder), ProgramLimits(seconds=5.0, output=MIB))
                how, contained = ended.how, b"ESCAPED" not in ended.output + ended.errors
            except AssertionError as error:
                how, contained = f"reached: {error}"[:60], False
            seconds = time.perf_counter() - began
        found.append({"program": name, "ended": how, "seconds": seconds, "contained": contained})
    return found


def forged() -> dict[str, int]:
    """How many tests each program passed that makes its result up, over all forms."""
    asserts = ["assert add(20, 17) == 37", "assert 37 == add(20, 17)", "assert not add(1, 2) != 3"]
    calls = {"inputs": [[20, 17], [1, 2]], "outputs": [37, 3], "fn_name": "add"}
    forms = [tests_of(each) for each in (asserts, "\n".join(asserts), calls, {"inputs": [""], "outputs": ["37"]})]
    settings = RunSettings(ProgramLimits(seconds=6.0))
    return {
        name: sum(outcome_of(program, form, settings).passed for form in forms) for name, program in FORGERIES.items()
    }


def cost(times: int) -> dict[str, dict[str, float]]:
    """Seconds of each way, the ways in turn."""
    settings = RunSettings(ProgramLimits())
    calls = tests_of({"inputs": [[1, 2]] * 10, "outputs": [3] * 10, "fn_name": "add"})
    source = tests_of(["assert add(1, 2) == 3"] * 10)
    nothing = confined.HeldProgram({"main.py": "pass"})
    ways: dict[str, Callable[[], object]] = {
        "python alone": lambda: subprocess.run([confined.interpreter(), "-s", "-B", "-c", "pass"], check=True),
        "in a sandbox": lambda: confined.run(nothing),
        "10 calls": lambda: outcome_of(ADD, calls, settings),
        "10 assertions": lambda: outcome_of(ADD, source, settings),
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times):
        for name, way in ways.items():
            before, began = children_seconds(), time.perf_counter()
            way()
            wall[name].append(time.perf_counter() - began)
            processor[name].append(children_seconds() - before)
    rng = np.random.default_rng(0)
    return {
        name: {"n": times, **figures(wall[name], "wall", rng), **figures(processor[name], "cpu", rng)} for name in ways
    }


def children_seconds() -> float:
    """Processor seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures(values: list[float], name: str, rng: np.random.Generator) -> dict[str, Any]:
    """Median in milliseconds, with its 95 % interval by bootstrap."""
    medians = np.median(rng.choice(values, (2000, len(values))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return {
        f"{name}_ms": round(1e3 * statistics.median(values), 1),
        f"{name}_ci": [round(1e3 * float(each), 1) for each in (low, high)],
    }


if __name__ == "__main__":
    main()
