"""What a model was judged on beside what it was trained on: overlap, figures on both, and how the data differ."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.evaluate import metrics
from rewardsmith.evaluate.statistics import Interval, cluster_index, cluster_intervals, group_gap, ratio_statistic
from rewardsmith.quality.cross_row.minhash import units
from rewardsmith.quality.cross_row.overlap import KINDS, NEW, digest, overlap_with, prompt_text
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Record

SAMPLE = 400
"""Training comparisons that are scored beside the judged ones: an accuracy to within five points."""

READ = 2_000
"""Records of each side whose languages, lengths and words are compared: shares to within about two points."""

SHAPES = 20
"""Kinds of conversation (the roles of their turns) that are counted, the most frequent first."""

FEWEST_READ = 20
"""Training records under which half of them know too few words to compare with."""

RESAMPLES = 1_000


@dataclass(frozen=True, eq=False)
class ComparedMargins:
    """Comparisons with their margins, each array of shape (N,), and which record each is of, counted from 0."""

    margin: Float[np.ndarray, " N"]
    preference: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]
    cluster: Int[np.ndarray, " N"]
    record: Int[np.ndarray, " N"]

    def figures(self, where: "np.ndarray | slice" = slice(None)) -> dict[str, Any]:
        """n, prompts, accuracy and loss with 95 % intervals over prompts, of the decided comparisons of weight chosen."""
        used = np.zeros(self.margin.size, bool)
        used[where] = True
        used &= (self.weight > 0) & metrics.decided(self.preference) & np.isfinite(self.margin)
        if not used.any():
            return {"n": 0, "clusters": 0, "accuracy": None, "accuracy_ci": None, "nll": None, "nll_ci": None}
        margin, weight = self.margin[used], self.weight[used]
        index, clusters = cluster_index(self.cluster[used])
        values = {"accuracy": metrics.correctness(margin), "nll": metrics.nll_values(margin, self.preference[used])}
        found = cluster_intervals(
            {name: ratio_statistic(value, weight, index=index) for name, value in values.items()},
            clusters=clusters,
            rng=np.random.default_rng(0),
            bounds={"accuracy": (0.0, 1.0)},
            resamples=RESAMPLES,
        )
        told: dict[str, Any] = {"n": int(used.sum()), "clusters": clusters}
        for name, value in values.items():
            told |= {name: metrics.weighted_mean(value, weight), f"{name}_ci": ends(found[name])}
        return told


def margins_of(records: Sequence[Record], rewards: Sequence[np.ndarray]) -> ComparedMargins:
    """The comparisons of records with the rewards of their responses, the prompts numbered."""
    prompts: dict[str, int] = {}
    values = [
        (given[c.i] - given[c.j], c.preference, c.weight, prompts.setdefault(record.prompt_id, len(prompts)), number)
        for number, (record, given) in enumerate(zip(records, rewards, strict=True))
        for c in record.comparisons
    ]
    margin, preference, weight, cluster, record_number = np.array(values, dtype=np.float64).reshape(-1, 5).T
    return ComparedMargins(margin, preference, weight, cluster.astype(np.int64), record_number.astype(np.int64))


def ends(found: Interval) -> list[float] | None:
    """[low, high]; None where there is no interval."""
    return None if np.isnan(found.low) else [float(found.low), float(found.high)]


def sample_of(records: Sequence[Record], seed: int = 0) -> list[Record]:
    """Records with at most SAMPLE comparisons in all, evenly from the whole list, the same every time."""
    usable = [record for record in records if any(not c.is_tie and c.weight > 0 for c in record.comparisons)]
    order = np.random.default_rng(seed).permutation(len(usable))
    chosen: list[Record] = []
    count = 0
    for at in order.tolist():
        count += len(usable[at].comparisons)
        if chosen and count > SAMPLE:
            break
        chosen.append(usable[at])
    return chosen


def beside_training(
    judged: Sequence[Record], margins: ComparedMargins, training: Sequence[Record], trained: ComparedMargins | None
) -> dict[str, Any]:
    """The object `training` of evaluation.json; see docs/metrics.md.

    `margins` are of the comparisons of `judged`, `trained` of a sample of the comparisons of `training` (None: not scored).
    """
    overlap = overlap_with(judged, training)
    kinds = np.array([KINDS.index(kind) for kind in overlap.kinds], dtype=np.int64)
    of_rows = kinds[margins.record]
    new = of_rows == KINDS.index(NEW)
    return {
        "records": len(training),
        "overlap": {
            "records": {kind: overlap.kinds.count(kind) for kind in KINDS},
            "comparisons": {kind: int((of_rows == at).sum()) for at, kind in enumerate(KINDS)},
            "new": margins.figures(new) if not new.all() else None,
            "examples": [list(example) for example in overlap.examples],
        },
        "sample": None if trained is None else trained.figures(),
        "repeats": repeats_in(training),
        "judged_repeats": repeats_in(judged),
        "profile": {"training": profile_of(training), "judged": profile_of(judged)},
        "new_words": new_words(judged, training),
    }


def spread_over(records: Sequence[Record]) -> Sequence[Record]:
    """At most READ of the records, at even distances."""
    step = max(1, -(-len(records) // READ))
    return records[::step]


def whole_text(record: Record) -> str:
    """Prompt and responses."""
    return "\n".join([prompt_text(record), *(response.text for response in record.responses)])


def profile_of(records: Sequence[Record]) -> dict[str, Any]:
    """Languages, how long prompts and responses are, and the roles of the prompt's turns, of at most READ records; ties and
    prompts of all.
    """
    read = spread_over(records)
    texts = [whole_text(record) for record in read]
    shapes = Counter(" ".join(turn.role for turn in record.prompt) for record in read)
    prompts = Counter(record.prompt_id for record in records)
    comparisons = [c for record in records for c in record.comparisons]
    return {
        "languages": dict(Counter(map(language_of, texts)).most_common()),
        "words": lengths_of(response.text for record in read for response in record.responses),
        "prompt_words": lengths_of(map(prompt_text, read)),
        "same_prompt": max(prompts.values(), default=0) / max(1, len(records)),
        "shapes": dict(shapes.most_common(SHAPES)),
        "prompts": len(prompts),
        "comparisons": len(comparisons),
        "ties": sum(c.is_tie for c in comparisons),
    }


def lengths_of(texts: Iterable[str]) -> list[float] | None:
    """The 10 %, 50 % and 90 % quantiles of their lengths in words; None for no texts."""
    words = [length_in_words(text) for text in texts]
    return [float(value) for value in np.quantile(words, (0.1, 0.5, 0.9))] if words else None


def repeats_in(records: Sequence[Record]) -> dict[str, int]:
    """How many comparisons of texts there are, how many repeat an earlier one, and how many contradict one.

    The same texts, case and punctuation aside, under the same prompt; a tie contradicts nothing.
    """
    seen: dict[Hashable, set[bool]] = {}
    told = Counter[str]()
    for record in records:
        prompt = digest(prompt_text(record))
        texts = [digest(response.text) for response in record.responses]
        for c in record.comparisons:
            if c.is_tie or texts[c.i] == texts[c.j]:
                continue
            key = prompt, *sorted((texts[c.i], texts[c.j])), c.attribute
            known, side = seen.setdefault(key, set()), texts[c.i] < texts[c.j]
            told["comparisons"] += 1
            told["repeated"] += bool(known)
            told["contradictory"] += (not side) in known
            known.add(side)
    return {name: told[name] for name in ("comparisons", "repeated", "contradictory")}


def new_words(judged: Sequence[Record], training: Sequence[Record]) -> Mapping[str, Any] | None:
    """The share of running words that the training records of one half of the prompts do not know: of the judged records,
    and of the other half, and the 95 % interval of their difference, over prompts. None where there are too few records.

    Halves of prompts, since records of one prompt know each other's words, as no judged record of another prompt does.
    """
    read = spread_over(training)
    order: dict[str, int] = {}
    prompts = [order.setdefault(record.prompt_id, len(order)) for record in read]
    if len(read) < FEWEST_READ or len(order) < 2 or not judged:
        return None
    known = set(words_of(compress(read, (prompt % 2 == 0 for prompt in prompts))))
    beside = list(compress(read, (prompt % 2 for prompt in prompts)))
    both = [*spread_over(judged), *beside]
    unknown, words = np.array([unknown_words(record, known) for record in both], dtype=np.float64).T
    cluster = np.array([order.setdefault(record.prompt_id, len(order)) for record in both])
    trained = np.arange(len(both)) >= len(both) - len(beside)
    shares = unknown / np.maximum(words, 1)
    gap = group_gap(shares, words, cluster=cluster, one=~trained, other=trained).interval()
    return {
        "judged": metrics.weighted_mean(shares[~trained], words[~trained]),
        "training": metrics.weighted_mean(shares[trained], words[trained]),
        "difference_ci": ends(gap),
    }


def words_of(records: Iterable[Record]) -> Iterable[str]:
    """All words of prompts and responses."""
    for record in records:
        yield from units(prompt_text(record))
        for response in record.responses:
            yield from units(response.text)


def unknown_words(record: Record, known: set[str]) -> tuple[int, int]:
    """How many of a record's running words are not among the known ones, and how many there are."""
    words = list(words_of([record]))
    return sum(word not in known for word in words), len(words)
