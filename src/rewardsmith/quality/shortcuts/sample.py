"""The comparisons on which shortcuts are measured: a bounded sample, the same one in whatever order the rows come."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rewardsmith.quality.shortcuts.constant_answers import in_order
from rewardsmith.quality.shortcuts.features import FEATURES
from rewardsmith.records import Comparison, Record

LIMIT = 10_000
"""Comparisons that are measured at most: an accuracy is then known to one percentage point."""

RESPONSE_FEATURES = tuple(FEATURES)
PLACE_FEATURES = ("listed_first", "shown_first")


@dataclass(frozen=True, slots=True)
class SampledComparison:
    """What is kept of a decided comparison: features and hashes, no text."""

    preferred: tuple[float, ...]
    other: tuple[float, ...]
    generators: tuple[str | None, str | None]
    texts: tuple[int, int]
    weight: float


@dataclass(slots=True)
class Sampled:
    """What is kept of a prompt: its decided comparisons, and where each of its responses stands first (by hash)."""

    rows: list[SampledComparison] = field(default_factory=list)
    answers: dict[int, str] = field(default_factory=dict)
    size: int = 0


@dataclass
class Sample:
    """The decided comparisons and the responses of some prompts: of all up to `limit`, else of the first by SHA-256.

    Which ones are taken does not depend on the order in which records come; a prompt is taken whole or not at all. A
    record without a decision counts as one comparison per two responses. Memory holds at most about twice `limit`.
    """

    seed: int = 0
    limit: int = LIMIT
    seen: int = 0
    prompts: dict[bytes, Sampled] = field(default_factory=dict)
    size: int = 0
    ceiling: bytes = b"\xff" * 17

    def add(self, record: Record) -> None:
        """Take a record into account: its `decided_comparisons` and its responses."""
        decided = [comparison for _, comparison in decided_comparisons(record)]
        self.seen += len(decided)
        key = hashlib.sha256(f"{self.seed}:{record.prompt_id}".encode()).digest()[:16]
        if key > self.ceiling:
            return
        sampled = self.prompts.setdefault(key, Sampled())
        for response in record.responses:
            text = text_hash(response.text)
            sampled.answers[text] = min(sampled.answers.get(text, record.place), record.place, key=in_order)
        if decided:
            features = features_of(record)
            sampled.rows.extend(row_of(record, c, features) for c in decided)
        size = max(len(decided), len(record.responses) // 2, 1)
        sampled.size += size
        self.size += size
        if self.size > 2 * self.limit:
            self.trim()

    def trim(self) -> None:
        """Keep the first prompts by hash, until `limit` comparisons are reached."""
        kept, size = {}, 0
        for key in sorted(self.prompts):
            if size >= self.limit:
                break
            kept[key] = self.prompts[key]
            size += kept[key].size
            self.ceiling = key
        self.prompts, self.size = kept, size

    def settled(self) -> list[Sampled]:
        """The prompts of the sample, in an order that does not depend on the order of the records."""
        if self.size > self.limit:
            self.trim()
        return [self.prompts[key] for key in sorted(self.prompts)]

    def ordered(self) -> Iterator[tuple[int, SampledComparison]]:
        """(number of the prompt, row), in an order that does not depend on the order of the records."""
        for number, prompt in enumerate(self.settled()):
            for row in sorted(prompt.rows, key=lambda row: (row.texts, row.weight, row.preferred, str(row.generators))):
                yield number, row

    def answers(self) -> list[dict[int, str]]:
        """Per prompt, in the order of `ordered`: where each response stands first, by the hash of its text."""
        return [prompt.answers for prompt in self.settled()]


def decided_comparisons(record: Record) -> list[tuple[int, Comparison]]:
    """(number, comparison) of those that are no ties and have weight, of the attribute `overall`, or else of the first one.

    What is helpful and what is safe may be opposite; mixed, one would hide what predicts the other.
    """
    attributes = [comparison.attribute for comparison in record.comparisons]
    one = "overall" if "overall" in attributes else attributes[0] if attributes else None
    return [
        (number, comparison)
        for number, comparison in enumerate(record.comparisons)
        if comparison.attribute == one and not comparison.is_tie and comparison.weight > 0
    ]


def features_of(record: Record) -> list[tuple[float, ...]]:
    """The values of FEATURES for each response."""
    return [tuple(float(feature(one.text)) for feature in FEATURES.values()) for one in record.responses]


def row_of(record: Record, comparison: Comparison, features: Sequence[tuple[float, ...]]) -> SampledComparison:
    """One comparison, the preferred response first."""
    i, j = comparison.i, comparison.j
    shown = comparison.shown_first
    return SampledComparison(
        preferred=(*features[i], float(i < j), float(shown == i)),
        other=(*features[j], float(j < i), float(shown == j)),
        generators=(record.responses[i].generator, record.responses[j].generator),
        texts=(text_hash(record.responses[i].text), text_hash(record.responses[j].text)),
        weight=comparison.weight,
    )


def text_hash(text: str) -> int:
    """64 bits of the SHA-256 of a text, white space at its ends left out."""
    return int.from_bytes(hashlib.sha256(text.strip().encode(errors="surrogatepass")).digest()[:8], "big")
