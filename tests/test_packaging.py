"""What is installed: wheel and sdist are whole, run on their own, and say the truth about themselves."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_string
from hashlib import sha256
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from builders import needs_setuptools
from rewardsmith.version import VERSION

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    needs_setuptools()
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(ROOT / "scripts" / "make-dist"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_wheel_and_sdist_are_whole_and_the_wheel_runs_on_its_own(built):
    assert {path.name for path in built.iterdir()} == {
        f"rewardsmith-{VERSION}.tar.gz",
        f"rewardsmith-{VERSION}-py3-none-any.whl",
    }


def test_the_wheel_brings_types_and_templates_and_neither_tests_nor_results(built):
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert {"rewardsmith/py.typed", "rewardsmith/__init__.pyi", "rewardsmith/report/templates/base.html"} <= set(names)
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"rewardsmith", f"rewardsmith-{VERSION}.dist-info"}


def test_the_metadata_is_that_of_the_project(built):
    archive = zipfile.ZipFile(next(built.glob("*.whl")))
    text = archive.read(f"rewardsmith-{VERSION}.dist-info/METADATA").decode()
    metadata = message_from_string(text)
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_all("Project-URL") is None  # there is no address yet, so none is told


def make_dist_module():
    """The script, as a module."""
    loader = SourceFileLoader("make_dist", str(ROOT / "scripts" / "make-dist"))
    module = module_from_spec(spec_from_loader("make_dist", loader))
    loader.exec_module(module)
    return module


def test_two_builds_give_the_same_wheel(built, tmp_path):
    """The first was made from the unpacked sdist, this one from the sources; both are the same bytes."""
    make_dist = make_dist_module()
    again = make_dist.build("wheel", make_dist.copy_of_sources(tmp_path / "sources"), tmp_path / "out")
    first, second = (sha256(path.read_bytes()).hexdigest() for path in (next(built.glob("*.whl")), again))
    assert first == second


def test_an_archive_that_lacks_a_file_or_has_one_too_many_is_refused(tmp_path):
    make_dist = make_dist_module()
    whole = make_dist.package_files()
    license_file = f"rewardsmith-{VERSION}.dist-info/licenses/LICENSE"
    for name, files, expected in (
        ("whole", {*whole, license_file}, None),
        ("poor", {*whole, license_file} - {"rewardsmith/py.typed"}, r"lacks \['rewardsmith/py.typed'\]"),
        ("rich", {*whole, license_file, "tests/builders.py"}, r"holds \['tests/builders.py'\]"),
        ("free", whole, "no license"),
    ):
        path = tmp_path / f"{name}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.writestr(file, "")
        if expected is None:
            make_dist.check_wheel(path)
        else:
            with pytest.raises(SystemExit, match=expected):
                make_dist.check_wheel(path)


def imported():
    """The packages that the code imports, with the place of one import."""
    found = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                found.setdefault(name.partition(".")[0], path.name)
    return {name: place for name, place in found.items() if name not in sys.stdlib_module_names | {"rewardsmith"}}


def test_every_library_that_is_imported_is_asked_for():
    distribution = {
        "sklearn": "scikit-learn",
        "yaml": "pyyaml",
        "mlflow": "mlflow-skinny",
        "math_verify": "math-verify",
    }
    optional = [line for name, extra in PROJECT["optional-dependencies"].items() if name != "dev" for line in extra]
    asked = {re.match(r"[\w.-]+", line)[0].lower() for line in [*PROJECT["dependencies"], *optional]}
    absent = {name: place for name, place in imported().items() if distribution.get(name, name).lower() not in asked}
    assert absent == {}


def test_every_requirement_has_a_lower_bound():
    extras = [line for name, extra in PROJECT["optional-dependencies"].items() if name != "dev" for line in extra]
    assert [line for line in [*PROJECT["dependencies"], *extras] if not re.search(r">=\d|\[", line)] == []


def commands_of(target):
    """What make would do for a target on a fresh checkout, line by line."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_make_demo_installs_the_package_alone_and_make_test_what_development_needs():
    (installing,) = [line for line in commands_of("demo") if "pip" in line]
    assert installing.endswith("install -q -c constraints.txt -e .")
    assert any(line.endswith("-e '.[dev]'") for line in commands_of("test"))


def test_make_demo_can_be_run_again():
    assert commands_of("demo")[-1].split()[:3] == [".venv/bin/rewardsmith", "demo", "--overwrite"]


WITHOUT_EXTRAS = """
import json, sys
from importlib.machinery import PathFinder

find, absent = PathFinder.find_spec, set(json.loads(sys.argv[1]))


def without_extras(name, *rest):
    return None if name.partition(".")[0] in absent else find(name, *rest)

PathFinder.find_spec = staticmethod(without_extras)
from rewardsmith import cli
for more in (["--data-only"], []):  # the second replaces what the first has written
    code = cli.main(["demo", "--overwrite", "--prompts", "150", "-o", sys.argv[2], *more])
print(code, sorted(absent & set(sys.modules)))
"""


def test_the_demo_needs_no_extra(tmp_path):
    modules = {"mlflow-skinny": "mlflow"}
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    names = {re.match(r"[\w.-]+", line)[0] for line in extras} - {"rewardsmith", "setuptools"}
    absent = json.dumps(sorted(modules.get(name, name).replace("-", "_").lower() for name in names))
    command = [sys.executable, "-c", WITHOUT_EXTRAS, absent, str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "0 []"
