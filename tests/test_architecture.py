"""The shape of the project: import direction, sizes, names, and what the package never does."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import code_shape
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
MOST_COMPLEX = 12
USUALLY_AT_MOST, EXCEPTIONS = 10, 15
MOST_MODULES = 12
ONE_FILE_A_THING = {"commands", "losses", "protocols", "benchmarks", "formats"}
"""Folders that hold one file for each thing of a kind, however many there are."""


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


def test_functions_stay_simple():
    """Cyclomatic complexity with boolean operators, ternaries and comprehensions, as radon counts it."""
    counted = [
        (code_shape.complexity(function), f"{path.relative_to(PACKAGE)}: {function.name}")
        for path in FILES
        for function in code_shape.functions_of(path.read_text(encoding="utf-8"))
    ]
    assert len(counted) > 2000
    assert [place for number, place in sorted(counted, reverse=True) if number > MOST_COMPLEX] == []
    exceptions = [place for number, place in counted if number > USUALLY_AT_MOST]
    assert len(exceptions) <= EXCEPTIONS, exceptions


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", 1),
        ("if a: b()\nelif c: d()\nelse: e()", 3),
        ("for x in y: pass\nelse: z()", 3),
        ("while a and b and c: pass", 4),
        ("with a: pass", 1),
        ("try: a()\nexcept B: c()\nexcept D: e()\nelse: f()\nfinally: g()", 4),
        ("assert a and b", 2),  # what is asserted is not looked into
        ("return [x for x in y if x if z] if a else b", 5),
        ("match a:\n  case 1: b()\n  case 2: c()\n  case _: d()", 3),
        ("return sorted(a, key=lambda x: x if x else y)", 2),
        ("def inner():\n  if a: b()\nreturn inner", 1),
        ("class Inner:\n  def method(self): return a or b", 1),
    ],
)
def test_complexity_counts_each_branch_as_radon_does(body, expected):
    lines = "\n".join(f"  {line}" for line in body.split("\n"))
    function = next(code_shape.functions_of(f"def outer():\n{lines}\n"))
    assert code_shape.complexity(function) == expected


def test_no_modules_import_each_other_in_a_circle():
    """Imports in functions and those for types only count as well: a circle is one, whenever it is gone around."""
    graph = code_shape.import_graph(PACKAGE)
    assert sum(map(len, graph.values())) > 1000
    assert code_shape.import_circle(graph) == []


@pytest.mark.parametrize(
    "last",
    [
        "from made_up import first",
        "import made_up.first",
        "from made_up.first import thing",
        "from . import first",
        "from .first import thing",
        "def lazy():\n    from made_up.first import thing",
        "if TYPE_CHECKING:\n    from made_up import first",
    ],
)
def test_a_circle_of_imports_is_found(tmp_path, last):
    package = tmp_path / "made_up"
    (package / "folder").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "folder" / "__init__.py").write_text("from made_up.last import thing")
    (package / "first.py").write_text("from made_up import folder")
    (package / "last.py").write_text("import made_up.nothing")
    assert code_shape.import_circle(code_shape.import_graph(package)) == []
    (package / "last.py").write_text(last)
    circle = code_shape.import_circle(code_shape.import_graph(package))
    assert set(circle) == {"made_up.first", "made_up.folder", "made_up.last"}


def test_no_folder_holds_more_modules_than_one_looks_through():
    folders = {path.parent for path in FILES if path.parent.name not in ONE_FILE_A_THING}
    counts = {folder: sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    assert {str(folder.relative_to(PACKAGE)): n for folder, n in counts.items() if n > MOST_MODULES} == {}


def test_a_type_has_one_meaning():
    """Config and Result are those of the command in whose module, or whose folder of pipelines, they stand.

    Two commands stand in manual: what they print is made from the table of all commands.
    """
    names = code_shape.type_names(PACKAGE)
    assert len(names) > 300
    for name in ("Config", "Result"):
        assert {place.split("/")[0] for place in names.pop(name)} <= {"commands", "pipelines", "manual"}
    assert {name: places for name, places in names.items() if len(places) > 1} == {}


def test_a_type_with_two_meanings_is_found(tmp_path):
    (tmp_path / "one.py").write_text("class Row: pass\nclass _Own: pass\nLIMIT = 3\nT = TypeVar('T')")
    (tmp_path / "two.py").write_text("Row = tuple[int, str]\nclass _Own: pass\nLIMIT = 4\nT = TypeVar('T')")
    assert code_shape.type_names(tmp_path) == {"Row": ["one.py", "two.py"]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_runs_code_that_came_as_data(path):
    found = set(offences(path.read_text(encoding="utf-8")))
    assert found <= ({"exec"} if path.parent == PACKAGE / "verifiable" / "code" / "inside" else set())


def test_what_runs_programs_is_imported_in_sandboxes_only():
    side = re.compile(r"inside(\.| import .*)(program_side|tests_side|peer)")
    outside = [path for path in FILES if path.parent != PACKAGE / "verifiable" / "code" / "inside"]
    lines = [line for path in outside for line in path.read_text(encoding="utf-8").splitlines() if side.search(line)]
    assert [line for line in lines if "\\n" not in line] == []


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
    allowed = {PACKAGE / "cli.py", PACKAGE / "terminal" / "streams.py"}
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


def test_no_two_files_of_tests_have_one_name():
    """pytest imports them by name: of two that share one it collects the first alone, and only where both are asked for."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []
