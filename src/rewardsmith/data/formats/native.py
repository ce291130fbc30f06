"""rewardsmith's own rows: what `prepare` writes and every other command reads without loss."""

from typing import Any

from rewardsmith.data.input.fields import (
    Columns,
    as_list,
    items,
    mapping,
    number,
    numbers,
    optional_number,
    optional_text,
    required,
    text,
)
from rewardsmith.data.input.rows import RowError, kind
from rewardsmith.records import Comparison, Message, Record, Response

COLUMNS = frozenset({"prompt", "responses", "comparisons", "ratings", "fields", "source", "line", "by_steps"})


def to_row(record: Record) -> dict[str, Any]:
    """The record as a JSON object; `from_row` gives back an equal record. Values at their default are left out."""
    row: dict[str, Any] = {
        "prompt": [message_row(message) for message in record.prompt],
        "responses": [response_row(response) for response in record.responses],
        "comparisons": [comparison_row(comparison) for comparison in record.comparisons],
    }
    if record.ratings:
        row["ratings"] = {attribute: list(values) for attribute, values in record.ratings.items()}
    if record.fields:
        row["fields"] = dict(record.fields)
    if record.by_steps:
        row["by_steps"] = True
    return row | {"source": record.source, "line": record.line}


def message_row(message: Message) -> dict[str, str]:
    """One message as an object."""
    row = {"role": message.role, "content": message.content}
    return row if message.reasoning is None else row | {"reasoning_content": message.reasoning}


def response_row(response: Response) -> dict[str, Any]:
    """One response as an object."""
    row: dict[str, Any] = {"messages": [message_row(message) for message in response.messages]}
    return row if response.generator is None else row | {"generator": response.generator}


def comparison_row(comparison: Comparison) -> dict[str, Any]:
    """One comparison as an object."""
    row: dict[str, Any] = {"i": comparison.i, "j": comparison.j, "preference": comparison.preference}
    if comparison.weight != 1.0:
        row["weight"] = comparison.weight
    if comparison.attribute != "overall":
        row["attribute"] = comparison.attribute
    for name in ("margin", "shown_first"):
        if getattr(comparison, name) is not None:
            row[name] = getattr(comparison, name)
    return row if comparison.votes is None else row | {"votes": list(comparison.votes)}


def read_row(row: Columns) -> Record:
    """The record of a row that may come from anywhere: as `from_row`, but an answer without words is refused."""
    record = from_row(row)
    empty = next((f"responses[{at}]" for at, one in enumerate(record.responses) if not one.text.strip()), None)
    if empty is not None:
        raise RowError("empty_response", f"{empty} is empty; expected a response; drop the row")
    return record


def from_row(row: Columns) -> Record:
    """The record of a row that `to_row` made; RowError for anything else."""
    responses = tuple(parse_response(entry, f"responses[{at}]") for at, entry in enumerate(items(row, "responses")))
    ratings = mapping(row.get("ratings") or {}, "ratings")
    return Record(
        prompt=parse_messages(required(row, "prompt"), "prompt"),
        responses=responses,
        comparisons=tuple(parse_comparison(entry, at) for at, entry in enumerate(items(row, "comparisons"))),
        ratings={name: numbers(values, f"ratings.{name}", length=len(responses)) for name, values in ratings.items()},
        fields=dict(mapping(row.get("fields") or {}, "fields")),
        source=text(row, "source") if "source" in row else "",
        line=index(row["line"], "line") if "line" in row else 0,
        by_steps="by_steps" in row and flag(row["by_steps"], "by_steps"),
    )


def parse_messages(value: Any, name: str) -> tuple[Message, ...]:
    """A list of messages."""
    entries = [mapping(entry, f"{name}[{at}]") for at, entry in enumerate(as_list(value, name))]
    return tuple(
        Message(text(entry, "role"), text(entry, "content"), optional_text(entry, "reasoning_content"))
        for entry in entries
    )


def parse_response(value: Any, name: str) -> Response:
    """One response."""
    entry = mapping(value, name)
    generator = None if entry.get("generator") is None else text(entry, "generator")
    return Response(parse_messages(entry.get("messages"), f"{name}.messages"), generator)


def parse_comparison(value: Any, at: int) -> Comparison:
    """One comparison."""
    name = f"comparisons[{at}]"
    entry = mapping(value, name)
    votes = entry.get("votes")
    shown_first = entry.get("shown_first")
    return Comparison(
        i=index(required(entry, "i"), f"{name}.i"),
        j=index(required(entry, "j"), f"{name}.j"),
        preference=number(entry.get("preference", 1.0), f"{name}.preference"),
        weight=number(entry.get("weight", 1.0), f"{name}.weight"),
        margin=optional_number(entry, "margin"),
        attribute=text(entry, "attribute") if "attribute" in entry else "overall",
        votes=None if votes is None else parse_votes(votes, name),
        shown_first=None if shown_first is None else index(shown_first, f"{name}.shown_first"),
    )


def parse_votes(value: Any, name: str) -> tuple[int, int, int]:
    """Votes for i, for j, undecided."""
    counts = [index(count, f"{name}.votes") for count in as_list(value, f"{name}.votes")]
    if len(counts) != 3:
        raise RowError(
            "wrong_length", f"{name}.votes has {len(counts)} entries; expected 3: votes for i, for j, and undecided"
        )
    return counts[0], counts[1], counts[2]


def flag(value: Any, name: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise RowError("wrong_type", f"{name} is {kind(value)}; expected true or false")
    return value


def index(value: Any, name: str) -> int:
    """A whole number >= 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        shown = value if isinstance(value, (int, float)) else kind(value)
        raise RowError("wrong_type", f"{name} is {shown}; expected an integer >= 0")
    return value
