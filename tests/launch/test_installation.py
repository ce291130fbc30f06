"""The command that adds an extra, for every way to install a package."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from rewardsmith.launch import installation
from rewardsmith.launch.installation import CODE, checkout_of, install_command, installed, installer, requirement

ROOT = Path(__file__).parents[2]
REQUIRES = ("torch", 'peft>=0.18; extra == "lora"', 'rewardsmith[lora]; extra == "qlora"', "bits>=1; extra == 'qlora'")


def origin(folder, url) -> Distribution:
    """A package as installed from `url`, the content of direct_url.json; from an index where it is None."""
    info = folder / "rewardsmith-1.0.dist-info"
    info.mkdir(parents=True)
    lines = [
        "Metadata-Version: 2.1",
        "Name: rewardsmith",
        "Version: 1.0",
        "Provides-Extra: lora",
        "Provides-Extra: qlora",
    ]
    info.joinpath("METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in REQUIRES)]) + "\n\n")
    if url is not None:
        info.joinpath("direct_url.json").write_text(url if isinstance(url, str) else json.dumps(url))
    return PathDistribution(info)


def words(extra, folder, url, checkout=None):
    """The words behind `pip install`."""
    return requirement(extra, checkout, origin(folder / "site", url))


def test_from_an_index_it_is_the_name(tmp_path):
    assert requirement("lora", None, origin(tmp_path, None)) == ["rewardsmith[lora]"]
    assert requirement("lora", None, None) == ["rewardsmith[lora]"]


@pytest.mark.parametrize("damaged", ["{", "[]", '{"url": 3}'])
def test_a_damaged_record_counts_as_none(tmp_path, damaged):
    assert words("lora", tmp_path, damaged) == ["rewardsmith[lora]"]


@pytest.mark.parametrize("name", ["project", "with space", "it's", "中文"])
def test_from_a_folder_it_is_that_folder_editable_where_it_was(tmp_path, name, monkeypatch):
    place = tmp_path / name
    place.mkdir()
    url = {"url": place.as_uri(), "dir_info": {}}
    assert words("lora", tmp_path / "a", url) == [f"{place}[lora]"]
    assert words("lora", tmp_path / "b", url | {"dir_info": {"editable": True}}) == ["-e", f"{place}[lora]"]
    monkeypatch.chdir(place)
    assert words("lora", tmp_path / "c", url) == [".[lora]"]


def test_where_the_folder_is_gone_the_packages_themselves_are_named(tmp_path):
    url = {"url": (tmp_path / "gone").as_uri(), "dir_info": {}}
    assert words("lora", tmp_path / "a", url) == ["peft>=0.18"]
    assert words("qlora", tmp_path / "b", url) == ["peft>=0.18", "bits>=1"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            {"url": "https://example.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
            "git+https://example.org/r.git@ab12",
        ),
        (
            {"url": "https://example.org/r", "vcs_info": {"vcs": "hg", "commit_id": "ab12"}, "subdirectory": "py"},
            "hg+https://example.org/r@ab12#subdirectory=py",
        ),
        (
            {"url": "https://example.org/r-1.0-py3-none-any.whl", "archive_info": {"hash": "sha256=00"}},
            "https://example.org/r-1.0-py3-none-any.whl",
        ),
    ],
)  # fmt: skip
def test_from_elsewhere_it_is_that_address_at_that_commit(tmp_path, url, address):
    (word,) = words("lora", tmp_path, url)
    read = Requirement(word)  # as pip reads it
    assert (read.name, read.extras, read.url) == ("rewardsmith", {"lora"}, address)


def test_this_code_runs_from_a_checkout_and_that_is_named(monkeypatch):
    assert checkout_of(CODE) == ROOT
    monkeypatch.chdir(ROOT)
    assert install_command("lora").endswith("pip install -e '.[lora]'")
    monkeypatch.chdir("/")
    assert shlex.split(install_command("lora"))[-2:] == ["-e", f"{ROOT}[lora]"]


def test_a_copy_elsewhere_is_no_checkout(tmp_path):
    code = tmp_path / "src" / "rewardsmith"
    code.mkdir(parents=True)
    assert checkout_of(code) is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert checkout_of(code) is None
    (tmp_path / "pyproject.toml").write_text("not toml")
    assert checkout_of(code) is None


def test_pip_is_that_of_the_python_that_runs(tmp_path, monkeypatch):
    beside = Path(sys.executable).parent
    monkeypatch.setattr(shutil, "which", lambda name: str(beside / name) if name == "pip" else None)
    assert installer() == ["pip", "install"]
    monkeypatch.setattr(shutil, "which", lambda name: "/elsewhere/bin/pip" if name == "pip" else None)
    assert installer() == [sys.executable, "-m", "pip", "install"]
    monkeypatch.setattr(installation, "find_spec", lambda name: None)  # an environment made by uv
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/uv" if name == "uv" else None)
    assert installer() == ["uv", "pip", "install", "--python", sys.executable]


def test_every_extra_that_the_metadata_has_is_resolved():
    asked = installed()
    if asked is None:
        pytest.skip("the package is not installed")
    for extra in ("lora", "qlora", "hub", "models", "ray", "deepspeed", "tensorboard", "mlflow"):
        found = [Requirement(each).name for each in installation.packages_of(extra, asked)]
        assert found, extra
        assert "rewardsmith" not in found


def test_pip_takes_the_command_for_a_wheel(tmp_path):
    wheel = tmp_path / "rewardsmith-1.0-py3-none-any.whl"
    info = "rewardsmith-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: rewardsmith\nVersion: 1.0\nProvides-Extra: lora\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    url = {"url": wheel.as_uri(), "archive_info": {"hash": "sha256=00"}}
    (word,) = words("lora", tmp_path, url)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--dry-run",
        "--no-index",
        "--no-deps",
    ]
    target = ["--target", str(tmp_path / "target")]
    done = subprocess.run([*pip, *target, word], capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert "Would install rewardsmith-1.0" in done.stdout
    assert "does not provide the extra" not in done.stderr
