"""The documentation does what it says: blocks run and print what is shown, links lead somewhere, options exist."""

import doctest
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from rewardsmith import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
COMMANDS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


class Block(NamedTuple):
    """A fenced block of a page; those in `bash` and `python` are run, other languages are only shown."""

    language: str
    text: str

    @property
    def runs(self):
        return self.language in COMMANDS


def blocks(page):
    return [Block(*match.groups()) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def run(block, folder):
    """Run one block as a person would, in `folder`, with the programs of this environment first on the path."""
    programs = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": programs + os.pathsep + os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*COMMANDS[block.language], block.text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def output_of(block, folder):
    """What a block prints; it must end well."""
    result = run(block, folder)
    assert result.returncode == 0, f"{block.text}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result.stdout


def assert_shown(shown, printed):
    """Every line that a page shows was printed, in this order.

    "…" stands for lines left out, or at the end of a line for the rest of it. Numbers with a decimal point are not compared,
    as they depend on the processor; whole numbers are.
    """
    lines = iter([masked(line) for line in printed.splitlines()])
    for line in (line for line in shown.splitlines() if line.strip() not in ("", "…")):
        begin, more, _ = masked(line).partition("…")
        same = str.startswith if more else str.__eq__
        expected = begin.rstrip() if more else begin
        found = any(same(other, expected) for other in lines)
        assert found, f"{line!r} was not printed, or not in this place:\n{printed}"


def masked(line):
    """The line without decimals, signs of such, and repeated space (columns are as wide as their numbers)."""
    return re.sub(r" +", " ", re.sub(r"[-+]?\d+\.\d+", "#", line)).rstrip()


@pytest.mark.slow
def test_the_readme_and_the_page_on_usage_run_from_top_to_bottom(tmp_path):
    runnable = [block for page in (ROOT / "README.md", DOCS / "usage.md") for block in blocks(page) if block.runs]
    assert {block.language for block in runnable} == {"python", "bash"}
    assert len(runnable) >= 5
    for block in runnable:
        output_of(block, tmp_path)
    rows = (tmp_path / "rewards.jsonl").read_text().splitlines()
    assert len(rows) == len((tmp_path / "data" / "test.jsonl").read_text().splitlines()) > 0
    for promised in ("data/quality.html", "runs/first/report.html", "runs/first/model/README.md"):
        assert (tmp_path / promised).stat().st_size > 0


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_shows(tmp_path):
    page = blocks(DOCS / "tutorial.md")
    languages = [block.language for block in page if block.runs]
    assert (languages.count("python"), languages.count("bash")) == (4, 7)
    for block, following in zip(page, [*page[1:], Block("", "")], strict=True):
        if block.runs:
            printed = output_of(block, tmp_path)
            if following.language == "text":
                assert_shown(following.text, printed)
    tells_what_it_learned(tmp_path)


def tells_what_it_learned(folder):
    """The facts that the tutorial's text is about, from the files and not from what was printed."""
    evaluation = json.loads((folder / "runs" / "first-test" / "evaluation.json").read_text())
    longer = evaluation["baselines"]["longer"]
    assert abs(evaluation["accuracy"] - longer["accuracy"]) < 0.03 < evaluation["accuracy"] - 0.6
    verdict = json.loads((folder / "runs" / "first-test" / "report.json").read_text())
    assert not verdict["ready"]
    chosen = [json.loads(line) for line in (folder / "scored.jsonl").read_text().splitlines()]
    assert [row["best"] for row in chosen] == [1, 1]
    repaired = (folder / "data" / "repaired.jsonl").read_text(encoding="utf-8")
    assert "â€™s 7." in repaired
    assert "’s 7." in repaired


def test_what_a_page_shows_is_compared_with_what_is_printed():
    printed = "rows 12: kept 10\naccuracy   0.771   n = 131\nwritten to data\n"
    assert_shown("rows 12: …\naccuracy 0.8   n = 131\n…\n", printed)
    for wrong in ("rows 13: …\n", "accuracy 0.771   n = 132\n", "written to data\nrows 12: kept 10\n", "written to\n"):
        with pytest.raises(AssertionError, match="was not printed"):
            assert_shown(wrong, printed)


def test_the_examples_on_the_page_of_concepts_hold():
    page = DOCS / "concepts.md"
    text = "\n".join(line for line in page.read_text(encoding="utf-8").splitlines() if not line.startswith("```"))
    found = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert len(found.examples) >= 10
    complaints: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(found, out=complaints.append).failed == 0, "".join(complaints)


def test_the_figures_of_the_demo_in_the_readme_are_those_measured():
    measured = json.loads((RESULTS / "demo.json").read_text())
    low, high = measured["accuracy_ci"]
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"accuracy {measured['accuracy']:.3f} [{low:.3f}, {high:.3f}] on {measured['n']:,} comparisons" in text
    assert f"the best possible is {measured['ceiling']:.3f}" in text
    assert f"reaches {measured['baselines']['longer']['accuracy']:.3f}" in text


def test_the_figures_on_overfitting_are_those_measured():
    measured = json.loads((RESULTS / "overfitting.json").read_text())["runs"]
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    for row in measured:
        losses = [row[key] for key in ("train_loss_at_the_end", "held_out_loss_at_best", "held_out_loss_at_the_end")]
        low, high = row["accuracy_ci"]
        cells = [f"{row['prompts']:,}", f"{row['epochs']}", *(f"{loss:.3f}" for loss in losses)]
        cells += [f"{row['best_step']:,} of {row['steps']:,}", f"{row['accuracy']:.3f} [{low:.3f}, {high:.3f}]"]
        assert f"| {' | '.join(cells)} |" in text


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_the_chinese_page_shows_the_same_blocks_tables_links_and_figures(page):
    translated = page.replace(".md", ".zh.md")
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in (page, translated))
    assert blocks(ROOT / translated) == blocks(ROOT / page)
    for part in (r"^#+ ", r"^\|", r"^- \*\*", r"^- "):  # headings, rows of tables, points
        assert len(re.findall(part, chinese, flags=re.M)) == len(re.findall(part, english, flags=re.M)), part

    def links(text):
        """Where the links lead, a translated page taken for its English one; without the link between the two."""
        found = {
            target.replace("zh.", "en.").replace(".en.md", ".md") for target in re.findall(r"\]\(([^)\s]+)\)", text)
        }
        return sorted(found - {Path(page).name})

    def figures(text):
        return sorted(re.findall(r"\d[\d.,]*\d", BLOCK.sub("", text)))

    assert links(chinese) == links(english)
    assert figures(chinese) == figures(english)
    assert f"({Path(translated).name})" in english
    assert f"({Path(page).name})" in chinese


def test_a_block_that_fails_is_noticed(tmp_path):
    assert run(Block("bash", "false | true\n"), tmp_path).returncode != 0
    assert run(Block("python", "raise SystemExit(3)"), tmp_path).returncode == 3


def targets_of(page):
    """The links of a page to files of this project: (path, anchor)."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    found = [target.partition("#")[::2] for target in re.findall(r"\]\(([^)\s]+)\)", text) if ":" not in target]
    return [((page.parent / path) if path else page, anchor) for path, anchor in found]


def anchors_of(page):
    """What a link to a heading may name, as GitHub makes it of the heading."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = targets_of(page)
    assert [str(path) for path, _ in targets if not path.exists()] == []
    assert [f"{path}#{anchor}" for path, anchor in targets if anchor and anchor not in anchors_of(path)] == []


def test_the_index_of_the_documentation_names_every_page_and_every_example():
    linked = {path.resolve() for path, _ in targets_of(DOCS / "README.md")}
    pages = {page for page in DOCS.glob("*.md") if page.name != "README.md"} | set((ROOT / "examples").glob("*.py"))
    assert [page.name for page in pages if page.resolve() not in linked] == []


def test_commands_named_in_the_pages_exist():
    named = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named |= set(re.findall(r"`rewardsmith ([a-z][\w-]*)", text))
        for block in blocks(page):
            named |= set(re.findall(r"^(?:\$ )?rewardsmith ([a-z][\w-]*)", block.text, flags=re.MULTILINE))
    assert named - set(cli.COMMANDS) == set()
    assert {"prepare", "train", "evaluate", "diagnose", "score"} <= named


def test_the_page_on_usage_names_every_command_and_every_other_name_of_a_setting():
    from rewardsmith.settings.fields import ALIASES

    text = (DOCS / "usage.md").read_text(encoding="utf-8")
    assert [name for name in cli.COMMANDS if f"`{name}`" not in text] == []
    assert [name for name in ALIASES if f"`{name}`" not in text] == []


def test_make_targets_named_in_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake (\w+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"demo", "test"} <= targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.MULTILINE) for target in targets)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_place_of_one_machine(page):
    assert not re.search(r"/(?:home|root|work|Users|tmp)/\w", page.read_text(encoding="utf-8"))
