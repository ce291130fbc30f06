import json

import pytest

from rewardsmith.data.input.hub import HubName, looks_like_hub_name, parse_hub_name, stream
from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError

datasets = pytest.importorskip("datasets")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("owner/name", HubName("owner/name")),
        ("owner/name:preference", HubName("owner/name", "preference")),
        ("owner/name:preference:validation", HubName("owner/name", "preference", "validation")),
        ("owner/name::test_prefs", HubName("owner/name", None, "test_prefs")),
        ("owner/name:a:b:c", None),
        ("name", None),
        ("a/b/c", None),
    ],
)
def test_names_on_the_hub(text, expected):
    assert parse_hub_name(text) == expected


def test_files_and_what_is_on_this_disk_are_no_names_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "here").mkdir()
    assert looks_like_hub_name("owner/name:config:train")
    assert not looks_like_hub_name("data/pairs.jsonl")
    assert not looks_like_hub_name("data/pairs.jsonl:config")
    assert not looks_like_hub_name("data/here")
    assert not looks_like_hub_name("data/here:config")


@pytest.fixture
def local(tmp_path):
    """A folder that `datasets` opens as it opens a repository of the hub."""
    for split in ("train_prefs", "test_prefs"):
        row = {"prompt": split, "chosen": "a", "rejected": "b"}
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        "  - split: train_prefs\n    path: train_prefs.jsonl\n  - split: test_prefs\n    path: test_prefs.jsonl\n---\n"
    )
    return str(tmp_path)


def test_a_split_is_streamed(local):
    (record,) = load(stream(HubName(local, None, "test_prefs"), "told")).records
    assert record.prompt[0].content == "test_prefs"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (("default", "train"), r"train_prefs.*CONFIG:SPLIT \(requested: default and train\)"),
        (("other", "train_prefs"), r"other.*CONFIG:SPLIT \(requested: other and train_prefs\)"),
    ],
)
def test_a_split_or_configuration_that_is_not_there_is_told_with_those_that_are(local, wanted, words):
    with pytest.raises(DataError, match=words) as caught:
        stream(HubName(local, *wanted), "owner/name")
    assert "\n" not in str(caught.value)
