"""A folder's manifest: every kind of damage is named, and what is written is on the disk before it has its name."""

import os
import random
import sys

import orjson
import pytest

from damage import cut_off, flip_bit, inside, trial, zero_page
from rewardsmith.files import write_folder
from rewardsmith.files.kinds import CHECKPOINT
from rewardsmith.files.manifest import MANIFEST, Fault, faults_of, listed, own_entry, read_manifest, seal


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "sealed"
    (place / "below").mkdir(parents=True)
    (place / "a.json").write_text('{"temperature": 1.25}')
    (place / "below" / "weights.safetensors").write_bytes(random.Random(0).randbytes(20_000))
    (place / "empty.jsonl").write_bytes(b"")
    seal(place)
    return place


def test_a_whole_folder_has_no_faults_and_its_manifest_lists_sizes_and_hashes(folder):
    import xxhash

    assert faults_of(folder) == []
    entries = orjson.loads((folder / MANIFEST).read_bytes())
    assert sorted(entries) == ["a.json", "below/weights.safetensors", "empty.jsonl", MANIFEST]
    data = (folder / "below" / "weights.safetensors").read_bytes()
    assert entries["below/weights.safetensors"] == {"bytes": 20_000, "xxh3_128": xxhash.xxh3_128_hexdigest(data)}


def test_every_damage_is_found_in_every_file_the_manifest_included(folder, tmp_path):
    report = trial(folder, root=tmp_path, refuses=lambda: bool(faults_of(folder)), flips=150, cuts=30, pages=30, seed=1)
    assert report.tried == {"flip_bit": 150, "cut_off": 30, "zero_page": 30, "missing": 3}
    assert report.missed == []


def test_each_fault_names_the_file_and_what_it_is(folder):
    def only():
        (fault,) = faults_of(folder)
        return fault

    (folder / "a.json").write_text('{"temperature": 1.26}')
    assert only() == Fault("a.json", "changed since it was written")
    (folder / "a.json").write_text("{}")
    assert only() == Fault("a.json", "2 bytes, expected 21")
    (folder / "a.json").unlink()
    assert only() == Fault("a.json", "no such file")
    (folder / "a.json").write_text('{"temperature": 1.25}')
    (folder / "more.bin").write_bytes(b"x")
    assert only() == Fault("more.bin", "added after manifest.json was written")
    assert faults_of(folder, counts=lambda name: False) == []
    (folder / "more.bin").unlink()
    assert faults_of(folder, needed=("a.json", "b.json")) == [Fault("b.json", "not listed in manifest.json")]
    (folder / MANIFEST).unlink()
    assert only() == Fault(MANIFEST, "no such file")


def leading_to(name):
    """A manifest in order, with one entry of that name."""
    entries = {name: {"bytes": 0, "xxh3_128": ""}}
    return orjson.dumps({**entries, MANIFEST: own_entry(entries)})


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[1]", b'{"a.json": 5}', b"[" * 10**6),
        *map(leading_to, ("../a.json", "/dev/zero", "below/../../a.json", "")),
    ],
)
def test_what_is_no_manifest_of_this_folder_is_said_so_and_no_way_leads_out_of_it(folder, content):
    (folder / MANIFEST).write_bytes(content)
    assert faults_of(folder) == [Fault(MANIFEST, "cannot be read as a manifest")]


def test_damage_to_the_manifest_is_not_taken_for_damage_to_a_file(folder):
    whole = (folder / MANIFEST).read_bytes()
    for at in range(0, len(whole), 7):
        (folder / MANIFEST).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert [fault.file for fault in faults_of(folder)] == [MANIFEST], at


def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder):
    (folder / "a.json").unlink()
    os.mkfifo(folder / "a.json")
    assert faults_of(folder) == [Fault("a.json", "no such file")]


def test_many_faults_are_counted_in_one_line():
    faults = [Fault(f"{k}.json", "no such file") for k in range(5)]
    assert listed(faults) == "0.json: no such file; 1.json: no such file; 2.json: no such file; 2 more files"


def test_damage_is_done_below_the_named_folder_only(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out.txt").write_text("mine")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out.txt")
    for path, root in ((tmp_path / "out.txt", tmp_path / "in"), (tmp_path / "in" / "link", tmp_path / "in")):
        for harm in (flip_bit, cut_off, zero_page):
            with pytest.raises(AssertionError):
                harm(path, root=root, rng=random.Random(0))
    with pytest.raises(AssertionError):
        inside(tmp_path / "out.txt", tmp_path.parents[-1])
    assert (tmp_path / "out.txt").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/fd")
def test_files_are_on_the_disk_before_the_folder_has_its_name_and_the_name_before_the_call_ends(tmp_path, monkeypatch):
    seen = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor):
        seen.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def renamed(source, target, **others):
        seen.append(("rename", os.fspath(source), os.fspath(target)))
        rename(source, target, **others)

    def fill(place):
        (place / "weights.safetensors").write_bytes(bytes(5000))
        (place / "state.json").write_text("{}")
        seal(place)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write_folder(tmp_path / "step-1", fill, CHECKPOINT, overwrite=False)
    ((at, (_, temporary, _)),) = [
        (k, call) for k, call in enumerate(seen) if call[0] == "rename" and call[2] == str(tmp_path / "step-1")
    ]
    for name in ("weights.safetensors", "state.json", MANIFEST):
        assert ("fsync", f"{temporary}/{name}") in seen[:at], name
    assert ("fsync", temporary) in seen[:at]
    assert ("fsync", str(tmp_path)) in seen[at:]
    assert read_manifest(tmp_path / "step-1").keys() == {"weights.safetensors", "state.json"}
