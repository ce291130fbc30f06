"""The shape of the project: import direction, sizes, names, and what the package never does."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rewardsmith.version import VERSION

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "rewardsmith"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base", "core", "shared"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 45


def dotted(node):
    """`a.b.c` for a name or an attribute of names, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (above := dotted(node.value)):
        return f"{above}.{node.attr}"
    return ""


def offences(source):
    """What a module does that it must not: imports and calls that run code from data, and shell=True."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            yield node.module
        if isinstance(node, ast.Call):
            if dotted(node.func) in FORBIDDEN_CALLS:
                yield dotted(node.func)
            yield from (
                keyword.arg
                for keyword in node.keywords
                if keyword.arg in ("shell", "allow_pickle") and getattr(keyword.value, "value", True)
            )


def test_imports_point_one_way():
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_functions_stay_short(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name: f.end_lineno - f.lineno + 1 for f in functions if f.end_lineno - f.lineno >= LONGEST_FUNCTION}
    assert long == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_runs_code_that_came_as_data(path):
    assert list(offences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import pickle", ["pickle"]),
        ("from joblib import load", ["joblib"]),
        ("torch.load(p)", ["torch.load"]),
        ("yaml.load(t, Loader=x)", ["yaml.load"]),
        ("eval('1')", ["eval"]),
        ("model.eval()", []),
        ("np.load(p, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(p, allow_pickle=False)", []),
        ("run(c, shell=True)", ["shell"]),
    ],
)
def test_the_check_above_finds_what_it_is_for(source, expected):
    assert list(offences(source)) == expected


def test_every_module_is_named_after_what_it_does():
    names = {part for path in FILES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert names & FORBIDDEN_NAMES == set()


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in FILES}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_commands_do_not_import_the_command_line():
    for path in (PACKAGE / "commands").glob("*.py"):
        assert not re.search(r"rewardsmith(\.| import )(cli|terminal)\b", path.read_text(encoding="utf-8")), path


def test_only_the_command_line_writes_to_the_screen():
    allowed = {PACKAGE / "cli.py", PACKAGE / "terminal.py"}
    for path in set(FILES) - allowed:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not calls & {"print", "sys.stdout.write", "sys.stderr.write"}, path


def test_the_version_is_the_top_of_the_changelog():
    entries = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert entries[0] == VERSION


def test_the_pinned_versions_are_those_of_the_project():
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE))
    assert "torch" in pinned
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf'"{name}>=', project) for name in pinned)


def test_the_architecture_page_names_every_layer():
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    layers = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    missing = {layer for layer in layers - {"__pycache__", "py.typed", "__init__"} if f"`{layer}" not in page}
    assert missing == set()
