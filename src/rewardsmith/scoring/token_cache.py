"""Token ids of records, tokenized or read back by a hash of their content: a second run on the same data starts at once.

One SQLite file beside the installed models; a key holds everything that decides the ids (contract, tokenizer, content), so
nothing in it ever becomes wrong. A file that is damaged, locked or too large is passed over or begun again.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import orjson

from rewardsmith.errors import ContractError
from rewardsmith.files.places import models_folder
from rewardsmith.progress import SILENT
from rewardsmith.records import Record
from rewardsmith.scoring.tokens import Encoded, Encoder
from rewardsmith.scoring.truncation import Cuts
from rewardsmith.version import VERSION

FEWEST = 5000  # records from which on tokenizing takes long enough to be remembered
LARGEST = 4 * 10**9  # bytes; a file beyond is begun again
MAGIC = b"SQLite format 3\0"
CHECK_BYTES = 8
WRITTEN = 1000  # records between two commits
FORM = 2  # of what `pack` writes


def encode_records(
    records: Sequence[Record], encoder: Encoder, *, note: Callable[[str], None] = SILENT.note
) -> Generator[Encoded | ContractError, None, None]:
    """The token ids of every record, in order, or why it cannot be encoded.

    `note` gets a sentence where the token ids cannot be kept for the next run.
    """
    with remembering(encoder, len(records), note) as store:
        for record in records:
            found = store.find(record) if store else None
            yield encode_record(record, encoder, store) if found is None else found


def encode_record(record: Record, encoder: Encoder, store: "TokenStore | None") -> Encoded | ContractError:
    """Tokenize a record that the store does not hold, and keep its token ids there."""
    try:
        encoded = encoder.encode(record)
    except ContractError as error:
        return error
    if store:
        store.keep(record, encoded)
    return encoded


class TokenStore:
    """What is remembered of one encoder's work; records that cannot be encoded are tried again each time."""

    def __init__(self, encoder: Encoder, file: sqlite3.Connection) -> None:
        self.file = file
        self.common = common_hash(encoder)
        self.waiting = 0
        self.problem: str | None = None
        file.execute("CREATE TABLE IF NOT EXISTS encoded (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def key(self, record: Record) -> bytes:
        """A hash of all that decides the record's ids."""
        return hashlib.blake2b(self.common + record.id.encode(), digest_size=20).digest()

    def find(self, record: Record) -> Encoded | None:
        """What was remembered; None where nothing was, or it cannot be read."""
        with contextlib.suppress(sqlite3.Error, orjson.JSONDecodeError, KeyError, ValueError):
            found = self.file.execute("SELECT value FROM encoded WHERE key = ?", (self.key(record),)).fetchone()
            if found is not None and found[0][:CHECK_BYTES] == check_of(found[0][CHECK_BYTES:]):
                return unpack(found[0][CHECK_BYTES:])
        return None

    def keep(self, record: Record, encoded: Encoded) -> None:
        """Remember a record's token ids."""
        if self.problem is not None:
            return
        packed = pack(encoded)
        try:
            self.file.execute(
                "INSERT OR REPLACE INTO encoded VALUES (?, ?)", (self.key(record), check_of(packed) + packed)
            )
            self.waiting += 1
            if self.waiting % WRITTEN == 0:
                self.file.commit()
        except sqlite3.Error as error:
            # A full disk must not stop what could go on without, nor may another process that writes: each try to
            # would wait for it.
            self.problem = str(error)


def pack(encoded: Encoded) -> bytes:
    """Lengths and counts as a line of JSON, then the ids."""
    head = {
        "lengths": [len(ids) for ids in encoded.sequences],
        "cuts": [encoded.cuts.prompt_turns, encoded.cuts.prompt_tokens, encoded.cuts.response_tokens],
        "forged": encoded.forged,
        "answers": encoded.answers,
        "not_shown": encoded.not_shown,
    }
    return orjson.dumps(head) + b"\n" + np.concatenate(encoded.sequences).astype("<i4").tobytes()


def unpack(value: bytes) -> Encoded:
    """The reverse of `pack`; ValueError or KeyError where the bytes are not its own."""
    line, _, flat = value.partition(b"\n")
    head = orjson.loads(line)
    ids = np.frombuffer(flat, dtype="<i4").astype(np.int32)
    if len(ids) != sum(head["lengths"]):
        raise ValueError("truncated")
    return Encoded(
        tuple(np.split(ids, np.cumsum(head["lengths"])[:-1])),
        Cuts(*map(tuple, head["cuts"])),
        head["forged"],
        tuple(head["answers"]),
        tuple(head["not_shown"]),
    )


def check_of(packed: bytes) -> bytes:
    """What stands before the ids of a record: a disk may change a byte, and SQLite does not notice."""
    return hashlib.blake2b(packed, digest_size=CHECK_BYTES).digest()


@contextlib.contextmanager
def remembering(encoder: Encoder, records: int, note: Callable[[str], None]) -> Iterator[TokenStore | None]:
    """The store of what this encoder did before; None where there are few records or the file cannot be used.

    `note` gets a sentence where the next run will not find what this one does.
    """
    if records < FEWEST:
        yield None
        return
    path = models_folder().parent / "tokens.sqlite"
    try:
        file = opened(path)
        store = TokenStore(encoder, file)
    except (sqlite3.Error, OSError) as error:
        note(not_kept(path, str(error)))
        yield None
        return
    try:
        yield store
    finally:
        try:
            file.commit()
        except sqlite3.Error as error:
            store.problem = str(error)
        file.close()
        if store.problem is not None:
            note(not_kept(path, store.problem))


def not_kept(path: Path, problem: str) -> str:
    """What to say of a file that cannot be written."""
    return f"token ids are not cached for the next run: {path} cannot be written ({problem})"


def opened(path: Path) -> sqlite3.Connection:
    """The file, empty where it had grown too large or is no database."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if path.stat().st_size > LARGEST or start not in (b"", MAGIC):
            path.unlink()
    return sqlite3.connect(path, timeout=1)


def common_hash(encoder: Encoder) -> bytes:
    """What all of an encoder's ids depend on: contract, tokenizer, whether answers are counted, this version."""
    tokenizer = encoder.tokenizer
    inner = getattr(tokenizer, "backend_tokenizer", None)
    told = (
        inner.to_str() if inner is not None else f"{os.getpid()}"
    )  # one written in Python is known to this process only
    contract = encoder.contract.to_json()
    for name in ("date", "inferred"):  # the template has the day in it already, where it asks for one
        del contract[name]
    facts = [VERSION, FORM, encoder.answers, type(tokenizer).__name__, contract, told]
    return hashlib.blake2b(json.dumps(facts, sort_keys=True, default=str).encode(), digest_size=32).digest()
