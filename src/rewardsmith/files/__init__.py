"""Files and folders that a crash leaves whole: written atomically, hashed, never replaced unasked.

Values go in, whole files come out. Begin with `atomic` (one file), then `folders` (a folder at once), `kinds` and
`outputs` (what a command may replace), `claims` and `leftovers` (two processes, dead processes).
"""

from rewardsmith.files.atomic import (
    explained,
    free_space,
    sync,
    write_bytes,
    write_json,
    write_jsonl,
    write_lines,
    write_text,
    write_through,
)
from rewardsmith.files.claims import claimed
from rewardsmith.files.folders import write_folder
from rewardsmith.files.hashes import hash_text, sha256, xxh3
from rewardsmith.files.outputs import check_output, check_output_file, prepare_output, refuse_inside
from rewardsmith.files.parquet import write_rows

__all__ = [
    "check_output",
    "check_output_file",
    "claimed",
    "explained",
    "free_space",
    "hash_text",
    "prepare_output",
    "refuse_inside",
    "sha256",
    "sync",
    "write_bytes",
    "write_folder",
    "write_json",
    "write_jsonl",
    "write_lines",
    "write_rows",
    "write_text",
    "write_through",
    "xxh3",
]
