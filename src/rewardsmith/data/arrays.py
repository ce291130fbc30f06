"""A `.json` file: the elements of one top-level array, a single object, or JSON lines under another name."""

import re
from collections.abc import Iterator
from pathlib import Path

from rewardsmith.data.lines import MAX_ROW_BYTES, Line, chunks, finished, lines
from rewardsmith.data.rows import RowError, parse

MARK = re.compile(rb'["\\\[\]{},]')
SPACE = b" \t\r\n"


def elements(path: Path) -> Iterator[Line]:
    """The rows of a `.json` file as JSON texts, numbered from 1; an array is cut into its elements while it is read."""
    try:
        start = next((chunk for chunk in chunks(path) if chunk.strip()), b"").lstrip()
    except RowError as error:
        yield Line(1, b"", error)
        return
    if start.startswith(b"["):
        yield from ArraySplitter().split(path)
    elif is_object(start.split(b"\n", 1)[0]):
        yield from lines(path)
    else:
        yield from single(path)


def is_object(line: bytes) -> bool:
    """Whether a first line is a complete object, as in JSON lines."""
    try:
        parse(line)
    except RowError:
        return False
    return True


def single(path: Path) -> Iterator[Line]:
    """The whole file as one row."""
    text = bytearray()
    try:
        for chunk in chunks(path):
            text += chunk
            if len(text) > MAX_ROW_BYTES:
                yield finished(1, bytes(text[:1000]), True)
                return
    except RowError as error:
        yield Line(1, bytes(text), error)
        return
    if text.strip():
        yield Line(1, bytes(text))


class ArraySplitter:
    """Cuts `[a, b, …]` at the commas of its first level, looking only at quotes, backslashes and brackets.

    What is inside an element is not judged here, so one broken element does not take the others with it as long as
    its quotes and brackets are balanced.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.in_string = False
        self.skip_until = 0  # a backslash escapes the next byte, which may lie in the next chunk
        self.element = bytearray()
        self.number = 0

    def split(self, path: Path) -> Iterator[Line]:
        """The elements of the array in `path`; the last Line has an error where the array does not end."""
        try:
            for chunk in chunks(path):
                yield from self.feed(chunk)
                if len(self.element) > MAX_ROW_BYTES:
                    yield finished(self.number + 1, bytes(self.element[:1000]), True)
                    return
        except RowError as error:
            yield Line(self.number + 1, bytes(self.element), error)
            return
        if self.depth or self.element.strip(SPACE):
            reason = "the JSON array does not end where its brackets close; expected [row, row, …]; repair the file"
            yield Line(self.number + 1, bytes(self.element), RowError("broken_json", reason))

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The elements that end in this chunk."""
        begin = 0
        for match in MARK.finditer(chunk):
            at = match.start()
            if at < self.skip_until:
                continue
            border = self.step(chunk[at : at + 1], at)
            if border:
                self.element += chunk[begin:at]
                begin = at + 1
                yield from self.take(closing=border == "close")
        self.element += chunk[begin:]
        self.skip_until = max(0, self.skip_until - len(chunk))

    def step(self, mark: bytes, at: int) -> str:
        """Follow one mark; tells whether it is a border of the array itself: "open", "comma", "close" or ""."""
        if self.in_string:
            if mark == b"\\":
                self.skip_until = at + 2
            elif mark == b'"':
                self.in_string = False
            return ""
        if mark == b'"':
            self.in_string = True
        elif mark in b"[{":
            self.depth += 1
            return "open" if self.depth == 1 else ""
        elif mark in b"]}":
            self.depth -= 1
            return "close" if self.depth == 0 else ""
        return "comma" if mark == b"," and self.depth == 1 else ""

    def take(self, *, closing: bool) -> Iterator[Line]:
        """The element collected so far; an array may be empty, and before its first bracket there is nothing."""
        text = bytes(self.element).strip(SPACE)
        self.element.clear()
        if text or (closing and self.number):
            self.number += 1
            yield Line(self.number, text)
