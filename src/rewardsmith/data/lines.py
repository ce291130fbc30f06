"""Bytes of a file → lines, in pieces that never need the whole file, gzip or not.

A file that lies about its size or breaks off is found here: compressed data that unpacks beyond reason stops the
reading, a damaged end becomes one row for the quarantine.
"""

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from rewardsmith.data.rows import RowError
from rewardsmith.errors import DataError

CHUNK_BYTES = 1 << 20
MAX_ROW_BYTES = 64 << 20
BOMB_RATIO = 200
BOMB_BYTES = 64 << 20
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """Line `number` (from 1) of a file; `error` is set, and `data` only its start, where it cannot be read whole."""

    number: int
    data: bytes
    error: RowError | None = None


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an OSError while reading `path` into one line that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check its name and permissions") from error


def chunks(path: Path) -> Iterator[bytes]:
    """The unpacked bytes of a file, at most CHUNK_BYTES at a time, without a byte order mark at its start.

    Raises DataError for an unreadable file, UTF-16, and a gzip bomb; RowError("damaged_gzip") where gzip data breaks.
    """
    with readable(path), path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
        total = 0
        while chunk := next_chunk(stream):
            if total == 0:
                refuse_utf16(path, chunk)
                chunk = chunk.removeprefix(BOM)
            total += len(chunk)
            if compressed and total > BOMB_BYTES and total > BOMB_RATIO * raw.tell():
                raise DataError(
                    f"{path} unpacks to more than {BOMB_RATIO} times its size ({total >> 20} MB so far), which looks "
                    "like a decompression bomb; unpack it by hand if it is meant to be so"
                )
            yield chunk


def next_chunk(stream: IO[bytes]) -> bytes:
    """The next bytes of a stream, empty at its end."""
    try:
        return stream.read(CHUNK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowError(
            "damaged_gzip",
            f"the gzip data breaks here ({error}); what follows is lost; copy or download the file again",
        ) from None


def refuse_utf16(path: Path, start: bytes) -> None:
    """Refuse a file that says it is UTF-16."""
    if start.startswith(UTF16_MARKS):
        raise DataError(f"{path} is UTF-16 text; expected UTF-8; convert it first (iconv -f UTF-16 -t UTF-8)")


def lines(path: Path, *, blank: bool = False) -> Iterator[Line]:
    """The lines of a file without their b"\\n", split at that byte only (U+2028 and \\x85 are text).

    Empty lines count but come only if `blank`: a gigabyte of them must not cost a minute.
    A line longer than MAX_ROW_BYTES comes as one Line with the error "too_long"; broken gzip data ends the lines with
    one that has the error "damaged_gzip".
    """
    number, pending, skipping = 0, bytearray(), False
    try:
        for chunk in chunks(path):
            *complete, rest = chunk.split(b"\n")
            for piece in complete:
                number += 1
                if not (piece or pending or blank):
                    continue
                yield finished(number, bytes(pending) + piece if pending else piece, skipping)
                pending, skipping = bytearray(), False
            if skipping:
                continue
            pending += rest
            if len(pending) > MAX_ROW_BYTES:
                del pending[1000:]
                skipping = True
    except RowError as error:
        yield Line(number + 1, bytes(pending), error)
        return
    if pending:
        yield finished(number + 1, bytes(pending), skipping)


def finished(number: int, data: bytes, too_long: bool) -> Line:
    """A line read to its end."""
    if too_long:
        reason = f"the row is longer than {MAX_ROW_BYTES >> 20} MB; expected one row per line; split or shorten it"
        return Line(number, data, RowError("too_long", reason))
    return Line(number, data)
