"""The built-in data: preferences over small orders, drawn from a gold reward that is known.

A prompt orders something with five attributes; a response confirms it and gets m of the five right. The gold reward is
`LOGITS_PER_MATCH * m`, and a judge prefers response i to j with the probability of Bradley and Terry (Biometrika 39,
1952, eq. 1), sigmoid((gold_i - gold_j) / noise). Every value is equally likely in a good and in a bad response, so
nothing that looks at responses alone, or at their length, can do better than a coin: only the fit between prompt and
response counts. On request, faults are planted, and the rows that carry them are returned as truth.
"""

import hashlib
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rewardsmith.data.synthetic import faults as row_faults
from rewardsmith.data.synthetic.texts import FRAMES, LANGUAGES, TOPICS, Phrases
from rewardsmith.errors import DataError
from rewardsmith.records import Comparison, Message, Record, Response

SOURCE = "synthetic"
LOGITS_PER_MATCH = 1.5
MAX_PROMPTS = 50_000
MAX_RESPONSES = 64


@dataclass(frozen=True)
class Synthetic:
    """Generated records and all that is true of them.

    `gold[r][k]` is the gold reward of response k of `records[r]`, in logits. `ceiling` is the accuracy that the gold
    reward is expected to reach on the labels of `records`, planted flips counted as errors: no model can be expected
    to do better (NaN without comparisons). `planted[fault]` are the indices into `records` that carry a fault, in
    order; no row carries two. `twins` maps a row that was added as a copy to the row it copies.
    """

    records: list[Record]
    gold: tuple[tuple[float, ...], ...]
    ceiling: float
    planted: Mapping[str, tuple[int, ...]]
    twins: Mapping[int, int]

    @property
    def gold_by_id(self) -> dict[str, tuple[float, ...]]:
        """Gold rewards by `Record.id`, to find them again after the records were split or shuffled."""
        return {record.id: rewards for record, rewards in zip(self.records, self.gold, strict=True)}


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A record on its way: its gold rewards, and the row it copies where it was added as a copy."""

    record: Record
    gold: tuple[float, ...]
    copies: int | None = None


def generate(
    n_prompts: int,
    *,
    responses_per_prompt: int = 2,
    seed: int = 0,
    language: str = "mixed",
    noise: float = 1.0,
    faults: Mapping[str, float] | None = None,
) -> Synthetic:
    """Draw `n_prompts` distinct prompts with K = `responses_per_prompt` distinct responses each, and judge them.

    The responses of a prompt differ in m as far as K <= 6 allows; every pair with different gold is judged once, and
    independently. `language` is "en", "zh", or "mixed" (each prompt one or the other, evenly). `noise` >= 0 is the
    temperature of the judges (0: they never err). `faults` maps names of FAULTS to rates in [0, 1]: that share of the
    `n_prompts` rows, rounded. Row r depends on (seed, r) only, so a longer run begins with the same rows as a shorter
    one (planted faults aside), in any process. DataError for a value out of range or rates that do not fit together.
    """
    _check(n_prompts, responses_per_prompt, language, noise)
    rates = _checked_rates(faults or {})
    rows = list(_rows(n_prompts, responses_per_prompt, seed, language, noise))
    rows, planted = _plant(rows, rates, seed)
    return Synthetic(
        records=[row.record.at(SOURCE, line) for line, row in enumerate(rows, 1)],
        gold=tuple(row.gold for row in rows),
        ceiling=_ceiling(rows, planted, noise),
        planted=planted,
        twins={index: row.copies for index, row in enumerate(rows) if row.copies is not None},
    )


def _check(n_prompts: int, responses_per_prompt: int, language: str, noise: float) -> None:
    if not 1 <= n_prompts <= MAX_PROMPTS:
        raise DataError(f"n_prompts is {n_prompts}; expected 1 to {MAX_PROMPTS} distinct prompts")
    if not 1 <= responses_per_prompt <= MAX_RESPONSES:
        raise DataError(f"responses_per_prompt is {responses_per_prompt}; expected 1 to {MAX_RESPONSES}")
    if language not in (*LANGUAGES, "mixed"):
        raise DataError(f"unknown language {language!r}; expected en, zh or mixed")
    if not (noise >= 0 and math.isfinite(noise)):
        raise DataError(f"noise is {noise}; expected a finite temperature >= 0 (0: the gold reward decides)")


def _checked_rates(faults: Mapping[str, float]) -> dict[str, float]:
    """The faults in FAULTS' order, whatever order they were asked for in."""
    for name, rate in faults.items():
        if name not in FAULTS:
            raise DataError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
        if not 0 <= rate <= 1:
            raise DataError(f"the rate of {name} is {rate}; expected a share of the prompts, 0 to 1")
    return {name: faults[name] for name in FAULTS if name in faults}


def _stream(*key: object) -> random.Random:
    """Random numbers that depend on `key` alone, the same in every process."""
    return random.Random(hashlib.sha256(":".join(map(str, key)).encode()).digest())


def _probability(difference: float, noise: float) -> float:
    """Bradley-Terry: sigmoid(difference / noise), without overflow; noise 0 gives 0, 1/2 or 1."""
    if noise == 0 or difference == 0:
        return 0.5 + 0.5 * (difference > 0) - 0.5 * (difference < 0)
    return 0.5 * (1 + math.tanh(difference / noise / 2))


# --- rows -------------------------------------------------------------------------------------------------------------


def _rows(n_prompts: int, n_responses: int, seed: int, language: str, noise: float) -> Iterator[MadeRow]:
    seen: set[str] = set()
    for index in range(n_prompts):
        rng = _stream(seed, index)
        spoken = rng.choice(LANGUAGES) if language == "mixed" else language
        prompt = topic = ""
        wanted: dict[str, int] = {}
        while not prompt or prompt in seen:
            topic = rng.choice(tuple(TOPICS))
            phrases = TOPICS[topic][spoken]
            wanted = {name: rng.randrange(len(values)) for name, values in phrases.values.items()}
            prompt = _sentence(rng, FRAMES[spoken].requests, phrases, wanted)
        seen.add(prompt)
        texts, matches = _responses(rng, spoken, topic, wanted, n_responses)
        gold = tuple(LOGITS_PER_MATCH * match for match in matches)
        record = Record(
            prompt=(Message("user", prompt),),
            responses=tuple(Response((Message("assistant", text),)) for text in texts),
            comparisons=_judged(rng, gold, noise),
            fields={"topic": topic, "language": spoken},
        )
        yield MadeRow(record, gold)


def _sentence(
    rng: random.Random, frames: Sequence[tuple[str, str]], phrases: Phrases, chosen: Mapping[str, int]
) -> str:
    before, after = rng.choice(frames)
    words = {name: phrases.values[name][value] for name, value in chosen.items()}
    return before + rng.choice(phrases.bodies).format(**words) + after


def _responses(
    rng: random.Random, language: str, topic: str, wanted: Mapping[str, int], count: int
) -> tuple[list[str], list[int]]:
    """`count` distinct texts and how many attributes each gets right; the numbers right differ as far as they can."""
    phrases = TOPICS[topic][language]
    matches: list[int] = []
    while len(matches) < count:
        levels = range(len(wanted) + 1)
        matches += rng.sample(levels, min(len(levels), count - len(matches)))
    texts: list[str] = []
    for match in matches:
        text = ""
        while not text or text in texts:
            offered = _offer(rng, phrases, wanted, match)
            text = _sentence(rng, FRAMES[language].answers, phrases, offered)
        texts.append(text)
    return texts, matches


def _offer(rng: random.Random, phrases: Phrases, wanted: Mapping[str, int], match: int) -> dict[str, int]:
    """Values for every attribute, `match` of them as wanted and the others wrong.

    A wrong value is uniform over the others; as the wanted one is uniform too, the words of an offer tell nothing.
    """
    right = set(rng.sample(sorted(wanted), match))
    offered = {}
    for name, value in wanted.items():
        size = len(phrases.values[name])
        offered[name] = value if name in right else (value + rng.randrange(1, size)) % size
    return offered


def _judged(rng: random.Random, gold: Sequence[float], noise: float) -> tuple[Comparison, ...]:
    """One comparison per pair of responses that differ in gold; the winner is drawn, and named first."""
    comparisons = []
    for i in range(len(gold)):
        for j in range(i + 1, len(gold)):
            if gold[i] != gold[j]:
                i_wins = rng.random() < _probability(gold[i] - gold[j], noise)
                comparisons.append(Comparison(i, j) if i_wins else Comparison(j, i))
    return tuple(comparisons)


# --- faults -----------------------------------------------------------------------------------------------------------


def _swapped(record: Record) -> Record:
    """Every judgement turned round."""
    turned = tuple(replace(verdict, i=verdict.j, j=verdict.i) for verdict in record.comparisons)
    return replace(record, comparisons=turned)


def _rewritten(record: Record, rewrite: Callable[[str], str]) -> Record:
    """The record with every text of prompt and responses passed through `rewrite`."""
    prompt = tuple(replace(turn, content=rewrite(turn.content)) for turn in record.prompt)
    responses = tuple(
        replace(answer, messages=tuple(replace(turn, content=rewrite(turn.content)) for turn in answer.messages))
        for answer in record.responses
    )
    return replace(record, prompt=prompt, responses=responses)


def _padded(record: Record, rng: random.Random) -> Record:
    """The response that won most often, made longer by a sentence that says nothing about the order."""
    wins = [sum(verdict.i == k for verdict in record.comparisons) for k in range(len(record.responses))]
    best = wins.index(max(wins))
    language = str(record.fields["language"])
    separator = " " if language == "en" else ""
    text = record.responses[best].text + separator + rng.choice(FRAMES[language].padding)
    longer = replace(record.responses[best], messages=(Message("assistant", text),))
    return replace(record, responses=(*record.responses[:best], longer, *record.responses[best + 1 :]))


def misread(text: str) -> str:
    """UTF-8 bytes read as Windows-1252 (bytes it leaves undefined as Latin-1): ASCII stays, all else is garbled."""
    return "".join(_cp1252(byte) for byte in text.encode())


def _cp1252(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _retyped(record: Record, rng: random.Random) -> Record:
    """The same question and answers with another case and spacing of the prompt: no exact match finds the copy."""
    text = record.prompt[-1].content
    shouted = text.upper() if text.upper() != text else "".join(f"{char} " for char in text).strip()
    altered = rng.choice((f"  {shouted}", f"{shouted} ", f"{shouted}\n"))
    return replace(record, prompt=(*record.prompt[:-1], Message("user", altered)))


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a planted fault does to a record; `adds` says whether it adds an altered copy or alters the row itself."""

    apply: Callable[[Record, random.Random], Record]
    adds: bool = False
    flips: bool = False
    needs: Callable[[Record], bool] = lambda record: True


def _has_labels(record: Record) -> bool:
    return bool(record.comparisons)


def _has_three(record: Record) -> bool:
    return len(record.responses) >= 3


def _can_be_garbled(record: Record) -> bool:
    return not all(turn.content.isascii() for conversation in record.conversations for turn in conversation)


def _is_chinese(record: Record) -> bool:
    return bool(record.fields["language"] == "zh")


FAULTS: dict[str, FaultKind] = {
    "label_noise": FaultKind(lambda record, rng: _swapped(record), flips=True, needs=_has_labels),
    "length_shortcut": FaultKind(_padded, needs=_has_labels),
    "mojibake": FaultKind(lambda record, rng: _rewritten(record, misread), needs=_can_be_garbled),
    "duplicates": FaultKind(lambda record, rng: record, adds=True),
    "contradictions": FaultKind(lambda record, rng: _swapped(record), adds=True, flips=True, needs=_has_labels),
    "leakage": FaultKind(_retyped, adds=True),
    "lost_bytes": FaultKind(row_faults.truncated_encoding, needs=_is_chinese),
    "leaked_markup": FaultKind(row_faults.leaked_markup),
    "hidden_characters": FaultKind(row_faults.hidden_characters),
    "near_identical": FaultKind(row_faults.near_identical, needs=_has_labels),
    "repetition": FaultKind(row_faults.stuttering),
    "refusal": FaultKind(row_faults.declined),
    "divided_votes": FaultKind(row_faults.divided_votes, needs=_has_labels),
    "label_conflict": FaultKind(row_faults.ratings_against, needs=_has_labels),
    "double_mojibake": FaultKind(
        lambda record, rng: _rewritten(record, row_faults.misread_twice), needs=_can_be_garbled
    ),
    "wide_mojibake": FaultKind(row_faults.misread_as_gbk, needs=_is_chinese),
    "self_reference": FaultKind(row_faults.speaking_of_itself),
    "foreign_language": FaultKind(row_faults.foreign),
    "cut_short": FaultKind(row_faults.cut_short),
    "drawn_out": FaultKind(row_faults.drawn_out),
    "single_votes": FaultKind(row_faults.single_votes, needs=_has_labels),
    "even_votes": FaultKind(row_faults.even_votes, needs=_has_labels),
    "cycles": FaultKind(row_faults.going_round, needs=_has_three),
    "near_duplicates": FaultKind(row_faults.retyped, adds=True),
}


def _plant(
    rows: list[MadeRow], rates: Mapping[str, float], seed: int
) -> tuple[list[MadeRow], dict[str, tuple[int, ...]]]:
    """Give each fault rows of its own, chosen by hash; altered copies are appended after all rows."""
    planted: dict[str, tuple[int, ...]] = {}
    rows = list(rows)
    free = set(range(len(rows)))
    originals = len(rows)
    for name, rate in rates.items():
        fault = FAULTS[name]
        taken = _take(name, round(rate * originals), (i for i in free if fault.needs(rows[i].record)), seed)
        free.difference_update(taken)
        start = len(rows)
        for index in taken:
            altered = fault.apply(rows[index].record, _stream(seed, name, "how", index))
            if fault.adds:
                rows.append(MadeRow(altered, rows[index].gold, copies=index))
            else:
                rows[index] = MadeRow(altered, rows[index].gold)
        planted[name] = tuple(range(start, len(rows))) if fault.adds else tuple(taken)
    return rows, planted


def _take(name: str, count: int, able: Iterable[int], seed: int) -> list[int]:
    """The `count` rows that come first by SHA-256 of (seed, fault, row), in row order."""
    ranked = sorted(able, key=lambda index: hashlib.sha256(f"{seed}:{name}:{index}".encode()).digest())
    if len(ranked) < count:
        raise DataError(
            f"{name} needs {count} suitable rows without another fault, but only {len(ranked)} are left; lower the "
            "rates (mojibake needs non-ASCII text: language='mixed' or 'zh' has more)"
        )
    return sorted(ranked[:count])


def _ceiling(rows: Sequence[MadeRow], planted: Mapping[str, tuple[int, ...]], noise: float) -> float:
    """Mean over all comparisons of P(label agrees with the gold order); NaN without comparisons."""
    flipped = {index for name, indices in planted.items() if FAULTS[name].flips for index in indices}
    expected = []
    for index, row in enumerate(rows):
        for verdict in row.record.comparisons:
            right = _probability(abs(row.gold[verdict.i] - row.gold[verdict.j]), noise)
            expected.append(1 - right if index in flipped else right)
    return math.fsum(expected) / len(expected) if expected else math.nan
