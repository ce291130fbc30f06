"""The path of one datum as ARCHITECTURE.md tells it, against the code that runs at least once for every row.

The page names every such file; a reader has at most 13 places to open for each command. A place is a package (a folder, and
what lies below its subfolders), since the files in one are alike: one format, one check, one part of the contract each.
"""

import json
import re
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from rewardsmith.cli import main

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "rewardsmith"
SHARED = ("cli", "terminal", "manual", "errors", "records", "thinking", "progress", "version")
SHARED += ("files/", "language/", "settings/", "launch/", "report/templates/")
SHARED += ("evaluate/inference/",)  # once a bin of a table, and there are at most 15: more of them in 25 rows than in 5
MOST_PLACES = 13
SMALL = ("--n-layer", "1", "--n-embd", "32", "--batch", "32", "--epochs", "1", "--no-report")
FEW, MANY = (
    5,
    25,
)  # rows; what runs once a row runs 20 times more, and what runs once a run, a finding or a search does not
COMMANDS = ("prepare", "train", "evaluate", "score", "diagnose")


@contextmanager
def counting_calls():
    """How often each function of our modules is called while the block runs, in every thread."""
    calls = Counter()
    start = f"{PACKAGE}/"

    def note(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(start):
            module = frame.f_code.co_filename.removeprefix(start).removesuffix(".py")
            calls[module, frame.f_code.co_firstlineno] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def rows(folder, count):
    path = folder / f"rows{count}.jsonl"
    data = [
        {"prompt": f"What is {k} + 2?", "chosen": f"It is {k + 2}, of course.", "rejected": f"It is five or {k}."}
        for k in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in data))
    return path


def words_of(command, folder, count):
    """A command's line for `count` rows; the model is always the one that was trained on few."""
    data, model, out = rows(folder, count), folder / f"train{FEW}" / "model", folder / f"{command}{count}"
    held = rows(folder, 4)
    words = {
        "prepare": ["prepare", data, "-o", out, "--fractions", "1", "0", "0"],
        "train": [
            "train",
            "--model",
            "tiny",
            "--dataset",
            data,
            "--validation",
            held,
            "--test",
            held,
            "-o",
            out,
            *SMALL,
        ],
        "evaluate": ["evaluate", model, data, "-o", out],
        "score": ["score", model, data, "-o", f"{out}.jsonl"],
        "diagnose": ["diagnose", folder / f"evaluate{count}", "--no-measure"],
    }
    return [str(word) for word in [*words[command], "--overwrite"]]


def calls_with(folder, count):
    """Calls per function, for each command on `count` rows."""
    found = {}
    for command in COMMANDS:
        with counting_calls() as calls:
            assert main(words_of(command, folder, count)) == 0
        found[command] = calls
    return found


@pytest.fixture(scope="module")
def on_the_way(tmp_path_factory):
    """The modules of each command with a function that runs for every row."""
    folder = tmp_path_factory.mktemp("path")
    for command in COMMANDS:  # not watched, which takes long: nothing is imported or made for the first time below
        assert main(words_of(command, folder, FEW)) == 0
    fewer, more = calls_with(folder, FEW), calls_with(folder, MANY)
    found = {}
    for command in COMMANDS:
        grown = {name for name, calls in more[command].items() if calls - fewer[command][name] >= MANY - FEW}
        found[command] = {module for module, _ in grown}
    return found


def without_shared(modules):
    return {name for name in modules if not name.startswith(SHARED)}


def told_of(command):
    """The files that the page names for a command; `a/{b,c}` stands for two."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    section = page.split("## The path of one datum")[1].split("\n## ")[0]
    item = section.split(f"- **`{command}`**")[1].split("\n- **")[0]
    found = set()
    for folder, several, single in re.findall(r"`([\w/]+/)(?:\{([\w,\s]+)\}|(\w+))`", item):
        found |= {folder + name.strip() for name in (several or single).split(",")}
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_names_every_file_on_the_way(command, on_the_way):
    missing = without_shared(on_the_way[command]) - told_of(command)
    assert not missing, f"ARCHITECTURE.md, the path of one datum, {command}: {sorted(missing)} run too"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_that_the_page_names_exists(command):
    gone = [name for name in told_of(command) if not (PACKAGE / f"{name}.py").is_file()]
    assert not gone


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_has_few_places_to_open(command, on_the_way):
    places = {"/".join(Path(name).parent.parts[:2]) for name in without_shared(on_the_way[command])}
    assert places, "the tracer saw nothing"
    assert len(places) <= MOST_PLACES, sorted(places)
