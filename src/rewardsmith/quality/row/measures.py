"""What is measured of a row, once: lengths, similarity, repetition, refusals, votes. Thresholds come later (`limits`).

Each value depends on its own record alone, never on other rows or their order.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.quality.text.characters import length_in_words, plain_ascii
from rewardsmith.quality.text.languages import language_of
from rewardsmith.quality.text.refusals import is_refusal
from rewardsmith.records import Comparison, Record

SIMILARITY_FLOOR = 0.7
"""Lower similarities are kept as 0, so that the search may stop early: several times faster, as most pairs are far apart."""
SIMILARITY_CHARS = 50_000
"""Longer responses are not compared: the time grows with the product of the lengths."""

GRAM = 4
TAIL_PIECES = 80
"""A model that got stuck says its last words over and over, however long the text before them is."""
FEWEST_PIECES = 20
FEWEST_BYTES = 200
"""Shorter texts repeat and compress by chance: `Yes, yes, yes!` is no defect."""
WORDS_KEPT = bytes(n if chr(n).isalnum() or n == 95 else 32 for n in range(128)) + bytes(128)
PIECE = re.compile(rf"[{CJK_RANGES}]|[^\W{CJK_RANGES}]+")

AGREEMENT_FIELDS = ("annotator_agreement", "agreement")


@dataclass(frozen=True, slots=True)
class Values:
    """What was measured of one record; None where the row does not tell.

    Lengths are one per response: characters are Unicode code points without the space around them, words as in
    `length_in_words`. `similarity` in [0, 1] is that of the least similar responses of which one is preferred, so that a
    ranking counts as similar where all of it is. `repetition` in [0, 1] and `compression` (bytes before over after) are
    those of the worst response; `refusals` counts responses. `agreement` in [0, 1] and `votes` are those of the comparison
    with the least.
    """

    chars: tuple[int, ...]
    words: tuple[int, ...]
    language: str
    similarity: float | None
    repetition: float
    compression: float
    refusals: int
    agreement: float | None
    votes: int | None

    @property
    def shortest_chars(self) -> int:
        """Characters of the shortest response."""
        return min(self.chars)

    @property
    def longest_chars(self) -> int:
        """Characters of the longest response."""
        return max(self.chars)

    @property
    def shortest_words(self) -> int:
        """Words of the response with the fewest."""
        return min(self.words)

    @property
    def longest_words(self) -> int:
        """Words of the response with the most."""
        return max(self.words)


def measure(record: Record) -> Values:
    """All values of a record."""
    texts = [response.text for response in record.responses]
    return Values(
        chars=tuple(len(text.strip()) for text in texts),
        words=tuple(map(length_in_words, texts)),
        language=language_of("\n".join(texts)),
        similarity=least_similarity(texts, record.comparisons),
        repetition=round(max(map(repetition, texts)), 4),
        compression=round(max(map(compression, texts)), 4),
        refusals=sum(is_refusal(text) for text in texts),
        agreement=agreement_of(record),
        votes=fewest_votes(record),
    )


def similarity(one: str, other: str) -> float:
    """How alike two texts are, in [0, 1]: 1 - d / n, where d is their Levenshtein distance (characters inserted, deleted or
    replaced) and n the length of the longer one; 0 below SIMILARITY_FLOOR, 1 for two empty texts.
    """
    from rapidfuzz.distance import Levenshtein

    return round(Levenshtein.normalized_similarity(one, other, score_cutoff=SIMILARITY_FLOOR), 4)


def least_similarity(texts: list[str], comparisons: tuple[Comparison, ...]) -> float | None:
    """The similarity of the least similar responses of which one is preferred; None where none is, or for long ones."""
    pairs = sorted({(min(c.i, c.j), max(c.i, c.j)) for c in comparisons if not c.is_tie})
    least = None
    for i, j in pairs:
        if max(len(texts[i]), len(texts[j])) > SIMILARITY_CHARS:
            return None
        least = min(similarity(texts[i], texts[j]), 1.0 if least is None else least)
        if least == 0:
            break
    return least


def repetition(text: str) -> float:
    """The share of a text's runs of GRAM words that stood in it before, in [0, 1]; a CJK character is a word.

    It is that of the whole text or of its last TAIL_PIECES words, whichever is more; 0 for texts of fewer than FEWEST_PIECES
    words. Degenerate generation ("the the", a line over and over) is near 1.
    """
    pieces = pieces_of(text)
    if len(pieces) < FEWEST_PIECES:
        return 0.0
    return max(repeated_share(pieces), repeated_share(pieces[-TAIL_PIECES:]))


def repeated_share(pieces: Sequence[str | bytes]) -> float:
    """The share of the runs of GRAM pieces that are not the first of their kind."""
    runs = len(pieces) - GRAM + 1
    different = len(set(zip(*(pieces[start:] for start in range(GRAM)), strict=False)))
    return 1 - different / runs


def pieces_of(text: str) -> Sequence[str | bytes]:
    """The words of a text in order; of ASCII texts, what stands between spaces."""
    if text.isascii():
        return text.split()
    plain = plain_ascii(text)
    return PIECE.findall(text) if plain is None else plain.encode().translate(WORDS_KEPT).split()


def compression(text: str) -> float:
    """How many times smaller zlib (level 6) makes a text's UTF-8; 1 for texts of fewer than FEWEST_BYTES bytes."""
    data = text.encode(errors="surrogatepass")
    return len(data) / len(zlib.compress(data, 6)) if len(data) >= FEWEST_BYTES else 1.0


def agreement_of(record: Record) -> float | None:
    """The least agreement among a record's comparisons, in [0, 1]; where none tells, the row's own column of that name."""
    shares = [value for comparison in record.comparisons if (value := agreement(comparison)) is not None]
    if shares:
        return round(min(shares), 4)
    return next(stated(record), None)


def agreement(comparison: Comparison) -> float | None:
    """The share of the judges with the most common opinion; None for one label alone."""
    if comparison.votes is not None and any(comparison.votes):
        return max(comparison.votes) / sum(comparison.votes)
    return comparison.preference if 0.5 < comparison.preference < 1 else None


def stated(record: Record) -> Iterator[float]:
    """Agreement in [0, 1] as a column of the row states it."""
    for name in AGREEMENT_FIELDS:
        value = record.fields.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            yield round(float(value), 4)


def fewest_votes(record: Record) -> int | None:
    """How many votes the comparison with the fewest has; None where no comparison tells."""
    return min((sum(c.votes) for c in record.comparisons if c.votes is not None), default=None)
