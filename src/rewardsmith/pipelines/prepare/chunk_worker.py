"""One chunk of rows checked: what this process, or another one, hands to `rewardsmith prepare`.

`check_chunk` depends on its chunk alone. What it returns is in two parts: arrays, from which rows are compared with each
other, and the decisions as text, which wait in a temporary file until the rows are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson

from rewardsmith.data.formats.native import from_row, to_row
from rewardsmith.data.loading.chunks import Chunk, Late, read
from rewardsmith.data.splits.near_prompts import Openings, opening_text, openings_of
from rewardsmith.data.splits.splitter import Splitter
from rewardsmith.pipelines.prepare.row_checks import RowChecker, RowDecision
from rewardsmith.quality.cross_row.agreement import ComparisonColumns, comparison_columns
from rewardsmith.quality.cross_row.duplicates import item_of
from rewardsmith.quality.cross_row.minhash import Flags
from rewardsmith.quality.cross_row.near import Prepared, Shingled, prepare
from rewardsmith.quality.cross_row.votes import VoteColumns, annotator_of, told_apart, vote_columns
from rewardsmith.quality.row import signals
from rewardsmith.quality.row.checks import RowFinding, digest
from rewardsmith.quality.row.fingerprints import Fingerprint, Located, located
from rewardsmith.quality.row.repair import Repair
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed

NOTHING = Fingerprint(bytes(16), ())
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Quarantined, Removed, Joined, Document)}


@dataclass(frozen=True)
class ChunkSettings:
    """How chunks are checked; `near` tells whether rows are compared by what they nearly say."""

    checker: RowChecker
    splitter: Splitter
    near: bool
    strict: bool


class ComparedRecords(NamedTuple):
    """What is compared of R records with all others.

    `refused` and `gone`, shape (R,), mark records that are out for their own sake (see `RowDecision.refused`); their places
    in the other parts are there and mean nothing where they are refused, and where they are gone in `near` and `openings`.
    """

    places: Located
    refused: Flags
    gone: Flags
    fingerprints: bytes
    comparisons: ComparisonColumns
    votes: VoteColumns
    near: Prepared | None
    openings: Openings | None


class ChunkResult(NamedTuple):
    """A chunk of `rows` rows: their decisions as JSON, columns that it has first, and what is compared of its records."""

    rows: int
    decisions: bytes
    late: list[Late]
    compared: ComparedRecords


def check_chunk(settings: ChunkSettings, chunk: Chunk) -> ChunkResult:
    """Parse the rows of a chunk, check and measure each, and make ready what is compared; DataError with `strict`."""
    items, late = read(chunk, strict=settings.strict)
    decisions = [settings.checker.decide(item) for item in items]
    packed_decisions = orjson.dumps([packed(decision) for decision in decisions])
    return ChunkResult(len(items), packed_decisions, late, compared_records(decisions, settings))


def compared_records(decisions: list[RowDecision], settings: ChunkSettings) -> ComparedRecords:
    """What is compared of the records among some rows."""
    pairs = [(decision, decision.item) for decision in decisions if isinstance(decision.item, Record)]
    records = [record for _, record in pairs]
    fingerprints = [decision.fingerprint or NOTHING for decision, _ in pairs]
    gone = [decision.gone is not None for decision, _ in pairs]
    near, openings = near_parts(records, gone, fingerprints, settings.splitter) if settings.near else (None, None)
    return ComparedRecords(
        places=located(records),
        refused=np.array([decision.refused for decision, _ in pairs], np.bool_),
        gone=np.array(gone, np.bool_),
        fingerprints=b"".join(map(told_apart, (one.row for one in fingerprints), map(who_judged, records))),
        comparisons=comparison_columns(records, fingerprints),
        votes=vote_columns(records, fingerprints),
        near=near,
        openings=openings,
    )


def who_judged(record: Record) -> int:
    """A hash of a record's annotator, 0 without one."""
    annotator = annotator_of(record)
    return digest(annotator) if annotator else 0


def near_parts(
    records: list[Record], gone: list[bool], fingerprints: list[Fingerprint], splitter: Splitter
) -> tuple[Prepared, Openings]:
    """What is compared of some rows and of their openings; texts that stand in both are taken apart once."""
    staying = [None if out else record for record, out in zip(records, gone, strict=True)]
    items = [None if r is None else item_of(r, one.key) for r, one in zip(staying, fingerprints, strict=True)]
    texts = [text for item in items if item is not None for text in item.texts]
    shingled = Shingled([*texts, *(opening_text(record) for record in staying if record is not None)])
    return prepare(items, shingled), openings_of(staying, splitter, shingled)


def packed(decision: RowDecision) -> dict[str, Any]:
    """A decision as plain JSON; what is at its default is left out."""
    item = decision.item
    if isinstance(item, Record):
        row: dict[str, Any] = {"row": decision.row or to_row(item)}
    else:
        row = {"kind": type(item).__name__, "item": plain(item)}
    if decision.gone is not None:
        row |= {"gone": type(decision.gone).__name__, "why": plain(decision.gone), "refused": decision.refused}
    for name in ("repairs", "found"):
        if several := getattr(decision, name):
            row[name] = [tuple(plain(one).values()) for one in several]
    if decision.hits:
        row["hits"] = decision.hits
    if decision.line is not None:
        row |= {"line": decision.line, "reused": decision.reused}
    return row


def plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass without parts of its own."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def unpacked(decisions: bytes) -> Iterator[RowDecision]:
    """The decisions of a chunk, as they were before they were packed."""
    for row in orjson.loads(decisions):
        line = row.get("line")
        yield RowDecision(
            from_row(row["row"]) if "row" in row else KINDS[row["kind"]](**row["item"]),
            row.get("row"),
            KINDS[row["gone"]](**row["why"]) if "gone" in row else None,
            refused=row.get("refused", False),
            repairs=tuple(Repair(*one) for one in row.get("repairs", ())),
            hits=tuple(row.get("hits", ())),
            found=tuple(RowFinding(*one) for one in row.get("found", ())),
            signals=None if line is None else signals.read(line),
            line=line,
            reused=row.get("reused", False),
        )
