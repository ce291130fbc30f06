"""What `--overwrite` may delete: folders of ours that hold nothing else. All on folders made for the test."""

import json
import os
import subprocess
import sys

import pytest

from rewardsmith.errors import OutputError
from rewardsmith.files import check_output, check_output_file, outputs, prepare_output, write_folder
from rewardsmith.files.kinds import DEMO, EVALUATION, KINDS, MODEL, PREPARED, RUN, Kind

MARKERS = {
    RUN: {"rewardsmith": "0.2.0", "contract": "c", "tokens_per_microbatch": 1},
    PREPARED: {"version": "0.2.0", "settings": {}, "inputs": []},
    EVALUATION: {"n": 1, "accuracy": 1.0, "records": 1},
    MODEL: {"contract": {}, "probes": [], "version": 1},
    DEMO: {"prompts": 1, "seed": 0, "rewardsmith": "0.2.0"},
}


def made(folder, kind, **files):
    """A folder of a kind, with more files by their names."""
    folder.mkdir(parents=True)
    (folder / kind.marker).write_text(json.dumps(MARKERS[kind]))
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def listing(folder):
    """All that lies below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", MARKERS, ids=lambda kind: kind.name)
def test_a_folder_of_ours_is_replaced_only_on_demand(kind, tmp_path):
    out = made(tmp_path / "out", kind)
    with pytest.raises(OutputError, match="pass --overwrite"):
        prepare_output(out, kind, overwrite=False)
    prepare_output(out, kind, overwrite=True)
    assert listing(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", MARKERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "foreign", ["thesis.tex", ".git/config", "data/notes.md", "checkpoints/step-00000001/mine.txt", "model/x/y.json"]
)
def test_a_folder_with_a_file_of_somebody_else_is_never_touched(kind, foreign, tmp_path):
    out = made(tmp_path / "out", kind, **{foreign: "years of work"})
    before = listing(out)
    for act in (prepare_output, lambda *args, **named: write_folder(args[0], lambda folder: None, *args[1:], **named)):
        with pytest.raises(OutputError, match=r"did not write \(.*(thesis|config|notes|mine|y\.json)"):
            act(out, kind, overwrite=True)
        assert listing(out) == before
        assert listing(tmp_path) == ["out", *(f"out/{name}" for name in before)]


@pytest.mark.parametrize("kind", MARKERS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("marker", [None, "{}", '{"editor.fontSize": 12}', "not json", "[1, 2]", "5"])
def test_the_name_of_a_marker_alone_proves_nothing(kind, marker, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ("photo.jpg" if marker is None else kind.marker)).write_text(marker or "")
    with pytest.raises(OutputError, match="is not"):
        prepare_output(out, kind, overwrite=True)
    assert len(listing(out)) == 1


def test_one_kind_is_never_taken_for_another(tmp_path):
    for kind in MARKERS:
        for other in MARKERS:
            out = made(tmp_path / f"{kind.marker}-{other.marker}", kind)
            if other != kind:
                with pytest.raises(OutputError):
                    check_output(out, other, overwrite=True)


def test_a_link_stays_and_what_it_leads_to_is_judged(tmp_path):
    real = made(tmp_path / "real", RUN)
    (tmp_path / "link").symlink_to(real)
    prepare_output(tmp_path / "link", RUN, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert listing(real) == []
    (real / "mine").touch()
    with pytest.raises(OutputError, match="is not a run"):
        prepare_output(tmp_path / "link", RUN, overwrite=True)


def test_a_link_inside_is_not_ours_and_never_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "state.json").write_text("{}")
    out = made(tmp_path / "out", RUN)
    (out / "checkpoints").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="checkpoints"):
        prepare_output(out, RUN, overwrite=True)
    assert (tmp_path / "elsewhere" / "state.json").is_file()


def test_guarded_places_are_refused_whatever_they_hold(tmp_path, monkeypatch):
    home = made(tmp_path / "users" / "me", RUN)
    work = made(tmp_path / "work" / "run", RUN)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    assert home.is_relative_to(tmp_path)
    assert work.is_relative_to(tmp_path)
    mount = made(tmp_path / "disk", RUN)
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(mount))
    cases = [
        (home, "the home folder"),
        (home.parent, "a folder above the home folder"),
        (work, "the current folder"),
        (work.parent, "a folder above the current folder"),
        (mount, "a mount point"),
        (tmp_path / "work" / "run" / ".." / "run", "the current folder"),
    ]
    for place, why in cases:
        if not (place / RUN.marker).exists():
            (place / RUN.marker).write_text(json.dumps(MARKERS[RUN]))
        with pytest.raises(OutputError, match=why):
            check_output(place, RUN, overwrite=True)
        with pytest.raises(OutputError, match=why):
            outputs.refuse_place(place)
    with pytest.raises(OutputError, match="the root folder"):
        outputs.refuse_place(tmp_path / ".." / ".." / ".." / ".." / ".." / ".." / "..")


def test_the_empty_current_folder_may_be_written_to_and_stays_itself(tmp_path, monkeypatch):
    for name, act in {
        "prepared": lambda path: prepare_output(path, RUN, overwrite=False),
        "written": lambda path: write_folder(path, lambda folder: (folder / "a").touch(), MODEL, overwrite=False),
    }.items():
        here = tmp_path / name
        here.mkdir()
        monkeypatch.chdir(here)
        before = here.stat().st_ino
        act(here / ".")
        assert here.stat().st_ino == before
        assert listing(here) == (["a"] if name == "written" else [])


def test_a_card_that_a_person_wrote_is_theirs(tmp_path):
    from rewardsmith.pipelines.publish import card

    out = made(tmp_path / "out", RUN, **{"model/README.md": "# My model\n"})
    check_output(out, RUN, overwrite=True)
    with pytest.raises(OutputError, match=r"model/README\.md"):
        check_output(out, RUN, overwrite=True, edited=card.edited)


def test_files_of_the_system_and_of_killed_processes_do_not_stand_in_the_way(tmp_path):
    out = made(tmp_path / "out", RUN, **{".DS_Store": "", "data/.data.json.4194999.tmp": "{"})
    prepare_output(out, RUN, overwrite=True)
    assert listing(out) == []


def test_an_output_file_is_a_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, why in {"pipe": "not a regular file", "folder": "is a folder"}.items():
        for overwrite in (True, False):
            with pytest.raises(OutputError, match=why):
                check_output_file(tmp_path / name, overwrite=overwrite)
    for name in ("file", "dangling"):
        with pytest.raises(OutputError, match="already exists"):
            check_output_file(tmp_path / name, overwrite=False)
        check_output_file(tmp_path / name, overwrite=True)
    with pytest.raises(OutputError, match="not a regular file"):
        check_output_file(os.devnull and tmp_path.joinpath(os.devnull), overwrite=True)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--model", "tiny", "--dataset", "DATA", "--output", "OUT"),
        ("prepare", "DATA", "--output", "OUT"),
        ("evaluate", "DATA", "DATA", "--output", "OUT"),
        ("import", "DATA", "--output", "OUT"),
        ("demo", "--data-only", "--prompts", "20", "--output", "OUT"),
        ("score", "DATA", "DATA", "--output", "OUT"),
        ("bench", "--quick", "--output", "OUT"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_deletes_a_folder_that_is_not_its_own(words, tmp_path):
    """Each in a process of its own, with a made-up home as its output, as somebody types it once in a life."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id").write_text("secret")
    (home / "settings.json").write_text("{}")
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"prompt": "a", "chosen": "b", "rejected": "c"}) + "\n")
    work = tmp_path / "work"
    work.mkdir()
    before = listing(home)
    assert home.is_relative_to(tmp_path)
    command = [str(data) if word == "DATA" else str(home) if word == "OUT" else word for word in words]
    done = subprocess.run(
        [sys.executable, "-m", "rewardsmith", *command, "--overwrite"],
        cwd=work,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") <= 2
    assert "home" in done.stderr
    assert listing(home) == before


def test_every_pattern_is_one_that_matches_itself_alone():
    for kind in KINDS:
        assert isinstance(kind, Kind)
        for pattern in kind.holds.split():
            name = pattern.replace("**", "a/b").replace("*", "7")
            assert kind._pattern.fullmatch(name), (kind.name, pattern)
            assert not kind._pattern.fullmatch(f"{name}/x") or pattern.endswith("**")
