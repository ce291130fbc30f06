"""What a model of the loop is worth on prompts that nothing was trained on: samples, their rewards, win rate, divergence."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.align.diversity import distinct_share, self_bleu, words_of
from rewardsmith.data.loading.load import load
from rewardsmith.evaluate.inference.clustered import (
    DIFFERENCE,
    SHARE,
    ClusteredMean,
    clustered_mean,
    unbounded_mean,
)
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.dpo.measured import divergence, ends, sample_log_probs
from rewardsmith.pipelines.generate.pipeline import generate_source
from rewardsmith.pipelines.self_reward.config import Config
from rewardsmith.pipelines.self_reward.places import LoopPlaces
from rewardsmith.pipelines.self_reward.scoring import (
    ScoredRow,
    judge_accuracy,
    opened,
    read_rows,
    rewards_of,
    source_for,
)
from rewardsmith.progress import Progress

EVAL_SEED = 7919
"""Added to the seed for the samples that models are measured on: the same draws for every model."""


def measure(config: Config, places: LoopPlaces, number: int, model: str, progress: Progress) -> dict[str, Any]:
    """Measure the model of an iteration (0: the first one) and keep what was found; what is there is not measured again."""
    here = places.iteration(number)
    if here.measured.is_file():
        return read_object(here.measured)
    if not here.samples.is_file():
        settings = config.generating(
            model, places.eval_prompts, here.samples, seed=config.seed + EVAL_SEED, evaluating=True
        )
        generate_source(settings, progress)
    own, base = read_rows(here.samples), read_rows(places.iteration(0).samples)
    source = source_for(config, model)
    try:
        judged = judge_accuracy(config, source, labelled_records(config), progress)
    finally:
        source.close()
    found = {
        "samples": sum(0 if row.record is None else len(row.record.responses) for row in own),
        "length": lengths(own),
        "diversity": diversity(own),
        "judge": judged,
        "independent": None if config.independent is None else compared(config, own, base, progress),
        "kl": divergence_of(config, model, own, progress),
    }
    write_json(here.measured, found)
    return found


def labelled_records(config: Config) -> Sequence[Any]:
    """The frozen labelled data, the same in every iteration."""
    return load(*config.labelled).records if config.labelled else ()


def lengths(rows: Sequence[ScoredRow]) -> dict[str, Any]:
    """Mean length of the responses, and the share of those that ended at the limit of tokens."""
    characters, tokens, cut = [], [], []
    for row in rows:
        if row.record is None:
            continue
        fields = row.record.fields
        characters += [len(response.text) for response in row.record.responses]
        tokens += [each for each in fields.get("completion_tokens", []) if each is not None]
        cut += [reason == "length" for reason in fields.get("finish_reasons", [])]
    return {"characters": mean(characters), "tokens": mean(tokens), "truncated": mean(cut)}


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if values else None


def diversity(rows: Sequence[ScoredRow]) -> dict[str, Any]:
    """Distinct unigrams and bigrams over all responses, and self-BLEU within the prompts that have several."""
    spoken = [[words_of(each.text) for each in row.record.responses] for row in rows if row.record is not None]
    every = [words for some in spoken for words in some]
    within = [value for some in spoken if (value := self_bleu(some)) is not None]
    return {"distinct_1": distinct_share(every, 1), "distinct_2": distinct_share(every, 2), "self_bleu": mean(within)}


def compared(config: Config, own: Sequence[ScoredRow], base: Sequence[ScoredRow], progress: Progress) -> dict[str, Any]:
    """The independent reward of a model's samples against those of the first model, sample by sample of each prompt.

    `win_rate` counts a tie half; intervals are over prompts. Samples without a reward on either side are left aside.
    """
    source = opened(config, str(config.independent))
    try:
        (now, then) = (by_prompt(rows, rewards_of(source, rows, progress)) for rows in (own, base))
    finally:
        source.close()
    pairs = [(number, one, other) for number in now for one, other in zip(now[number], then[number], strict=False)]
    known = [(number, one, other) for number, one, other in pairs if not (math.isnan(one) or math.isnan(other))]
    numbers = np.array([number for number, _, _ in known], dtype=np.int64)
    rewards, before = (np.array([row[at] for row in known], dtype=np.float64) for at in (1, 2))
    wins = (rewards > before) + 0.5 * (rewards == before)
    weight = np.ones(len(known))
    return {
        "n": len(known),
        "unscored": len(pairs) - len(known),
        "win_rate": told(clustered_mean(wins, weight, cluster=numbers)),
        "tie_rate": mean((rewards == before).tolist()),
        "mean": told(within(SHARE, rewards, weight, numbers)),
        "difference": told(within(DIFFERENCE, rewards - before, weight, numbers)),
    }


def within(
    bounds: tuple[float, float], values: Float[np.ndarray, " N"], weight: Float[np.ndarray, " N"], cluster: np.ndarray
) -> ClusteredMean:
    """The mean of rewards or their differences; where all lie within bounds, as a check's do, its interval does so too."""
    if values.size and bounds[0] <= values.min() and values.max() <= bounds[1]:
        return clustered_mean(values, weight, cluster=cluster, bounds=bounds)
    return unbounded_mean(values, weight, cluster=cluster)


def told(found: ClusteredMean) -> dict[str, Any]:
    """A mean with its interval, as JSON keeps them."""
    return {"value": None if math.isnan(found.value) else found.value, "ci": ends(found.interval())}


def by_prompt(rows: Sequence[ScoredRow], rewards: Sequence[Float[np.ndarray, " K"]]) -> dict[int, list[float]]:
    """The rewards of each prompt's samples by the number of their draw, NaN where nothing was said."""
    known = iter(rewards)
    found: dict[int, list[float]] = {}
    for number, row in enumerate(rows):
        values = [] if row.record is None else next(known).tolist()
        silent = {each["sample"] for each in (row.row.get("fields") or {}).get("unanswered", [])}
        left = iter(values)
        found[number] = [
            math.nan if sample in silent else next(left, math.nan) for sample in range(len(values) + len(silent))
        ]
    return found


def divergence_of(config: Config, model: str, rows: Sequence[ScoredRow], progress: Progress) -> dict[str, Any] | None:
    """KL(model, first model) from the samples, in nats per response."""
    from rewardsmith.align.dpo.opening import open_policy

    records = [row.record for row in rows if row.record is not None]
    if model == config.model or not records:
        return None
    opening: dict[str, Any] = {
        "device": config.device, "dtype": "fp32", "max_length": config.max_length, "thinking": config.thinking,
        "trust_remote_code": config.trust_remote_code,
    }  # fmt: skip
    found = []
    for name in (model, config.model):
        found.append(sample_log_probs(open_policy(name, **opening), records))
    return divergence(*found)


def scores_of(path: Path) -> dict[str, Any]:
    """How the rewards of an iteration's candidates are distributed, and whether they still tell candidates apart.

    `flat` is the share of prompts whose candidates all have one reward: nothing can be learned from these.
    """
    rows = read_rows(path)
    every = [row.rewards for row in rows if row.record is not None]
    known = [each[~np.isnan(each)] for each in every]
    values = np.concatenate([np.zeros(0), *known])
    asked = sum(map(len, every)) + sum(map(silent_count, rows))
    told = {
        "candidates": asked,
        "parsable": values.size / asked if asked else 0.0,
        "distinct": int(np.unique(values).size),
    }
    if not values.size:
        return {**told, "mean": None, "std": None, "flat": None, "histogram": None}
    flat = mean([float(np.ptp(each) == 0) for each in known if each.size >= 2])
    spread = {"mean": float(values.mean()), "std": float(values.std())}
    return {**told, **spread, "flat": flat, "histogram": histogram_of(values)}


def silent_count(row: ScoredRow) -> int:
    """How many of a prompt's candidates say nothing."""
    return len((row.row.get("fields") or {}).get("unanswered", []))


def histogram_of(values: Float[np.ndarray, " N"]) -> dict[str, Any]:
    """Ten bins of one width over the range of the values."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=10, range=(low, high if high > low else low + 1.0))
    return {"edges": edges.tolist(), "counts": counts.tolist()}
