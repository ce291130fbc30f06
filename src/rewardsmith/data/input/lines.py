"""Bytes of a file → lines, in pieces that never need the whole file, gzip or not.

A file that lies about its size or breaks off is found here: compressed data that unpacks beyond reason stops the
reading, a damaged end becomes one row for the quarantine, and every whole line before it comes.
"""

import contextlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from rewardsmith.data.input.rows import RowError
from rewardsmith.errors import DataError

CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 17
MAX_ROW_BYTES = 64 << 20
BOMB_RATIO = 200
BOMB_BYTES = 64 << 20
GZIP_MAGIC = b"\x1f\x8b"
GZIP_FORMAT = 31  # zlib's number for gzip with its header and checksum
BOM = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class InputLine(NamedTuple):
    """Line `number` (from 1) of a file, and the `byte` (from 0) of its unpacked data where it begins.

    `error` is set, and `data` only its start, where it cannot be read whole.
    """

    number: int
    data: bytes
    byte: int
    error: RowError | None = None


class DamagedEnd(RowError):
    """Gzip data came out to its end, but something is wrong with it: the last line before is whole."""


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an OSError while reading `path` into one line that names it."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; check its name and permissions") from error


def chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """The unpacked bytes of a file, about CHUNK_BYTES at a time, each piece with its offset; a byte order mark at the
    start is left out.

    Raises DataError for an unreadable file, UTF-16, and a gzip bomb; RowError("damaged_gzip") where gzip data breaks,
    once all that could be unpacked before has come.
    """
    with readable(path), path.open("rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        total = 0
        if compressed:
            look_ahead(path, raw)
        for chunk in unpacked(raw) if compressed else iter(lambda: raw.read(CHUNK_BYTES), b""):
            begin, total = total, total + len(chunk)
            if begin == 0:
                refuse_utf16(path, chunk)
                begin = len(BOM) if chunk.startswith(BOM) else 0
                chunk = chunk.removeprefix(BOM)
            if compressed:
                refuse_bomb(path, total, raw.tell())
            yield begin, chunk


def look_ahead(path: Path, raw: IO[bytes]) -> None:
    """Refuse a gzip file whose first bytes unpack beyond reason, before any of it is taken for rows."""
    total = 0
    with contextlib.suppress(RowError):
        for chunk in unpacked(io.BytesIO(raw.read(PACKED_BYTES))):
            total += len(chunk)
            refuse_bomb(path, total, PACKED_BYTES)
    raw.seek(0)


def refuse_bomb(path: Path, total: int, packed: int) -> None:
    """Refuse a file that unpacks to much more than its size."""
    if total > BOMB_BYTES and total > BOMB_RATIO * packed:
        raise DataError(
            f"{path} decompresses to more than {BOMB_RATIO} times its size ({total >> 20} MB so far), as a "
            "decompression bomb does; decompress it manually if this is intended"
        )


def unpacked(raw: IO[bytes]) -> Iterator[bytes]:
    """The data of gzip members that follow each other, with zeros between them at most."""
    member: Any = None
    while packed := raw.read(PACKED_BYTES):
        more = True
        while packed or more:
            if member is None:
                packed, more = packed.lstrip(b"\0"), False
                if not packed:
                    break
                member = zlib.decompressobj(GZIP_FORMAT)
                new = True
            before = member.copy()
            try:
                found = member.decompress(packed, CHUNK_BYTES)
            except zlib.error as error:
                yield from last_bytes(before, packed)
                raise damaged_gzip(str(error), new=new) from None
            if found:
                yield found
            new, more = False, len(found) == CHUNK_BYTES
            packed = member.unconsumed_tail
            if member.eof:
                packed, member = member.unused_data, None
    if member is not None:
        raise damaged_gzip("the data ends before the end-of-stream marker", new=False)


def last_bytes(member: Any, packed: bytes) -> Iterator[bytes]:
    """What comes out of packed data before the place where it breaks, in ever smaller steps towards it."""
    for step in (1 << 14, 1 << 7, 1):
        with contextlib.suppress(zlib.error):
            while packed:
                ahead = member.copy()
                yield ahead.decompress(packed, step)
                member, packed = ahead, ahead.unconsumed_tail
    with contextlib.suppress(
        zlib.error
    ):  # a step ends only when the next character is due, so the last one is still to come
        for at in range(len(packed)):
            yield member.decompress(packed[at : at + 1])


def damaged_gzip(error: str, *, new: bool) -> RowError:
    """Why gzip data cannot be read on; `new` where not one byte of its present member came out."""
    if error.endswith(" check") and "header" not in error:  # of the data or of their length
        return DamagedEnd(
            "damaged_gzip",
            "the gzip checksum does not match: earlier rows may differ from what was saved, and the rest of the file "
            "is lost; copy or download it again",
        )
    cause = "the bytes after the end of the gzip stream are not gzip data" if new else error
    reason = f"the gzip data is corrupt from here on ({cause}); the rest of the file is lost; copy or download it again"
    return (DamagedEnd if new else RowError)("damaged_gzip", reason)


def refuse_utf16(path: Path, start: bytes) -> None:
    """Refuse a file that says it is UTF-16."""
    if start.startswith(UTF16_MARKS):
        raise DataError(f"{path} is UTF-16 text; expected UTF-8; convert it first (iconv -f UTF-16 -t UTF-8)")


def refuse_carriage_returns(path: Path, start: bytes) -> None:
    """Refuse a file whose lines end in carriage returns alone: it would be one line."""
    if b"\n" not in start and b"\r" in start[:-1]:
        raise DataError(
            f"the lines of {path} end with \\r only (classic Mac OS); expected \\n; convert the file first (tr '\\r' "
            "'\\n')"
        )


def lines(path: Path, *, blank: bool = False) -> Iterator[InputLine]:
    """The lines of a file without their b"\\n", split at that byte only (U+2028 and \\x85 are text).

    Empty lines count but come only if `blank`: a gigabyte of them must not cost a minute.
    A line longer than MAX_ROW_BYTES comes as one InputLine with the error "too_long"; broken gzip data ends the lines with
    one that has the error "damaged_gzip".
    """
    splitter = LineSplitter(blank)
    try:
        for offset, chunk in chunks(path):
            if splitter.begin < 0:
                refuse_carriage_returns(path, chunk)
            yield from splitter.feed(offset, chunk)
    except DamagedEnd as error:
        yield from splitter.rest()
        yield splitter.broken(error)
    except RowError as error:
        yield splitter.broken(error)
    else:
        yield from splitter.rest()


class LineSplitter:
    """Cuts chunks at b"\\n"; a line may begin in one chunk and end in a later one."""

    def __init__(self, blank: bool) -> None:
        self.blank = blank
        self.number = 0
        self.begin, self.end = -1, 0  # of the line that has not ended yet
        self.pending = bytearray()
        self.skipping = False

    def feed(self, offset: int, chunk: bytes) -> Iterator[InputLine]:
        """The lines that end in this chunk, which begins at `offset`."""
        *complete, rest = chunk.split(b"\n")
        end = offset
        begin = self.begin if self.pending else offset
        for piece in complete:
            self.number += 1
            start, begin = begin, end + len(piece) + 1
            end = begin
            if self.pending:
                yield finished(self.number, bytes(self.pending) + piece, start, self.skipping)
                self.pending, self.skipping = bytearray(), False
            elif piece or self.blank:
                yield InputLine(self.number, piece, start)
        self.begin, self.end = begin, offset + len(chunk)
        if not self.skipping:
            self.pending += rest
            if len(self.pending) > MAX_ROW_BYTES:
                del self.pending[1000:]
                self.skipping = True

    def rest(self) -> Iterator[InputLine]:
        """The last line, where no b"\\n" ends it."""
        if self.pending:
            self.number += 1
            yield finished(self.number, bytes(self.pending), self.begin, self.skipping)
            self.pending, self.begin = bytearray(), self.end

    def broken(self, error: RowError) -> InputLine:
        """The line in which the data breaks off."""
        return InputLine(self.number + 1, bytes(self.pending), max(self.begin, 0), error)


def finished(number: int, data: bytes, byte: int, too_long: bool) -> InputLine:
    """A line read to its end."""
    if too_long:
        reason = f"the row is longer than {MAX_ROW_BYTES >> 20} MB; expected one row per line; split or shorten it"
        return InputLine(number, data, byte, RowError("too_long", reason))
    return InputLine(number, data, byte)
