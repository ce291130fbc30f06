"""Uploading: the real client against a hub on this machine, and what is said where no hub takes it."""

import json
import os
import re
import subprocess
import sys

import pytest

from builders import tiny
from hub_server import TOKEN, running
from rewardsmith.commands import push
from rewardsmith.errors import ModelError, OutputError, UsageError

OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("push") / "run"
    tiny().save(folder / "model")
    (folder / "model" / ".cache").mkdir()
    (folder / "model" / ".cache" / "secret").write_text("stays here")
    (folder / "report.html").write_text("<p>a text of the data</p>")
    return folder


def rewardsmith(*words, address, home, token=TOKEN):
    """Run the program as a user does, with the hub at `address`; the constants of the client are read at its start."""
    environment = {name: value for name, value in os.environ.items() if name not in OFFLINE}
    environment |= {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    if token:
        environment["HF_TOKEN"] = token
    return subprocess.run(
        [sys.executable, "-m", "rewardsmith", *map(str, words)],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip


def told(done):
    """The one error line of a program that ended with 1."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    return lines[0]


def test_a_model_arrives_whole_and_private_with_a_card_that_names_its_place(saved, tmp_path):
    with running() as hub:
        done = rewardsmith("push", saved, "org/first", "--json", address=hub.address, home=tmp_path)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        arrived = hub.files["org/first"]
        assert hub.private == {"org/first": True}
    here = {path.name: path.read_bytes() for path in (saved / "model").iterdir() if path.is_file()}
    assert set(arrived) == set(here) == set(result["files"])
    card = arrived.pop("README.md").decode()
    assert 'MODEL = "org/first"' in card
    assert card.replace('MODEL = "org/first"', 'MODEL = "."  # this folder, or its name on the hub') == (
        here.pop("README.md").decode()
    )
    assert arrived == here
    assert result["url"].endswith("/org/first")
    assert TOKEN not in done.stdout + done.stderr


def test_a_public_repository_is_not_filled_without_a_word_and_the_report_goes_along_when_asked_for(saved, tmp_path):
    with running() as hub:
        hub.private["org/open"], hub.files["org/open"] = False, {}
        line = told(rewardsmith("push", saved, "org/open", address=hub.address, home=tmp_path))
        assert "already exists and is public; pass --public" in line
        assert hub.files["org/open"] == {}
        done = rewardsmith("push", saved, "org/open", "--public", "--report", address=hub.address, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert hub.files["org/open"]["report.html"] == b"<p>a text of the data</p>"  # only where it was asked for


@pytest.mark.parametrize(
    ("name", "token", "expected"),
    [
        ("org/a", "hf_wrong", "rejected the token (401)"),
        ("other/a", TOKEN, "the Hub denied access (403: no right to create there)"),
        ("org/a", None, "no Hub access token is set; set HF_TOKEN or run `hf auth login`"),
    ],
)
def test_a_hub_that_refuses_is_told_in_one_line(saved, tmp_path, name, token, expected):
    with running() as hub:
        line = told(rewardsmith("push", saved, name, address=hub.address, home=tmp_path, token=token))
    assert expected in line
    assert f"rewardsmith push {saved} {name}" in line


def test_a_hub_that_is_full_is_told_in_one_line_and_commits_nothing(saved, tmp_path):
    with running(full=True) as hub:
        assert "storage limit reached" in told(rewardsmith("push", saved, "org/a", address=hub.address, home=tmp_path))
        assert hub.files["org/a"] == {}


def test_training_ends_with_the_upload_and_a_lost_hub_loses_nothing(tmp_path):
    words = [
        "train",
        "--model",
        "tiny",
        "--dataset",
        "synthetic:80",
        "--n-embd",
        "16",
        "--n-layer",
        "1",
        "--threads",
        "1",
    ]
    words += ["--no-report", "--push-to-hub", "org/trained"]
    with running() as hub:
        done = rewardsmith(*words, "-o", tmp_path / "a", "--json", address=hub.address, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["hub"] == f"{hub.address}/org/trained"
        assert {"model.safetensors", "reward.json", "README.md"} <= set(hub.files["org/trained"])
        address = hub.address
    done = rewardsmith(
        *words, "-o", tmp_path / "b", "--json", address=address, home=tmp_path
    )  # nobody listens any more
    line = told(done)
    assert f"the run is complete and saved in {tmp_path / 'b'}, but" in line
    assert "cannot be reached" in line
    assert re.search(r"rewardsmith push \S+ org/trained", line)
    assert json.loads(done.stdout)["error"]["type"] == "OutputError"
    names = {path.name for path in (tmp_path / "b" / "model").iterdir()}
    assert {"model.safetensors", "reward.json", "README.md"} <= names
    assert json.loads((tmp_path / "b" / "train.json").read_text())["steps"] > 0


def test_offline_mode_is_named(saved):
    with pytest.raises(OutputError, match=r"HF_HUB_OFFLINE|no Hub access token"):
        push.run(push.Config(model=saved, name="org/a"))


def test_what_is_no_model_is_not_uploaded(tmp_path):
    with pytest.raises(ModelError, match=r"no reward\.json"):
        push.run(push.Config(model=tmp_path, name="org/a"))


@pytest.mark.parametrize("name", ["a", "a/b/c", "a/", "/b", "a/b c", "a/..", "a/b.git", "甲/乙", "a/b\n"])
def test_a_name_that_is_none_on_the_hub_is_refused(name):
    with pytest.raises(UsageError, match="expected ORG/NAME"):
        push.Config(model="x", name=name)
