"""One item of a benchmark, and how readers make one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from rewardsmith.data.formats import adapt
from rewardsmith.data.formats.dialogues import conversation, response
from rewardsmith.data.input.fields import Columns, as_text, required
from rewardsmith.data.input.hub import parse_hub_name
from rewardsmith.data.input.rows import Raw, RowError
from rewardsmith.records import Comparison, Conversation, Message, Record, Response


@dataclass(frozen=True)
class BenchmarkItem:
    """A record whose comparisons are the pairs that the benchmark judges, and where it belongs in the benchmark.

    `subset` and `part` are names as the scoring rule knows them; `grades` has a number per response, higher is better
    (empty: the benchmark judges pairs only); `unit` names items that are not independent of each other, by default those
    that share a prompt.
    """

    record: Record
    subset: str
    part: str = ""
    grades: tuple[float, ...] = ()
    unit: str = ""


def graded(raw: Raw, prompt: Conversation, answers: Sequence[Any], grades: Sequence[float]) -> Record:
    """A record of these responses in their order, each one compared with those of a lower grade."""
    pairs = [(i, j) for i, high in enumerate(grades) for j, low in enumerate(grades) if high > low]
    return compared(raw, prompt, answers, pairs)


def compared(raw: Raw, prompt: Conversation, answers: Sequence[Any], pairs: Sequence[tuple[int, int]]) -> Record:
    """A record of these responses in their order, of whose pairs the first is better; RowError without any pair."""
    if not pairs:
        raise RowError("no_judgement", "no response is better than another; expected at least one pair; drop the row")
    responses = tuple(spoken(answer, f"response {at}") for at, answer in enumerate(answers))
    comparisons = tuple(Comparison(i, j) for i, j in pairs)
    return Record(prompt, responses, comparisons, source=raw.file, line=raw.line, byte=raw.byte)


def spoken(answer: Any, name: str) -> Response:
    """A text as a response."""
    return response((Message("assistant", as_text(answer, name)),), name)


def asked(row: Columns, name: str = "prompt") -> Conversation:
    """The prompt in a column: text, or messages."""
    return conversation(required(row, name), name, role="user")


def in_format(name: str, raw: Raw) -> Record:
    """The record of a row in one of the formats of `data.formats`."""
    return adapt(name, raw.row, source=raw.file, line=raw.line, byte=raw.byte)


def names_of(file: str) -> list[str]:
    """The parts of a file's path from its name upwards, without endings; of a data set on the hub, split and configuration.

    They tell the subset where the rows do not.
    """
    hub = parse_hub_name(file)
    if hub is not None and not PurePath(file).suffix:
        return [hub.split, hub.config or "", hub.name]
    parts = list(reversed(PurePath(file).parts))
    return [PurePath(parts[0].removesuffix(".gz")).stem, *parts[1:]] if parts else []


def said_by(file: str, known: Sequence[str]) -> str | None:
    """The first of the `known` names that a part of the file's path contains, whatever its case; the longest where several
    do."""
    for part in names_of(file):
        found = [name for name in known if plain(name) in plain(part)]
        if found:
            return max(found, key=len)
    return None


def plain(name: str) -> str:
    """A name without case, spaces, dashes and underscores."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def one_of(row: Columns, raw: Raw, columns: Sequence[str], known: Sequence[str]) -> str:
    """The name that one of the columns holds, else that the file's path says; RowError where neither is known."""
    for column in columns:
        value = row.get(column)
        if isinstance(value, str):
            found = [name for name in known if plain(name) == plain(value)]
            if found:
                return found[0]
    said = said_by(raw.file, known)
    if said is None:
        raise RowError(
            "unknown_subset",
            f"neither the columns {', '.join(columns)} nor the file name contain one of {', '.join(known)}; "
            "keep the names of the published files",
        )
    return said
