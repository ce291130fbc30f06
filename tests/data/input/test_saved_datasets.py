"""Arrow files, and folders as `datasets` saves them; made by that library where it is there."""

import json

import pyarrow as pa
import pytest

from rewardsmith.data.loading.load import load
from rewardsmith.errors import DataError

ROWS = [{"prompt": f"p{n}", "chosen": "a", "rejected": "b"} for n in range(5)]


def write(path, rows=ROWS, size=2):
    table = pa.Table.from_pylist(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=size)


def saved(folder, rows=ROWS, shards=1, **state):
    """A folder as `save_to_disk` writes it."""
    names = [f"data-{n:05}-of-{shards:05}.arrow" for n in range(shards)]
    for number, name in enumerate(names):
        write(folder / name, rows[number::shards])
    content = {"_data_files": [{"filename": name} for name in names], "_split": None} | state
    (folder / "state.json").write_text(json.dumps(content))
    (folder / "dataset_info.json").write_text(json.dumps({"prompt": "not a row", "chosen": "x", "rejected": "y"}))
    return folder


def prompts(source):
    return [record.prompt[0].content for record in load(str(source)).records]


def test_saved_data_sets_and_their_splits_are_rows_and_their_metadata_none(tmp_path):
    assert prompts(saved(tmp_path / "one")) == [row["prompt"] for row in ROWS]
    assert prompts(saved(tmp_path / "shards", shards=2)) == ["p0", "p2", "p4", "p1", "p3"]
    both = tmp_path / "both"
    saved(both / "train", ROWS[:3])
    saved(both / "test", ROWS[3:])
    (both / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    (both / "train" / "cache-1.arrow").write_bytes(b"left there")
    assert prompts(both) == [row["prompt"] for row in ROWS]
    assert prompts(both / "test") == ["p3", "p4"]
    assert load(str(tmp_path)).rows == 15


def test_what_datasets_itself_saves_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": whole, "test": whole.select([1, 3])}).save_to_disk(tmp_path / "d")
    assert prompts(tmp_path / "d") == [*(row["prompt"] for row in ROWS), "p1", "p3"]


def test_a_file_with_a_footer_is_read_and_a_cut_one_up_to_the_break(tmp_path):
    table = pa.Table.from_pylist(ROWS)
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, table.schema) as whole:
        whole.write_table(table)
    assert prompts(tmp_path / "a.arrow") == [row["prompt"] for row in ROWS]
    write(tmp_path / "b.arrow", ROWS * 200, size=250)
    content = (tmp_path / "b.arrow").read_bytes()
    (tmp_path / "b.arrow").write_bytes(content[: len(content) // 2])
    loaded = load(tmp_path / "b.arrow")
    (lost,) = loaded.quarantined
    assert (lost.line, lost.code) == (len(loaded.records) + 1, "damaged_arrow")
    assert len(loaded.records) in (250, 500)
    (tmp_path / "c.arrow").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read as Arrow"):
        load(tmp_path / "c.arrow")


BROKEN = [
    {"_data_files": [{"filename": "gone.arrow"}]},
    {"_data_files": [{"filename": "../a.arrow"}]},
    {"_data_files": 5},
    {"_indices_data_files": [{"filename": "indices.arrow"}]},
]


@pytest.mark.parametrize("state", BROKEN)
def test_a_folder_whose_files_are_not_there_is_refused_in_one_line(state, tmp_path):
    with pytest.raises(DataError) as caught:
        load(str(saved(tmp_path / "one", **state)))
    assert "\n" not in str(caught.value)
