"""The documentation does what it says: README blocks run, links lead somewhere, options named in it exist."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from rewardsmith import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page; blocks in `bash` and `python` are run, other languages are only shown."""

    language: str
    text: str


def blocks(page):
    return [Block(*match.groups()) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def run(block, folder):
    """Run one block as a person would, in `folder`, with the programs of this environment first on the path."""
    programs = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": programs + os.pathsep + os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[block.language]
    return subprocess.run(
        [*command, block.text], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def test_the_readme_runs_from_top_to_bottom(tmp_path):
    runnable = [block for block in blocks(ROOT / "README.md") if block.language in ("bash", "python")]
    assert [block.language for block in runnable] == ["python", "bash", "bash", "python"]
    for block in runnable:
        result = run(block, tmp_path)
        assert result.returncode == 0, f"{block.text}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr
    rows = (tmp_path / "rewards.jsonl").read_text().splitlines()
    assert len(rows) == len((tmp_path / "data" / "test.jsonl").read_text().splitlines()) > 0


def test_the_chinese_readme_shows_the_same_blocks_tables_and_links():
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    assert blocks(ROOT / "README.zh.md") == blocks(ROOT / "README.md")
    for part in (r"^#+ ", r"^\|", r"^- \*\*"):  # headings, rows of tables, points
        assert len(re.findall(part, chinese, flags=re.M)) == len(re.findall(part, english, flags=re.M)), part

    def links(text):
        return sorted(set(re.findall(r"\]\(([^)\s]+)\)", text)) - {"README.md", "README.zh.md"})

    def figures(text):
        return sorted(re.findall(r"\d[\d.,]*\d", BLOCK.sub("", text)))

    assert links(chinese) == links(english)
    assert figures(chinese) == figures(english)
    assert "(README.zh.md)" in english
    assert "(README.md)" in chinese


def test_a_block_that_fails_is_noticed(tmp_path):
    assert run(Block("bash", "false | true\n"), tmp_path).returncode != 0
    assert run(Block("python", "raise SystemExit(3)"), tmp_path).returncode == 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [target for target in targets if target and "://" not in target and not target.startswith("mailto:")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_commands_named_in_the_pages_exist():
    named = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named |= set(re.findall(r"`rewardsmith ([a-z][\w-]*)", text))
        for block in blocks(page):
            named |= set(re.findall(r"^(?:\$ )?rewardsmith ([a-z][\w-]*)", block.text, flags=re.MULTILINE))
    assert named - set(cli.COMMANDS) == set()
    assert {"prepare", "train", "evaluate", "diagnose", "score"} <= named


def test_make_targets_named_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake (\w+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_place_of_one_machine(page):
    assert not re.search(r"/(?:home|root|work|Users|tmp)/\w", page.read_text(encoding="utf-8"))
