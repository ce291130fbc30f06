"""Whether a text holds a text of a benchmark: runs of 13 units that both have.

The unit is a word, or a single Chinese or Japanese character; runs of 13 are those of GPT-3's report (Brown et al. 2020,
appendix C), and as there a shorter text counts as one run where it has at least 8 units. A single common run is often
a phrase that everybody uses, so what counts is the share of the benchmark text's different runs that are found, as in
Tülu 3 (Lambert et al. 2024, section 3.2): from `OVERLAP` on, half of them.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rewardsmith.quality.cross_row.minhash import MULTIPLIER, U64, mix, unit_hashes, units
from rewardsmith.quality.row.checks import EXCERPT_CHARS, RowFinding
from rewardsmith.quality.text.characters import texts_of
from rewardsmith.records import Record, Removed

CHECK = "contamination"
RUN_UNITS = 13
SHORTEST = 8
SHORT_PROMPT = 5
"""Texts from here to SHORTEST say too little to be found inside others, but a prompt may be one."""
OVERLAP = 0.5


class BenchmarkOrigin(NamedTuple):
    """Where a benchmark's text stands: `file:line` and which text of that row."""

    place: str
    part: str


class Hit(NamedTuple):
    """A text of a row that holds a text of a benchmark: `found` of the `runs` different runs of it."""

    part: str
    origin: BenchmarkOrigin
    also: tuple[str, ...]
    found: int
    runs: int
    shared: str

    @property
    def overlap(self) -> float:
        """Share of the benchmark text's runs that were found."""
        return self.found / self.runs


class Benchmark:
    """The runs of all texts of some benchmarks, made once, then asked for each row.

    `texts` are (where, text); a text that stands in several places is held once. Texts of SHORT_PROMPT units and more,
    but fewer than SHORTEST, are only found where the last turn of a prompt is equal to one, case and punctuation aside.
    `skipped` counts those with fewer units, which say too little to be recognised.
    """

    def __init__(self, texts: Iterable[tuple[BenchmarkOrigin, str]], overlap: float = OVERLAP) -> None:
        self.overlap = overlap
        self.origins: list[list[BenchmarkOrigin]] = []
        self.short: dict[bytes, list[BenchmarkOrigin]] = {}
        self.skipped = 0
        known: dict[bytes, int] = {}
        runs: list[U64] = []
        for origin, text in texts:
            hashes = unit_hashes(units(text))
            if len(hashes) < SHORTEST:
                self.skipped += len(hashes) < SHORT_PROMPT
                if len(hashes) >= SHORT_PROMPT:
                    self.short.setdefault(hashes.tobytes(), []).append(origin)
                continue
            at = known.setdefault(hashes.tobytes(), len(runs))
            if at == len(runs):
                runs.append(np.unique(runs_of(hashes, [min(RUN_UNITS, len(hashes))])[0]))
                self.origins.append([])
            self.origins[at].append(origin)
        self.sizes = np.array([len(each) for each in runs], np.int64)
        owner = np.repeat(np.arange(len(runs)), self.sizes)
        every = np.concatenate(runs) if runs else np.zeros(0, np.uint64)
        order = np.argsort(every, kind="stable")
        self.runs, self.owner = every[order], owner[order]
        self.lengths = sorted({min(RUN_UNITS, len(key) // 8) for key in known})

    def __len__(self) -> int:
        return len(self.origins) + len(self.short)

    def hits(self, record: Record) -> Iterator[Hit]:
        """Each text of a record with each benchmark text that it holds."""
        for part, text in texts_of(record):
            yield from self.hits_of(part, text)
        if self.short and record.prompt:
            yield from self.short_prompt(f"prompt[{len(record.prompt) - 1}]", record.prompt[-1].content)

    def short_prompt(self, part: str, text: str) -> Iterator[Hit]:
        """The short benchmark text that a turn is, if it is one."""
        words = units(text)
        if SHORT_PROMPT <= len(words) < SHORTEST:
            for origin, *others in filter(None, [self.short.get(unit_hashes(words).tobytes())]):
                yield Hit(part, origin, tuple(other.place for other in others), 1, 1, " ".join(words))

    def hits_of(self, part: str, text: str) -> Iterator[Hit]:
        """The benchmark texts that a text holds, in the order of the benchmarks."""
        words = units(text)
        every = runs_of(unit_hashes(words), self.lengths)
        mine, where = np.unique(np.concatenate([*every, np.zeros(0, np.uint64)]), return_index=True)
        begin = np.searchsorted(self.runs, mine, "left")
        end = np.searchsorted(self.runs, mine, "right")
        matched = np.flatnonzero(end > begin)
        if not matched.size:
            return
        places = np.concatenate([np.arange(begin[at], end[at]) for at in matched])
        owners = self.owner[places]
        starts = np.repeat(where[matched], (end - begin)[matched])
        counts = np.bincount(owners, minlength=len(self.origins))
        sizes = np.cumsum([0, *(len(each) for each in every)])
        for at in np.flatnonzero(counts >= np.maximum(self.overlap * self.sizes, 1)).tolist():
            origin, *others = self.origins[at]
            first = int(starts[owners == at].min())
            which = int(np.searchsorted(sizes, first, "right")) - 1
            begin_unit = first - int(sizes[which])
            shared = " ".join(words[begin_unit : begin_unit + self.lengths[which]])
            also = tuple(other.place for other in others)
            yield Hit(part, origin, also, int(counts[at]), int(self.sizes[at]), shared)


def runs_of(hashes: U64, lengths: list[int]) -> list[U64]:
    """For each of some lengths, in rising order, a hash of every run of that many units; the same hash for the same run."""
    found = []
    state: npt.NDArray[np.uint64] = np.zeros(len(hashes), np.uint64)
    wanted = set(lengths)
    for at in range(max(lengths, default=0)):
        count = max(len(hashes) - at, 0)
        state = state[:count] * MULTIPLIER + hashes[at : at + count]
        if at + 1 in wanted:
            found.append(mix(state))
    return found


def hit_in_words(hit: Hit) -> str:
    """A hit in one sentence."""
    return (
        f"{hit.part} contains {hit.found} of the {hit.runs} n-grams of {hit.origin.place} {hit.origin.part}: "
        f"{hit.shared!r}"
    )


def findings(hits: Iterable[Hit], record: Record) -> list[RowFinding]:
    """A finding for each hit."""
    return [RowFinding(CHECK, "warning", record.place, hit_in_words(hit)) for hit in hits]


def line_of(hit: Hit, record: Record) -> dict[str, Any]:
    """The line of `contamination.jsonl` about a hit."""
    return {
        "file": record.source,
        "line": record.line,
        "part": hit.part,
        "benchmark": hit.origin.place,
        "benchmark_part": hit.origin.part,
        "also": list(hit.also),
        "overlap": hit.overlap,
        "found": hit.found,
        "runs": hit.runs,
        "shared": hit.shared,
    }


def removal(hits: list[Hit], record: Record, threshold: float) -> Removed:
    """The ledger entry of a row with hits; the worst of them is its twin."""
    worst = max(hits, key=lambda hit: hit.overlap)
    text = record.responses[0].text[:EXCERPT_CHARS]
    place = worst.origin.place
    return Removed(record.source, record.line, CHECK, hit_in_words(worst), text, place, worst.overlap, threshold)
