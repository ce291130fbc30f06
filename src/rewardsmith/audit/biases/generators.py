"""Whether rewards depend on which model wrote a response, beyond what the labels say."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from rewardsmith.audit.effect import Effect, Scale, mean_effect
from rewardsmith.diagnose.finding import Said
from rewardsmith.records import Record

MOST = 10
"""Generators that are looked at, those with the most prompts; each test makes the others' correction harder."""

FEWEST_PROMPTS = 10


def label_quality(record: Record) -> Float[np.ndarray, " K"]:
    """Wins less losses of every response over its comparisons, as a share of them; 0 where it was not compared."""
    lead, count = np.zeros(len(record.responses)), np.zeros(len(record.responses))
    for c in record.comparisons:
        lead[c.i] += 2 * c.preference - 1
        lead[c.j] -= 2 * c.preference - 1
        count[c.i] += 1
        count[c.j] += 1
    return lead / np.maximum(count, 1)


def centred(values: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Differences from the mean."""
    return np.asarray(values - values.mean())


def generator_effects(
    records: Sequence[Record], rewards: Sequence[Float[np.ndarray, " K"]], scale: Scale, *, bound: float, seed: int
) -> tuple[list[Effect], int]:
    """(the effect of each generator, how many more were left aside for having too few prompts or for their number).

    Reward and quality are centred within each prompt, the reward's slope on the quality over all prompts is taken out, and
    a generator's effect is the mean of what is left over its responses less that over the others to the same prompt.
    """
    used = list(comparable(records, rewards))
    prompts = Counter(name for record, _, _ in used for name in named(record))
    if len(prompts) < 2:
        return [], 0
    enough = [name for name, count in prompts.most_common() if count >= FEWEST_PROMPTS]
    slope = slope_on_quality(used)
    found = [one_generator(name, used, slope, scale, bound=bound, seed=seed) for name in enough[:MOST]]
    return found, len(prompts) - len(found)


def named(record: Record) -> set[str]:
    """The generators of a record."""
    return {response.generator for response in record.responses if response.generator}


def comparable(
    records: Sequence[Record], rewards: Sequence[Float[np.ndarray, " K"]]
) -> Iterator[tuple[Record, np.ndarray, np.ndarray]]:
    """Records with responses of more than one origin, their rewards and their labels' quality, both centred."""
    for record, values in zip(records, rewards, strict=True):
        origins = {response.generator for response in record.responses}
        if len(origins) > 1 and not np.isnan(values).any():
            yield record, centred(values), centred(label_quality(record))


def slope_on_quality(used: Sequence[tuple[Record, np.ndarray, np.ndarray]]) -> float:
    """The least-squares slope of the centred reward on the centred quality; 0 where no label tells responses apart."""
    squares = sum(float(quality @ quality) for _, _, quality in used)
    return sum(float(quality @ values) for _, values, quality in used) / squares if squares else 0.0


def one_generator(
    name: str,
    used: Sequence[tuple[Record, np.ndarray, np.ndarray]],
    slope: float,
    scale: Scale,
    *,
    bound: float,
    seed: int,
) -> Effect:
    """The effect of one generator."""
    leads, clusters, responses = [], [], 0
    numbers: dict[str, int] = {}
    for record, values, quality in used:
        own = np.array([response.generator == name for response in record.responses])
        if own.any() and not own.all():
            rest = (values - slope * quality) / scale.sd
            leads.append(float(rest[own].mean() - rest[~own].mean()))
            clusters.append(numbers.setdefault(record.prompt_id, len(numbers)))
            responses += int(own.sum())
    return mean_effect(
        f"generator_{name}",
        "generator",
        "generator",
        Said(f"written by {name}", f"由 {name} 生成"),
        value=np.array(leads),
        cluster=np.array(clusters),
        scale=scale,
        bound=bound,
        seed=seed,
        n=responses,
    )
