"""No module of the current folder is run, by the program or by whatever it starts."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.launch import children
from rewardsmith.track.trackers import TRACKERS
from rewardsmith.verifiable.sandbox import confined, support

PACKAGE = Path(children.PACKAGE) / "rewardsmith"
CANARY = """
import os
with open(os.environ["CANARY"], "a") as file:
    file.write(f"{__name__}\\n")
raise SystemExit("the module of the current folder was run")
"""
PLANTED = (
    *("orjson", "numpy", "json", "sitecustomize", "usercustomize", "torch", "struct", "pickle", "multiprocessing"),
    *("mlflow", "wandb", "trackio", "swanlab", "tensorboard", "sqlalchemy", "ray", "random", "socket", "signal", "pip"),
)
PROGRAM = Path(sys.executable).with_name("rewardsmith")


@pytest.fixture
def planted(tmp_path):
    """A folder of somebody's data, with modules in it that write down that they were run."""
    folder = tmp_path / "data"
    (folder / "rewardsmith").mkdir(parents=True)
    (folder / "rewardsmith" / "__init__.py").write_text(CANARY)
    for name in PLANTED:
        (folder / f"{name}.py").write_text(CANARY)
    lines = [f'{{"prompt": "{k}?", "chosen": "It is {k}, I think.", "rejected": "No {k}."}}\n' for k in range(40)]
    (folder / "rows.jsonl").write_text("".join(lines))
    return folder


def run(folder, *words, python_path=None, command=None, timeout=240):
    """The program in that folder; `-P` or a console script leaves the folder out, `python -m` could not."""
    environment = {**os.environ, "CANARY": str(folder.parent / "canary"), "CUDA_VISIBLE_DEVICES": ""}
    environment.pop(children.SAFE, None)
    environment["PYTHONPATH"] = os.pathsep.join([children.PACKAGE, *([] if python_path is None else [python_path])])
    command = command or [sys.executable, "-P", "-m", "rewardsmith"]
    return subprocess.run(
        [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def untouched(folder):
    path = folder.parent / "canary"
    return path.read_text() if path.exists() else ""


TRAIN = [
    "train",
    "--model",
    "tiny",
    "--dataset",
    "rows.jsonl",
    "--n-embd",
    "16",
    "--n-layer",
    "1",
    "--batch",
    "8",
    "--threads",
    "1",
    "--no-report",
    "-o",
    "out",
]
INSTALLED = [
    name for name, entry in TRACKERS.items() if all(importlib.util.find_spec(module) for module in entry.modules)
]


@pytest.mark.skipif(not INSTALLED, reason="no tracker is installed")
def test_trackers_run_nothing_of_the_current_folder(planted):
    done = run(planted, *TRAIN, "--track", *INSTALLED)
    assert done.returncode == 0, done.stderr
    assert untouched(planted) == ""
    assert [line for line in done.stderr.splitlines() if line.startswith("warning")] == []
    assert done.stderr.count(": recording to ") == len(INSTALLED)


def test_workers_run_nothing_of_the_current_folder(planted):
    (planted / "rows.jsonl").write_text((planted / "rows.jsonl").read_text() * 60)
    done = run(planted, "prepare", "rows.jsonl", "-o", "out", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert untouched(planted) == ""


@pytest.mark.parametrize("python_path", ["", ".", "rewardsmith/.."])
def test_a_python_path_that_means_the_current_folder_changes_nothing_for_what_is_started(
    planted, python_path, monkeypatch
):
    monkeypatch.chdir(planted)
    monkeypatch.setenv(children.PATH, python_path)
    environment = {**children.environment(), "CANARY": str(planted.parent / "canary")}
    for module, words in (("json.tool", ["--help"]), ("rewardsmith.version", [])):
        done = subprocess.run(
            children.python(module, *words), env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
    child = [sys.executable, "-c", "import sys, orjson; print(sys.path)"]  # started by what we started
    done = subprocess.run(child, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert str(planted) not in done.stdout
    assert untouched(planted) == ""


def test_an_absolute_place_of_the_python_path_stays(tmp_path, monkeypatch):
    monkeypatch.setenv(children.PATH, os.pathsep.join(["", str(tmp_path), "relative"]))
    assert children.environment()[children.PATH].split(os.pathsep) == [children.PACKAGE, str(tmp_path)]


def test_the_program_forgets_the_current_folder_before_it_imports_libraries(planted):
    """An empty place in PYTHONPATH is how a shell profile puts the current folder there; site has run by then."""
    for name in (
        "sitecustomize",
        "usercustomize",
        "json",
        "struct",
        "random",
        "socket",
        "signal",
        "pickle",
        "multiprocessing",
    ):
        (planted / f"{name}.py").unlink()
    for file in (planted / "rewardsmith").iterdir():
        file.unlink()
    (planted / "rewardsmith").rmdir()
    for command in ([sys.executable, "-m", "rewardsmith"], [sys.executable, "-P", "-m", "rewardsmith"]):
        done = run(planted, "prepare", "rows.jsonl", "-o", f"out-{len(command)}", python_path="", command=command)
        assert done.returncode == 0, done.stderr
        assert untouched(planted) == ""


@pytest.mark.slow
def test_ray_runs_nothing_of_the_current_folder(planted):
    pytest.importorskip("ray")
    done = run(planted, "prepare", "rows.jsonl", "-o", "out", "--engine", "ray", "--workers", "2", timeout=500)
    assert done.returncode == 0, done.stderr
    assert untouched(planted) == ""


def test_measuring_memory_runs_nothing_of_the_current_folder(planted, monkeypatch):
    from rewardsmith.bench.documented import Size
    from rewardsmith.bench.memory import training_memory

    monkeypatch.chdir(planted)
    monkeypatch.setenv("CANARY", str(planted.parent / "canary"))
    assert training_memory(Size(1, 1, 32), batch=1, device="cpu", dtype="fp32", threads=1).peak_mb > 0
    assert untouched(planted) == ""


def starts_processes(source):
    """What a module calls to start a process."""
    names = {
        "subprocess.run",
        "subprocess.Popen",
        "subprocess.call",
        "subprocess.check_output",
        "subprocess.check_call",
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (name := ast.unparse(node.func)) in names | {
            "os.system",
            "os.popen",
            "os.fork",
        }:
            yield name, node
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("os.exec", "os.spawn", "os.posix_spawn")):
            yield ast.unparse(node.func), node
        for module in ("concurrent.futures.process", "multiprocessing.pool"):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                yield module, node
        if isinstance(node, ast.Name) and node.id in ("ProcessPoolExecutor", "Pool"):
            yield node.id, node


IN_A_SANDBOX = {"launcher", "trial"}
"""Modules of `verifiable.sandbox` that run in a process which has an empty environment, and fork programs there."""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_process_is_started_with_the_environment_of_one_function(path):
    sandbox = path.parent == PACKAGE / "verifiable" / "sandbox"
    for name, node in starts_processes(path.read_text(encoding="utf-8")):
        if sandbox and path.stem in IN_A_SANDBOX and name in ("os.fork", "os.execve"):
            continue
        assert name in ("subprocess.run", "subprocess.Popen"), name
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if sandbox:  # which is given nothing, and Python's isolated mode
            assert given["env"] == "{}", node.lineno
            assert "'-I'" in ast.unparse(node), node.lineno
        else:
            assert given.get("env") == "environment()", (name, node.lineno)


def test_a_program_in_a_sandbox_runs_nothing_of_the_current_folder(planted, monkeypatch):
    if reason := support.missing():
        pytest.skip(reason)
    monkeypatch.chdir(planted)
    monkeypatch.setenv("CANARY", str(planted.parent / "canary"))
    monkeypatch.setenv("PYTHONPATH", str(planted))
    ended = confined.run(confined.HeldProgram({"main.py": "import json, random\nprint(json.dumps(7))"}))
    assert (ended.how, ended.code, ended.output) == (confined.EXITED, 0, b"7\n"), ended.errors
    assert untouched(planted) == ""
