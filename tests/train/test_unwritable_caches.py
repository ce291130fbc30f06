"""A home that cannot be written and a disk of the cache that is full: a run goes on, and says so once."""

import errno
import sqlite3

import pytest
from safetensors import SafetensorError

from rewardsmith.bench import environment
from rewardsmith.commands import train
from rewardsmith.files import places
from rewardsmith.model.frozen import feature_cache, parts
from rewardsmith.scoring import token_cache


class Notes:
    """A progress that remembers what it was told."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def task(self, *arguments, **more):
        from rewardsmith.progress import SILENT

        return SILENT.task(*arguments, **more)


def trained(folder, **settings):
    notes = Notes()
    config = train.Config(
        model="tiny", dataset=("synthetic:90",), output=folder, n_embd=16, threads=1, report=False, **settings
    )
    result = train.run(config, notes)
    return result.summary["train_loss"], notes.notes


def caches_in(place, patch):
    """Let all caches lie in a folder."""
    patch.setattr(places, "models_folder", lambda: place / "models")
    patch.setattr(token_cache, "models_folder", lambda: place / "models")
    patch.setattr(token_cache, "FEWEST", 10)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of the caches."""
    place = tmp_path / "home" / ".cache" / "rewardsmith"
    caches_in(place, monkeypatch)
    return place


FROZEN = {"features": {"freeze_layers": -1}, "states": {"freeze_layers": 1, "n_layer": 2, "epochs": 3}}


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    """The loss of each kind of run whose caches can be written, and that it says nothing of them."""
    folder = tmp_path_factory.mktemp("plain")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        caches_in(folder / "cache", patch)
        for kept, settings in FROZEN.items():
            found[kept], notes = trained(folder / kept, **settings)
            assert not any("not kept" in note or "memory only" in note for note in notes)
        assert list((folder / "cache").rglob("part-*"))
    return found


def unwritable(cache):
    """A file stands where the home should be: nobody can write there, root neither."""
    cache.parents[1].write_text("")


@pytest.mark.parametrize("kept", FROZEN)
def test_a_home_that_cannot_be_written_costs_a_note_for_each_cache(kept, losses, cache, tmp_path):
    unwritable(cache)
    loss, notes = trained(tmp_path / "b", **FROZEN[kept])
    assert loss == pytest.approx(losses[kept], rel=1e-4)
    said = "cached in memory only: " if kept == "features" else "frozen layers are not cached: cannot write"
    assert sum(said in note for note in notes) == 1
    tokens = [note for note in notes if note.startswith("token ids are not cached for the next run: ")]
    assert len(tokens) == 1
    assert "cannot be written" in tokens[0]
    assert not any("\n" in note for note in notes)


@pytest.mark.parametrize("kept", FROZEN)
def test_a_full_disk_of_the_cache_does_not_end_a_run(kept, losses, cache, tmp_path, monkeypatch):
    def full(tensors, path, **more):
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(parts, "save_file", full)
    opened = token_cache.opened

    def small(path):
        file = opened(path)
        file.execute("PRAGMA max_page_count = 3")
        return file

    monkeypatch.setattr(token_cache, "opened", small)
    loss, notes = trained(tmp_path / "b", **FROZEN[kept])
    assert loss == pytest.approx(losses[kept], rel=1e-4)
    assert sum("No space left on device" in note for note in notes) == 1
    assert sum("token ids are not cached" in note and "full" in note for note in notes) == 1
    assert [path.name for path in cache.rglob("*") if "part-" in path.name] == []


def test_a_database_that_cannot_be_closed_well_is_said_once(cache, tmp_path, monkeypatch):
    class Failing(sqlite3.Connection):
        def commit(self):
            raise sqlite3.OperationalError("disk I/O error")

    cache.mkdir(parents=True)
    monkeypatch.setattr(token_cache, "opened", lambda path: sqlite3.connect(path, factory=Failing))
    _, notes = trained(tmp_path / "run")
    assert sum("disk I/O error" in note for note in notes) == 1


def test_a_user_without_a_home_trains_and_is_told(tmp_path, monkeypatch):
    """As in a container that runs with a number for a user: no HOME, and no entry in the list of users."""

    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("REWARDSMITH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(places.Path, "home", nowhere)
    monkeypatch.setattr(token_cache, "FEWEST", 10)
    _, notes = trained(tmp_path / "run", freeze_layers=-1)
    assert sum("cached in memory only: " in note for note in notes) == 1
    assert sum("token ids are not cached" in note for note in notes) == 1
    assert places.expanded("~nobody-of-this-name/x") == places.Path("~nobody-of-this-name/x")
    assert environment.anonymous("null /dev/null") == "null /dev/null"


def test_a_store_on_a_disk_that_became_read_only_is_still_read(tmp_path, monkeypatch):
    import torch

    store = feature_cache.FeatureStore(tmp_path / "store")
    store.add([b"k" * parts.KEY_BYTES], torch.ones(1, 4))

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(feature_cache.os, "utime", read_only)
    monkeypatch.setattr(parts, "write_through", read_only)
    again = feature_cache.FeatureStore(tmp_path / "store")
    assert again.rows([b"k" * parts.KEY_BYTES]).tolist() == [[1.0] * 4]
