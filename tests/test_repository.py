"""Files for those who come to the repository: each says what is true of it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from builders import needs_setuptools
from rewardsmith.version import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    # required by the Citation File Format 1.2.0
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], citation["version"], citation["license"]) == (
        PROJECT["name"],
        VERSION,
        PROJECT["license"],
    )


def test_the_workflow_runs_what_a_developer_runs():
    workflow = read(".github/workflows/test.yml")
    job = workflow["jobs"]["test"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[0] == "make test"
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert {command.removeprefix("make ") for command in commands} <= set(targets)
    pythons = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert set(job["strategy"]["matrix"]["python"]) == pythons  # a version that is classified is tested
    assert f">={min(pythons, key=lambda text: int(text.split('.')[1]))}" == PROJECT["requires-python"]


@pytest.mark.parametrize("path", [form for form in FORMS if form.name != "config.yml"], ids=lambda path: path.name)
def test_an_issue_form_asks_for_something(path):
    form = read(path)
    assert form["name"]
    assert form["description"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])
    names = [field["id"] for field in form["body"]]
    assert len(names) == len(set(names))
    assert {field["type"] for field in form["body"]} <= {"textarea", "input", "dropdown", "markdown", "checkboxes"}


def test_the_page_of_the_package_leads_to_no_place_that_an_index_does_not_have():
    text = (ROOT / PROJECT["readme"]).read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []
    named = set(re.findall(r"^\$ rewardsmith (\w+)", text, flags=re.MULTILINE))
    assert {"demo", "prepare", "train", "score"} <= named
    extras = set(PROJECT["optional-dependencies"]) - {"dev"}
    assert {extra for extra in extras if f"`{extra}`" in text} == extras


def copied():
    """What the Dockerfile copies from the repository."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]


def test_what_the_dockerfile_copies_is_there_and_not_ignored():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied()) == kept
    assert [name for name in copied() if not (ROOT / name).exists()] == []


def test_a_wheel_can_be_built_from_what_the_dockerfile_copies(tmp_path):
    needs_setuptools()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(ROOT / name, tmp_path / name)
    code = "from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel('out'))"
    (tmp_path / "out").mkdir()
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / done.stdout.splitlines()[-1] / "METADATA").is_file()


def test_security_names_pages_and_a_command_that_there_are():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "rewardsmith version --verbose" in text
    assert "@" not in text  # no address is invented
