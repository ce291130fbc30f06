"""Thresholds on what was measured of a row. Crossing one is a finding, and a reason to remove the row where asked for."""

from collections.abc import Iterator
from dataclasses import dataclass

from rewardsmith.errors import UsageError
from rewardsmith.quality.row.measures import SIMILARITY_FLOOR, Values
from rewardsmith.quality.text.languages import LANGUAGES


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The thresholds; None switches a limit off. A value exactly at its threshold is inside."""

    min_chars: int | None = None
    """Minimum number of characters of a response; default: no limit."""

    max_chars: int | None = None
    """Maximum number of characters of a response; default: no limit."""

    min_words: int | None = None
    """Minimum number of words of a response (a Chinese or Japanese character counts as a word); default: no limit."""

    max_words: int | None = None
    """Maximum number of words of a response (a Chinese or Japanese character counts as a word); default: no limit."""

    max_similarity: float = 0.9
    """Maximum edit similarity (0.7 to 1) of compared responses."""

    max_repetition: float = 0.6
    """Maximum share (0 to 1) of repeated word 4-grams in a response."""

    max_compression: float = 8.0
    """Maximum zlib compression ratio of a response of 200 bytes or more."""

    min_agreement: float = 0.6
    """Minimum annotator agreement (0 to 1)."""

    min_votes: int = 2
    """Minimum number of votes of a comparison, if the data has votes."""

    languages: tuple[str, ...] = ()
    """Allowed language of responses, such as zh, en, ja or other; repeat the flag for several; default: all."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit that a row crossed: its check, how severe that is, the value, the threshold, and both in a sentence."""

    check: str
    severity: str
    value: float | str
    threshold: float | str
    detail: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A check that compares one value with one threshold; `above` tells on which side of it the bad rows are."""

    value: str
    threshold: str | None
    above: bool
    sentence: str
    severity: str = "warning"

    def crossed(self, check: str, values: Values, limits: Limits) -> Crossing | None:
        """The crossing, where the row tells the value, the threshold is set, and it is crossed."""
        value = getattr(values, self.value)
        threshold = 0 if self.threshold is None else getattr(limits, self.threshold)
        if value is None or threshold is None or not (value > threshold if self.above else value < threshold):
            return None
        return Crossing(check, self.severity, value, threshold, self.sentence.format(f"{value:g}"))


LIMITS: dict[str, Limit] = {
    "too_few_chars": Limit("shortest_chars", "min_chars", False, "{0} characters in the shortest response"),
    "too_many_chars": Limit("longest_chars", "max_chars", True, "{0} characters in the longest response"),
    "too_few_words": Limit("shortest_words", "min_words", False, "{0} words in the shortest response"),
    "too_many_words": Limit("longest_words", "max_words", True, "{0} words in the longest response"),
    "similar_responses": Limit("similarity", "max_similarity", True, "the compared responses have similarity {0}"),
    "repetition": Limit("repetition", "max_repetition", True, "a share of {0} of the word 4-grams are repeated"),
    "compressible": Limit("compression", "max_compression", True, "compression ratio {0}"),
    "refusal": Limit("refusals", None, True, "{0} responses are refusals", severity="info"),
    "low_agreement": Limit("agreement", "min_agreement", False, "annotator agreement {0}", severity="info"),
    "few_votes": Limit("votes", "min_votes", False, "only {0} votes", severity="info"),
}
OTHER_LANGUAGE = "other_language"
LOWEST_SHARES = {"max_similarity": SIMILARITY_FLOOR, "max_repetition": 0.0, "min_agreement": 0.0}
"""Thresholds that are shares: from here to 1."""


def crossings(values: Values, limits: Limits) -> Iterator[Crossing]:
    """Every limit that a row crosses, in the order of LIMITS."""
    for check, limit in LIMITS.items():
        if (crossing := limit.crossed(check, values, limits)) is not None:
            yield crossing
    if limits.languages and values.language not in limits.languages:
        wanted = ", ".join(limits.languages)
        yield Crossing(OTHER_LANGUAGE, "warning", values.language, wanted, f"the responses are in {values.language}")


def check_counts(limits: Limits) -> None:
    """UsageError for a negative count, or a least one above the most."""
    for name in ("min_chars", "max_chars", "min_words", "max_words", "min_votes"):
        value = getattr(limits, name)
        if value is not None and value < 0:
            raise UsageError(f"{name} is {value}; expected 0 or more")
    for unit in ("chars", "words"):
        low, high = getattr(limits, f"min_{unit}"), getattr(limits, f"max_{unit}")
        if low is not None and high is not None and low > high:
            raise UsageError(f"min_{unit} {low} is greater than max_{unit} {high}; no row can satisfy both")


def check_limits(limits: Limits) -> None:
    """UsageError for a threshold that nothing or everything would cross by mistake."""
    check_counts(limits)
    for name, least in LOWEST_SHARES.items():
        value = getattr(limits, name)
        if not least <= value <= 1:
            raise UsageError(f"{name} is {value}; expected {least:g} to 1")
    if not limits.max_compression >= 1:
        raise UsageError(f"max_compression is {limits.max_compression}; expected 1 or more")
    for language in limits.languages:
        if language not in LANGUAGES:
            raise UsageError(f"languages has {language!r}; expected one of {', '.join(LANGUAGES)}")
