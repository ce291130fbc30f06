"""One chunk of rows looked at: what this process, or another one, hands to `rewardsmith prepare`.

`look` depends on its chunk alone. What it returns is in two parts: arrays, from which rows are compared with each other,
and the verdicts as text, which wait in a temporary file until the rows are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from rewardsmith.data.formats.native import from_row, to_row
from rewardsmith.data.loading.chunks import Chunk, Late, read
from rewardsmith.data.splits.near_prompts import Openings, opening_text, openings_of
from rewardsmith.data.splits.splitter import Splitter
from rewardsmith.pipelines.prepare.row_checks import Judge, Verdict
from rewardsmith.quality.cross_row.agreement import Verdicts, verdicts_of
from rewardsmith.quality.cross_row.duplicates import item_of
from rewardsmith.quality.cross_row.near import Prepared, Shingled, prepare
from rewardsmith.quality.row import signals
from rewardsmith.quality.row.checks import Finding
from rewardsmith.quality.row.fingerprints import Located, Print, located
from rewardsmith.quality.row.repair import Repair
from rewardsmith.records import Document, Joined, Quarantined, Record, Removed

NOTHING = Print(bytes(16), ())
KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Quarantined, Removed, Joined, Document)}

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Looking:
    """How chunks are looked at; `near` tells whether rows are compared by what they nearly say."""

    judge: Judge
    splitter: Splitter
    near: bool
    strict: bool


class Looked(NamedTuple):
    """A chunk of `rows` rows: their verdicts as JSON, and of the records among them, shape (R,), what is compared.

    `refused` and `gone` mark records that are out for their own sake (see `Verdict.refused`); their places in the other
    parts are there and mean nothing where they are refused, and where they are gone in `near` and `openings`.
    """

    rows: int
    verdicts: bytes
    late: list[Late]
    places: Located
    refused: Flags
    gone: Flags
    prints: bytes
    judged: Verdicts
    near: Prepared | None
    openings: Openings | None


def look(looking: Looking, chunk: Chunk) -> Looked:
    """Parse the rows of a chunk, check and measure each, and make ready what is compared; DataError with `strict`."""
    items, late = read(chunk, strict=looking.strict)
    verdicts = [looking.judge.judge(item) for item in items]
    told = [(verdict, verdict.item) for verdict in verdicts if isinstance(verdict.item, Record)]
    records = [record for _, record in told]
    prints = [verdict.printed or NOTHING for verdict, _ in told]
    staying = [None if verdict.gone is not None else record for verdict, record in told]
    near, openings = made_ready(staying, prints, looking.splitter) if looking.near else (None, None)
    return Looked(
        rows=len(items),
        verdicts=orjson.dumps([packed(verdict) for verdict in verdicts]),
        late=late,
        places=located(records),
        refused=np.array([verdict.refused for verdict, _ in told], np.bool_),
        gone=np.array([verdict.gone is not None for verdict, _ in told], np.bool_),
        prints=b"".join(printed.row for printed in prints),
        judged=verdicts_of(records, prints),
        near=near,
        openings=openings,
    )


def made_ready(records: list[Record | None], prints: list[Print], splitter: Splitter) -> tuple[Prepared, Openings]:
    """What is compared of some rows and of their openings; texts that stand in both are taken apart once."""
    items = [None if r is None else item_of(r, printed.key) for r, printed in zip(records, prints, strict=True)]
    texts = [text for item in items if item is not None for text in item.texts]
    shingled = Shingled([*texts, *(opening_text(record) for record in records if record is not None)])
    return prepare(items, shingled), openings_of(records, splitter, shingled)


def packed(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON; what is at its default is left out."""
    item = verdict.item
    if isinstance(item, Record):
        row: dict[str, Any] = {"row": verdict.row or to_row(item)}
    else:
        row = {"kind": type(item).__name__, "item": plain(item)}
    if verdict.gone is not None:
        row |= {"gone": type(verdict.gone).__name__, "why": plain(verdict.gone), "refused": verdict.refused}
    for name in ("repairs", "found"):
        if several := getattr(verdict, name):
            row[name] = [tuple(plain(one).values()) for one in several]
    if verdict.hits:
        row["hits"] = verdict.hits
    if verdict.line is not None:
        row |= {"line": verdict.line, "reused": verdict.reused}
    return row


def plain(value: Any) -> dict[str, Any]:
    """The fields of a dataclass without parts of its own."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def unpacked(verdicts: bytes) -> Iterator[Verdict]:
    """The verdicts of a chunk, as they were before they were packed."""
    for row in orjson.loads(verdicts):
        line = row.get("line")
        yield Verdict(
            from_row(row["row"]) if "row" in row else KINDS[row["kind"]](**row["item"]),
            row.get("row"),
            KINDS[row["gone"]](**row["why"]) if "gone" in row else None,
            refused=row.get("refused", False),
            repairs=tuple(Repair(*one) for one in row.get("repairs", ())),
            hits=tuple(row.get("hits", ())),
            found=tuple(Finding(*one) for one in row.get("found", ())),
            signals=None if line is None else signals.read(line),
            line=line,
            reused=row.get("reused", False),
        )
