"""A `.json` file: the elements of one top-level array, a single object, or JSON lines under another name."""

import re
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

import orjson

from rewardsmith.data.input.lines import MAX_ROW_BYTES, InputLine, chunks, finished, lines
from rewardsmith.data.input.rows import RowError, parse

SPACE = b" \t\r\n"
ROW_START = re.compile(rb'\{\s*("[^"\\,:{}\[\]\x00-\x1f]{1,100}")\s*:')
"""How a row begins: its bracket and the name of its first column."""
NEXT_ELEMENT = re.compile(
    rb'\s*(?:\{\s*"(?:[^"\\]|\\.){0,100}"\s*:|\{\s*\}|(?:null|true|false|-?\d[\d.eE+-]*)\s*[,\]])', re.DOTALL
)
"""What follows a comma between two elements, and hardly ever one inside of a text: an object or a lone value."""
MOST_NAMES = 8
"""So many first columns of rows are known by name; files have one or two."""
AHEAD_BYTES = 512
"""More than the start of a row or of a column takes; so much of a chunk waits for the next one."""
SUSPECT_BYTES = 1 << 20
"""Where a longer element holds what may be another row, it is broken and ends there."""

Rest = tuple[bytes, int]
"""Bytes that are to be read next, and their offset."""


def elements(path: Path) -> Iterator[InputLine]:
    """The rows of a `.json` file as JSON texts, numbered from 1; an array is cut into its elements while it is read."""
    try:
        start = next((chunk for _, chunk in chunks(path) if chunk.strip()), b"").lstrip()
    except RowError as error:
        yield InputLine(1, b"", 0, error)
        return
    if start.startswith(b"["):
        yield from ArraySplitter(first_name(start[1:])).split(path)
    elif is_json_lines(start):
        yield from lines(path)
    elif (name := first_name(start)) is not None and several(start, name):
        yield from ArraySplitter(name, begun=True).split(path)
    else:
        yield from single(path)


def is_json_lines(start: bytes) -> bool:
    """Whether a file begins as JSON lines do: one of its first lines is a complete object, from the margin on."""
    return any(line.startswith(b"{") and is_object(line) for line in islice(start.split(b"\n"), 100))


def is_object(line: bytes) -> bool:
    """Whether a text is one complete object."""
    try:
        parse(line)
    except RowError:
        return False
    return True


def is_json(text: bytes) -> bool:
    """Whether a text is one JSON value, or none at all."""
    try:
        orjson.loads(text.strip(SPACE) or b"null")
    except orjson.JSONDecodeError:
        return False
    return True


def first_name(start: bytes) -> bytes | None:
    """The name, in its quotes, of the first column of the rows that begin here; the first row that has one tells it."""
    if (first := ROW_START.match(start.lstrip())) is not None:
        return first[1]
    found = islice(ROW_START.finditer(start), 20)
    return next((each[1] for each in found if several(start[each.start() :], each[1])), None)


def several(start: bytes, name: bytes) -> bool:
    """Whether a complete object and then another row stand here."""
    second = next((each for each in ROW_START.finditer(start, 1) if each[1] == name), None)
    return second is not None and is_object(start[: second.start()].rstrip(SPACE + b","))


def single(path: Path) -> Iterator[InputLine]:
    """The whole file as one row."""
    text = bytearray()
    try:
        for _, chunk in chunks(path):
            text += chunk
            if len(text) > MAX_ROW_BYTES:
                yield finished(1, bytes(text[:1000]), 0, True)
                return
    except RowError as error:
        yield InputLine(1, bytes(text), 0, error)
        return
    if text.strip():
        yield InputLine(1, bytes(text), 0)


def marks_of(names: list[bytes]) -> re.Pattern[bytes]:
    """What a splitter looks at: the start of a row whose first column is one of `names` (group 1), escapes, quotes and
    brackets."""
    start = rb"\{\s*(?:" + b"|".join(map(re.escape, names)) + rb")\s*:" if names else b"(?!)"
    return re.compile(b"(" + start + rb')|\\.|["\[\]{},]', re.DOTALL)


class ArraySplitter:
    """Cuts `[a, b, …]` at the commas of its first level, looking only at quotes, escapes and brackets.

    What is inside an element is not judged here, so a broken one costs no other as long as its quotes and brackets are
    balanced. Where they are not, the next row is known by its start, `{"prompt":` with the first column of other rows:
    inside of a text its quotes would be escaped, and inside of an object a column's name would come before it.
    """

    def __init__(self, name: bytes | None = None, *, begun: bool = False) -> None:
        self.names = [] if name is None else [name]
        self.marks = marks_of(self.names)
        self.misplaced = begun  # whether a bracket of the array itself is missing, or stands in its middle
        self.open: list[bytes] = [b"["] if begun else []  # the brackets around the present place, the array's first
        self.curly = 0  # how many of them are {
        self.in_string = False
        self.element = bytearray()
        self.begin = 0  # of the element, in the unpacked file
        self.suspect: int | None = None  # where inside of the element another row may begin
        self.too_long = False
        self.number = 0
        self.waiting: Rest = (b"", 0)

    def split(self, path: Path) -> Iterator[InputLine]:
        """The elements of the array in `path`; the last has an error where that does not begin or end as an array."""
        broken: RowError | None = None
        try:
            for offset, chunk in chunks(path):
                data, at = self.waiting
                yield from self.feed(data + chunk, at if data else offset, wait=AHEAD_BYTES)
        except RowError as error:
            broken = error
        yield from self.feed(*self.waiting, wait=0)
        while self.suspect is not None and not is_object(bytes(self.element)):
            yield from self.feed(*(yield from self.restart(b"")), wait=0)
        yield from self.ending(broken)

    def ending(self, broken: RowError | None) -> Iterator[InputLine]:
        """What is left at the end of the file, and what is wrong with the array itself."""
        text = bytes(self.element)
        byte = self.begin + len(text) - len(text.lstrip(SPACE))
        text = text.strip(SPACE)
        if broken is None and not self.open and not text and not self.misplaced:
            return
        if is_object(text):
            yield from self.take()
            text = b""
        reason = "the JSON array is not closed or is followed by other text; expected [row, row, …]; repair the file"
        yield InputLine(self.number + 1, text, byte, broken or RowError("broken_json", reason))

    def feed(self, data: bytes, offset: int, *, wait: int) -> Iterator[InputLine]:
        """The elements that end in these bytes, which begin at `offset`; the last `wait` of them come again."""
        rest: Rest | None = (data, offset)
        while rest is not None:
            rest = yield from self.scan(*rest, wait)

    def scan(self, data: bytes, offset: int, wait: int) -> Generator[InputLine, None, Rest | None]:
        """The elements in some bytes; returns what is to be scanned again where an element held other rows."""
        limit = max(0, len(data) - wait)
        begin = end = 0
        for match in self.marks.finditer(data):
            at = match.start()
            if at >= limit:
                break
            end = match.end()
            if self.border(match, data, begin):
                self.element += data[begin:at]
                if self.suspect is not None and not is_object(bytes(self.element).strip(SPACE)):
                    return (yield from self.restart(data[at:]))
                begin = at if match[1] else end
                yield from self.take()
                self.begin = offset + begin
        end = max(limit, end)
        self.element += data[begin:end]
        if self.suspect is not None and len(self.element) > SUSPECT_BYTES:
            return (yield from self.restart(data[end:]))
        if len(self.element) > MAX_ROW_BYTES:
            self.too_long = True
            del self.element[1000:]
        self.waiting = (data[end:], offset + end)
        return None

    def restart(self, data: bytes) -> Generator[InputLine, None, Rest]:
        """The element up to where another row may begin; returns what comes from there on."""
        rest = bytes(self.element[self.suspect :]) + data
        del self.element[self.suspect :]
        offset = self.begin + len(self.element)
        yield from self.take()
        self.begin = offset
        self.back_to_array()
        return rest, offset

    def back_to_array(self) -> None:
        """Take the present place for one between two elements."""
        self.open, self.curly, self.in_string = [b"["], 0, False

    def border(self, match: re.Match[bytes], data: bytes, begin: int) -> bool:
        """Follow one mark; whether it is a border of the array itself. What comes before `begin` is in the element."""
        mark = match[0]
        if match[1]:
            return self.starts_row(match.start(), data, begin)
        if len(mark) == 2:  # an escape
            return False
        if self.in_string or mark == b'"':
            self.in_string ^= mark == b'"'
            return False
        if mark == b",":
            return len(self.open) == 1 and self.ends_element(match, data, begin)
        if mark in b"[{":
            self.open.append(mark)
            self.curly += mark == b"{"
            return len(self.open) == 1
        return self.closes(b"[" if mark == b"]" else b"{")

    def ends_element(self, comma: re.Match[bytes], data: bytes, begin: int) -> bool:
        """Whether a comma outside of all brackets stands behind an element, and not inside of a broken one."""
        if NEXT_ELEMENT.match(data, comma.end()):
            return True
        return is_json(bytes(self.element) + data[begin : comma.start()])

    def closes(self, opening: bytes) -> bool:
        """Follow a closing bracket, whatever stands open inside of it; whether it is the array's. One too many is none."""
        if len(self.open) == 1 and opening == b"[":
            self.open.clear()
            return True
        if self.curly if opening == b"{" else len(self.open) - 1 - self.curly > 0:
            while True:
                closed = self.open.pop()
                self.curly -= closed == b"{"
                if closed == opening:
                    break
        return False

    def starts_row(self, at: int, data: bytes, begin: int) -> bool:
        """Follow the start of a row, or of an object that begins like one; whether it is a row, the last one broken."""
        before = bytes(self.element[-AHEAD_BYTES:] + data[max(begin, at - AHEAD_BYTES) : at]).rstrip(SPACE)
        if self.in_string or not self.open:
            broken = True
        elif len(self.open) == 1:
            broken = bool(before)
        elif self.open[-1] == b"{":
            broken = not before.endswith(b":")
        else:
            broken = False
            if self.suspect is None:
                self.suspect = len(self.element) + at - begin
        if broken:
            self.misplaced = self.misplaced or not self.open
            self.back_to_array()
        self.open.append(b"{")
        self.curly += 1
        return broken

    def take(self) -> Iterator[InputLine]:
        """The element collected so far; where nothing stands between two borders, none."""
        text = bytes(self.element)
        byte = self.begin + len(text) - len(text.lstrip(SPACE))
        text = text.strip(SPACE).rstrip(SPACE + b",")
        self.element.clear()
        self.suspect = None
        if text:
            self.number += 1
            self.learn(text)
            yield finished(self.number, text, byte, self.too_long)
        self.too_long = False

    def learn(self, text: bytes) -> None:
        """Remember the first column of a good row."""
        first = ROW_START.match(text)
        if first is None or first[1] in self.names or len(self.names) == MOST_NAMES or not is_object(text):
            return
        self.names.append(first[1])
        self.marks = marks_of(self.names)
