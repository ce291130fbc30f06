"""What the comparison report shows: the evaluation of each run, and the texts of comparisons on which two runs differ."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rewardsmith.diagnose.compared import as_text
from rewardsmith.files.reading import read_lines, read_object

FLIPS_SHOWN = 100
"""Flipped comparisons of two runs whose texts are shown: those whose margins differ most."""

PairKey = tuple[str, int, int, int]
"""Id of the record, the two responses, and which of its comparisons of these two, counted from 1 in file order."""


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """A run by its letter and name, with the content of its evaluation.json."""

    letter: str
    name: str
    folder: Path
    evaluation: Mapping[str, Any]


class Flip(NamedTuple):
    """A comparison that one of two runs alone ranks as the label does; margins are preferred minus other."""

    place: str
    category: str
    margin_a: float
    margin_b: float
    prompt: str
    preferred: str
    other: str

    @property
    def only_a(self) -> bool:
        """Whether the first run is the one that agrees with the label."""
        return self.margin_a > self.margin_b


def evaluated_runs(folders: Sequence[Path]) -> list[EvaluatedRun]:
    """The runs in the order given; folders of the same name are told apart by the one above."""
    names = [folder.resolve().name for folder in folders]
    shown = [
        name if names.count(name) == 1 else f"{folder.resolve().parent.name}/{name}"
        for name, folder in zip(names, folders, strict=True)
    ]
    return [
        EvaluatedRun(chr(ord("A") + k), name, folder, read_object(folder / "evaluation.json"))
        for k, (name, folder) in enumerate(zip(shown, folders, strict=True))
    ]


def keyed_rows(folder: Path) -> Iterator[tuple[PairKey, str, Mapping[str, Any]]]:
    """Each decided comparison of weight with what identifies it and its place."""
    seen: Counter[tuple[str, int, int]] = Counter()
    for place, row in read_lines(folder / "comparisons.jsonl"):
        triple = (row["id"], row["i"], row["j"])
        seen[triple] += 1
        if row["preference"] > 0.5 and row.get("weight", 1.0) > 0 and row.get("margin") is not None:
            yield (*triple, seen[triple]), place, row


def flips_of(first: Path, second: Path) -> list[Flip]:
    """The comparisons on which two runs differ, those whose margins differ most first; at most FLIPS_SHOWN."""
    margins = {key: float(row["margin"]) for key, _, row in keyed_rows(first)}
    kept: list[tuple[float, int, Flip]] = []
    for number, (key, place, row) in enumerate(keyed_rows(second)):
        one, other = margins.get(key), float(row["margin"])
        if one is None or not (one > 0) ^ (other > 0) or one * other == 0:
            continue
        entry = (abs(one - other), -number, flip_of(place, row, one, other))
        (heapq.heappush if len(kept) < FLIPS_SHOWN else heapq.heappushpop)(kept, entry)
    return [flip for _, _, flip in sorted(kept, key=lambda entry: (-entry[0], -entry[1]))]


def flip_of(place: str, row: Mapping[str, Any], one: float, other: float) -> Flip:
    """A flipped comparison with its texts."""
    source = f"{row['source']}:{row['line']}" if row.get("source") and row.get("line") else place
    texts = (as_text(row.get(name)) for name in ("prompt", "text_i", "text_j"))
    return Flip(source, str(row.get("category") or ""), one, other, *texts)
