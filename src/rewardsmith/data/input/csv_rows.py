"""A CSV file → its rows. A damaged row costs that row: where a quote is missing or one too many, the next row is looked for.

Rows that follow the rules (RFC 4180) are read by the csv module as they stand, with whatever line breaks their quoted cells
hold. Where a row breaks them, it ends before the next line with which rows begin again: lines that are whole rows by
themselves, in the number of cells, the quotes and the length of their cells like those before.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rewardsmith.data.input.lines import MAX_ROW_BYTES, InputLine, lines
from rewardsmith.data.input.rows import BYTE_ORDER_MARK, InputRow, Raw, RowError, parse, quarantined, refuse_surrogates
from rewardsmith.errors import DataError

JSON_CELLS = frozenset(
    {"responses", "scores", "ranks", "ranking", "ratings", "pairs", "votes", "margin", "models", "score"}
    | {"score_0", "score_1", "score_chosen", "score_rejected", "chosen_score", "rejected_score", "chosen-rating"}
    | {"rejected-rating", "chosen_rating", "rejected_rating", "chosen_avg_rating", "rejected_avg_rating"}
    | {"preference_strength", "overall_preference", "winner_model_a", "winner_model_b", "winner_tie", "kto_tag"}
    | {"is_safe", "is_response_0_safe", "is_response_1_safe", "better_response_id", "safer_response_id"}
)
# Names that mean a number or true/false only beside certain others; alone they are text like any column.
JSON_CELLS_BESIDE = {
    "completion": frozenset({"label"}),
    "human_ref_A": frozenset({"labels", "score_A", "score_B"}),
    "helpfulness": frozenset({"helpfulness", "correctness", "coherence", "complexity", "verbosity"}),
}
PYTHON_WORDS = {"True": True, "False": False}  # as pandas writes them
SURROGATE_ESCAPE = re.compile("[\udc80-\udcff]")
CELL = r'(?:"[^"]*(?:""[^"]*)*"|[^",\r\n]*)'
CLEAN = re.compile(f"{CELL}(?:,{CELL})*\r?\n")
"""A row whose quotes stand around whole cells and nowhere else."""

LINE_COST = 64  # bytes that a line takes in memory besides its own
LEARNING_ROWS = 1000
AHEAD_ROWS = 8
AHEAD_LINES = 200
SURE_COMMAS = 4
"""So many commas more in rows that fit than in rows that do not, before lines after a broken row count as rows again."""
SURE_SWALLOWED = 10
"""So many commas that stand just where each line would be a row, before a cell counts as rows caught between two quotes."""


def read_csv(path: Path, *, also_json: frozenset[str] = frozenset()) -> Iterator[InputRow]:
    """Comma-separated values with a header; the line of a row is the one it begins on.

    Cells are text, but columns that hold numbers, lists or true/false (JSON_CELLS, those that go with another column
    of the header, and `also_json`) are read as JSON, an empty cell as missing.
    """
    csv.field_size_limit(MAX_ROW_BYTES)  # the default refuses answers beyond 128 KB
    source = CsvLines(lines(path, blank=True))
    header = read_header(path, source)
    yield from CsvRows(str(path), header, json_columns(header) | also_json, source).rows()


class CsvLines:
    """The lines of a file as texts; those of the present row, and what was read ahead of it, can be read again."""

    def __init__(self, found: Iterator[InputLine]) -> None:
        self.found = found
        self.held: list[InputLine] = []
        self.first = self.at = 0  # in `held`: the first line of the row, the next one to be read
        self.size = 0
        self.last = 0  # where a row that is read by way of trial has to end

    def __iter__(self) -> "CsvLines":
        return self

    def __next__(self) -> str:
        if self.at == len(self.held):
            self.held.append(next(self.found))
        line = self.held[self.at]
        self.at += 1
        if line.error is not None:
            raise line.error
        self.size += len(line.data) + LINE_COST
        if self.size > MAX_ROW_BYTES or (self.last and self.at > self.last):
            reason = f"the row is longer than {MAX_ROW_BYTES >> 20} MB; expected one row per line; split or shorten it"
            raise RowError("too_long", reason)
        return line.data.decode(errors="surrogateescape") + "\n"

    def go_to(self, at: int, *, last: int = 0) -> None:
        """Read from a line on again, with `last` up to that one."""
        self.at, self.size, self.last = at, 0, last

    def taken(self) -> list[InputLine]:
        """The lines of the present row."""
        return self.held[self.first : self.at]

    def end_row(self, count: int) -> None:
        """Go on behind the first `count` lines of the present row."""
        self.first += count
        if self.first == len(self.held) or (self.first > AHEAD_LINES and 2 * self.first > len(self.held)):
            del self.held[: self.first]
            self.first = 0
        self.go_to(self.first)


class CsvRows:
    """The rows of one CSV file, and what its good ones look like."""

    def __init__(self, name: str, header: list[str], as_json: frozenset[str], source: CsvLines) -> None:
        self.name, self.header, self.as_json, self.source = name, header, as_json, source
        self.shortest: list[int] = []
        self.longest: list[int] = []
        self.good = 0
        self.all_quoted = True  # whether every good row begins with a quote
        self.over_lines = False  # whether some good row has several lines

    def rows(self) -> Iterator[InputRow]:
        """Each row, good or not."""
        reader = csv.reader(self.source, strict=True)
        while True:
            cells: list[str] = []
            broken: RowError | None = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"invalid CSV: {error}; expected closed quotes, and doubled quotes inside a cell"
                broken = RowError("broken_csv", reason)
            except RowError as error:
                broken = error
            if broken is not None or self.suspicious(cells):
                yield self.broken_row(cells, broken)
                reader = csv.reader(self.source, strict=True)
                continue
            taken = self.source.taken()
            self.source.end_row(len(taken))
            if cells:
                yield self.row(taken, cells)

    def row(self, taken: list[InputLine], cells: list[str]) -> InputRow:
        """A row that could be cut into cells."""
        line, _, byte, _ = taken[0]
        try:
            row = csv_row(self.header, cells, self.as_json)
        except RowError as problem:
            return quarantined(self.name, line, problem, text_of(taken), byte)
        if self.good < LEARNING_ROWS:
            self.learn(taken, cells)
        return Raw(self.name, line, row, byte)

    def learn(self, taken: list[InputLine], cells: list[str]) -> None:
        """Remember how a good row looks."""
        widths = [len(cell) for cell in cells]
        self.shortest = [min(pair) for pair in zip(self.shortest or widths, widths, strict=True)]
        self.longest = [max(pair) for pair in zip(self.longest or widths, widths, strict=True)]
        self.good += 1
        self.all_quoted = self.all_quoted and taken[0].data.startswith(b'"')
        self.over_lines = self.over_lines or len(taken) > 1

    def suspicious(self, cells: list[str]) -> bool:
        """Whether a row over several lines may have caught others: its cells are too many or few, or each line is a row."""
        count = self.source.at - self.source.first
        return count > 1 and (len(cells) != len(self.header) or self.swallowed(count))

    def swallowed(self, count: int) -> bool:
        """Whether a quote in one row and another, far below, made one cell of what is between them.

        Each of the lines is a row by itself, and those in between are rows like others; a text whose lines happen to have
        that many commas each does not go on like this for long.
        """
        columns = len(self.header)
        if count * (columns - 1) < SURE_SWALLOWED:
            return False
        taken = self.source.taken()
        if any(line.data.count(b",") != columns - 1 for line in (taken[0], taken[-1])):
            return False
        begin, end = self.source.first, self.source.at
        caught = all(self.fits(at) == at + 1 for at in range(begin + 1, end - 1))
        self.source.go_to(end)
        return caught

    def broken_row(self, cells: list[str], broken: RowError | None) -> InputRow:
        """The row in which the file breaks, up to where rows begin again."""
        source = self.source
        begin, end = source.first, max(source.at, self.end_of_open_quotes())
        at = begin + 1
        while at < end and not self.begins_rows(at):
            at += 1
        if at == end and broken is not None and self.over_lines:
            at = self.end_of_remains(at)
        taken = source.held[begin:at]
        if broken is None:
            broken = columns_error(cells, self.header) if at == end else swallowed_error(source.held[end - 1].number)
        elif taken[-1].error is not None:
            broken = taken[-1].error
        source.end_row(at - begin)
        line, _, byte, _ = taken[0]
        return quarantined(self.name, line, over_lines(broken, taken), text_of(taken), byte)

    def end_of_open_quotes(self) -> int:
        """The line behind the broken row, if its quotes are followed wherever they lead."""
        self.source.go_to(self.source.first, last=self.source.first + AHEAD_LINES)
        try:
            next(csv.reader(self.source), None)
        except (csv.Error, RowError):
            return 0
        return self.source.at

    def end_of_remains(self, begin: int) -> int:
        """The line from which on rows begin, where those up to it may be the rest of a broken row over several lines."""
        for at in range(begin, begin + AHEAD_LINES):
            if self.at_end(at) or self.begins_rows(at):
                return at
            if self.all_quoted and self.source.held[at].data.startswith(b'"'):
                return at
        return begin

    def begins_rows(self, at: int) -> bool:
        """Whether rows begin again at a line: one that fits, and more of them that fit than that do not."""
        commas = len(self.header) - 1
        score = 0
        for ahead in range(AHEAD_ROWS):
            if self.at_end(at):
                return score > 0
            after = self.fits(at)
            if ahead == 0 and after is None:
                return False
            if self.source.held[at].data.strip():
                score += commas if after is not None else -commas
            if score >= SURE_COMMAS:
                return True
            at = after or at + 1
        return False

    def at_end(self, at: int) -> bool:
        """Whether the file ends before a line."""
        self.source.go_to(at)
        try:
            next(self.source)
        except StopIteration:
            return True
        except RowError:
            return self.source.held[at].error is not None and at + 1 == len(self.source.held)
        return False

    def fits(self, at: int) -> int | None:
        """The line behind the row that begins at a line, None where that is no row like those before."""
        self.source.go_to(at, last=at + AHEAD_LINES)
        try:
            cells = next(csv.reader(self.source, strict=True), None)
        except (csv.Error, RowError):
            return None
        if cells is None or len(cells) != len(self.header):
            return None
        after = self.source.at
        text = text_of(self.source.held[at:after])
        if (b'"' in text or b"\r" in text) and not CLEAN.fullmatch(text.decode(errors="replace") + "\n"):
            return None
        return after if self.looks_like_others(text, cells) else None

    def looks_like_others(self, text: bytes, cells: list[str]) -> bool:
        """Whether a row begins with a quote if all do, and its cells are about as long as those of good rows."""
        if not self.good:
            return True
        if self.all_quoted and not text.startswith(b'"'):
            return False
        limits = zip(self.shortest, self.longest, cells, strict=True)
        return all(low // 2 <= len(cell) <= 2 * high + 20 for low, high, cell in limits)


def text_of(taken: Iterable[InputLine]) -> bytes:
    """Some lines as they stand in the file."""
    return b"\n".join(line.data for line in taken)


def columns_error(cells: list[str], header: list[str]) -> RowError:
    """The refusal of a row with another number of cells than the header."""
    return RowError(
        "wrong_columns",
        (f"the row has {len(cells)} cells, but the header has {len(header)}; put cells that contain commas in quotes"),
    )


def swallowed_error(last: int) -> RowError:
    """The refusal of a row with a quote that closes among other rows."""
    return RowError(
        "broken_csv",
        f"invalid CSV: the quote of a cell closes only in line {last}, after complete rows; expected quotes that "
        "close within their row",
    )


def over_lines(error: RowError, taken: list[InputLine]) -> RowError:
    """An error that names the lines of its row where there are several."""
    if len(taken) == 1:
        return error
    return RowError(error.code, f"lines {taken[0].number} to {taken[-1].number}: {error}")


def read_header(path: Path, source: CsvLines) -> list[str]:
    """The column names of a CSV file; DataError where they are damaged or come twice."""
    try:
        header: list[str] = next(csv.reader(source, strict=True), [])
        refuse_surrogates(header)
    except (csv.Error, RowError) as error:
        raise DataError(f"{path}: the header is not UTF-8 CSV ({error}); save the file as UTF-8 CSV") from None
    source.end_row(len(source.taken()))
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: the header has the column {twice[0]!r} twice; expected unique names; rename one")
    damaged = next((name for name in header if "\0" in name or "\n" in name), None)
    if damaged is not None:
        raise DataError(
            f"{path}: the header has the column {damaged[:40]!r}; expected column names on one line; check for an "
            "unclosed quote"
        )
    return header


def json_columns(header: Iterable[str]) -> frozenset[str]:
    """The columns of a CSV file that are read as JSON."""
    beside = (names for name, names in JSON_CELLS_BESIDE.items() if name in header and names <= {*header})
    return JSON_CELLS.union(*beside)


def csv_row(header: list[str], cells: list[str], as_json: frozenset[str] = JSON_CELLS) -> dict[str, Any]:
    """One CSV row as columns; an empty cell of a column without a name is no column."""
    if len(cells) != len(header):
        raise columns_error(cells, header)
    if cells[0].startswith("\ufeff"):
        raise RowError("byte_order_mark", BYTE_ORDER_MARK)
    if cells == header:
        raise RowError(
            "repeated_header", "the row repeats the header, probably from concatenating files; delete the line"
        )
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=True):
        refuse_damaged(name, cell)
        if name:
            row[name] = csv_value(name, cell) if name in as_json else cell
        elif cell:
            if name in row:
                raise RowError("wrong_columns", "two cells are in columns without a name; name the columns")
            row[name] = cell
    return row


def refuse_damaged(name: str, cell: str) -> None:
    """Refuse a cell that is not what was saved."""
    if SURROGATE_ESCAPE.search(cell):
        raise RowError("invalid_utf8", f"the cell {name!r} is not UTF-8; save the file as UTF-8")
    if "\0" in cell:
        raise RowError(
            "nul_bytes", f"the cell {name!r} contains NUL bytes, so part of the file was lost; copy the file again"
        )


def csv_value(name: str, cell: str) -> Any:
    """A cell of a column that holds JSON."""
    if not cell.strip():
        return None
    if cell in PYTHON_WORDS:
        return PYTHON_WORDS[cell]
    try:
        return parse(b'{"cell":' + cell.encode() + b"}")["cell"]
    except (RowError, KeyError):
        raise RowError("wrong_type", f"the cell {name!r} is {cell[:40]!r}; expected a JSON number or list") from None
