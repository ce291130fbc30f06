"""Every loss, and what resists wrong labels, on a frozen model, with 0, 20 and 40 % of the labels flipped.

    REWARDSMITH_DATA=… python benchmarks/losses.py --data ukp
    python benchmarks/losses.py --data built-in

`ukp`: UKP's pairs, 32 prompts in 16 debates, on SmolLM2-135M. `built-in`: pairs of which the gold reward is known, Chinese
and English, on e5-multilingual. The features are computed once (`frozen_pairs.py`); every method learns a linear head on
them, in four runs with other debates or prompts to test on and other seeds, so that each prompt is tested on once. Training
and validation labels are flipped at the same rate, test labels never. All methods have the same learning rates to choose
from, by accuracy on the noisy validation labels, and the same early stopping on them; no method sees a clean label.
`label-smoothing`, `unbiased` and `crm` are told the rate. `two-models` are two plain runs of which the one that fits
validation better is taken: what `crm` has without its filter. Two rows are no methods: `right-labels-only` is told which
training labels are wrong, and leaves them out; `equal-information` has right labels only, as many as tell as much about
small differences of rewards as all the noisy ones: a label that is flipped with probability e carries (1 - 2e)^2 of the
Fisher information of a right one, at equal rewards. Beside the tuned runs stand those with the default learning rate of a
head, in the same way for all.

Differences to Bradley-Terry are paired by comparison, with intervals by prompt and p-values corrected for the number of
methods at that rate of noise (Holm). ECE is of the raw margins, and of those divided by the temperature of the noisy
validation labels. The results of several calls with other rates of noise are joined in the output file.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frozen_pairs import (
    BATCH,
    EPOCHS,
    FOLDS,
    Pairs,
    Pool,
    drawn,
    flipped,
    learn,
    margins,
    open_built_in,
    open_ukp,
    rewards,
    right,
)
from paired_rows import figures
from rewardsmith.evaluate.calibration import ece, fit_temperature
from rewardsmith.evaluate.inference.significance import holm
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.files import write_json
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.train.fitting.collaborative import Filtering
from rewardsmith.train.schedule import LEARNING_RATES

RESULTS = Path(__file__).parent / "results"
PLAIN, KNOWING, FEWER = "bradley-terry", "right-labels-only", "equal-information"
LOSSES = (
    PLAIN, "label-smoothing", "hinge", "focal", "focal-ranking", "symmetric", "ramp", "unbiased", "gce", "uncertainty",
    "odin", "gaussian", "quantile", "inform",
)  # fmt: skip
"""Those that labels of pairs suffice for; `contrastive` acts on what is frozen here."""
METHODS = (*LOSSES, "two-models", "crm", "crm-curriculum", KNOWING, FEWER)
HEADS = ("gaussian", "quantile", "inform", "odin")
SHOWN = ("method", "noise", "accuracy", "minus_plain", "minus_plain_ci", "rates", "cpu_seconds")
AT_LEAST, AT_MOST = 0.05, 0.45
"""Of the rate that a method is told."""


@dataclass(frozen=True)
class Source:
    """What the data sets differ in: model, pairs to learn from, groups to stop early on, learning rates to choose from."""

    model: str
    pairs: int
    held: int
    rates: str


SOURCES = {
    "ukp": Source("smollm2-135m", 1500, 2, "5e-5,2e-4,1e-3"),
    "built-in": Source("e5-multilingual", 400, 100, "2e-4,1e-3,5e-3"),
}
PROMPTS = 1200
"""Of the built-in data."""


@dataclass(frozen=True)
class Tested:
    """A run's margins on its test pairs, the reward and length of their texts, and what it took."""

    margin: np.ndarray
    default: np.ndarray
    cooled: np.ndarray
    prompts: np.ndarray
    said: np.ndarray
    rate: float
    seconds: float


def parts_of(pool: Pool, number: int, count: int, held_groups: int) -> tuple[Pairs, Pairs, Pairs]:
    """Training (`count`), validation (half of that, from `held_groups` groups) and test pairs of a run."""
    train, held, test = map(pool.of, pool.groups(number, held_groups))
    return drawn(train, count), drawn(held, count // 2), test


def arguments_of(method: str, noise: float) -> dict[str, Any]:
    """What a method changes of the run."""
    told = min(max(noise, AT_LEAST), AT_MOST)
    if method in ("crm", "crm-curriculum"):
        return {"filtering": Filtering(told, 0.3, curriculum=method == "crm-curriculum")}
    if method in ("two-models", KNOWING, FEWER):
        return {}
    options = {"unbiased": {"flip_rate": told}, "label-smoothing": {"smoothing": told}}.get(method)
    return {"loss": method, "options": options, "head": method if method in HEADS else "scalar"}


def learned_from(method: str, clean: Pairs, noise: float, number: int) -> Pairs:
    """The training pairs of a method."""
    noisy = flipped(clean, noise, number)
    if method == KNOWING:
        return [b for a, b in zip(clean, noisy, strict=True) if a is b]
    return drawn(clean, round(len(clean) * (1 - 2 * noise) ** 2)) if method == FEWER else noisy


def tested(
    pool: Pool, parts: Sequence[Pairs], noise: float, number: int, method: str, rates: Sequence[float]
) -> Tested:
    """The run of a method with the learning rate that is best on noisy validation labels, on the clean test pairs."""
    validation, test = flipped(parts[1], noise, 100 + number), parts[2]
    train = learned_from(method, parts[0], noise, number)
    started, found = time.process_time(), []
    for lr in rates:
        for seed in (number, number + 1000) if method == "two-models" else (number,):
            learn(pool, train, validation, lr=lr, seed=seed, **arguments_of(method, noise))
            said = rewards(pool)
            held = margins(pool, validation, said)
            found.append((float(right(held).mean()), -len(found), lr, said, held))
    _, _, rate, values, held = max(found)
    margin = margins(pool, test, values)
    default = margins(pool, test, max(each for each in found if each[2] == LEARNING_RATES["head"])[3])
    temperature = fit_temperature(held, np.ones(len(held)))
    prompts = np.array([int(pair.prompt_id[:12], 16) for pair in test])
    names = {pair.prompt_id for pair in test}
    said = [
        (reward, length_in_words(response.text))
        for record in pool.records
        if record.prompt_id in names
        for reward, response in zip(values[record.prompt_id], record.responses, strict=True)
    ]
    return Tested(margin, default, margin / temperature, prompts, np.array(said), rate, time.process_time() - started)


def row(
    method: str, noise: float, rates: Sequence[float], runs: Sequence[Tested], plain: Sequence[Tested]
) -> dict[str, Any]:
    """The figures of a method at one rate of flipped labels, over all runs."""
    margin, base = (np.concatenate([run.margin for run in each]) for each in (runs, plain))
    defaults = [np.concatenate([run.default for run in each]) for each in (runs, plain)]
    prompts, ones = np.concatenate([run.prompts for run in runs]), np.ones(len(margin))
    paired = compare_margins(margin, base, preference=ones, cluster=prompts, rng=np.random.default_rng(0))
    return {
        "method": method, "noise": noise, "n": len(margin), "prompts": len(np.unique(prompts)), "runs": len(runs),
        **figures(margin, base, prompts, minus="minus_plain"), "p_value": paired.p_value,
        "at_default_rate": figures(*defaults, prompts, minus="minus_plain"),
        "by_run": [float(right(run.margin).mean()) for run in runs],
        "ece": float(np.mean([ece(run.margin, np.ones(len(run.margin))) for run in runs])),
        "ece_after_temperature": float(np.mean([ece(run.cooled, np.ones(len(run.cooled))) for run in runs])),
        "length_correlation": float(np.mean([np.corrcoef(run.said.T)[0, 1] for run in runs])),
        "tried": list(rates), "rates": [run.rate for run in runs], "cpu_seconds": sum(run.seconds for run in runs),
    }  # fmt: skip


def corrected(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows with p-values corrected for all methods beside the plain one; those that see right labels are none."""
    methods = [each for each in rows if each["method"] not in (PLAIN, KNOWING, FEWER)]
    adjusted = dict(zip([each["method"] for each in methods], holm([each["p_value"] for each in methods]), strict=True))
    for each in rows:
        yield {**each, "p_corrected": adjusted.get(each["method"])}


def opened(data: str) -> Pool:
    """The pairs of a data set, on its model."""
    if data == "built-in":
        return open_built_in(PROMPTS, SOURCES[data].model)
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    return open_ukp(place, SOURCES[data].model)


def main() -> None:
    """Train and test all methods, and write the rows after each rate of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=SOURCES, required=True)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--noise", default="0.4,0,0.2")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--rates")
    given = parser.parse_args()
    source = SOURCES[given.data]
    count, output = given.pairs or source.pairs, given.output or RESULTS / f"losses_{given.data.replace('-', '_')}.json"
    methods = list(dict.fromkeys([PLAIN, *given.methods.split(",")]))
    pool, rates = opened(given.data), [float(rate) for rate in (given.rates or source.rates).split(",")]
    folds = [parts_of(pool, number, count, source.held) for number in range(FOLDS)]
    before = json.loads(output.read_text())["rows"] if output.exists() else []
    levels = [float(level) for level in given.noise.split(",")]
    rows = [each for each in before if each["noise"] not in levels]
    for noise in levels:
        plain: list[Tested] = []
        seen = []
        for method in methods:
            runs = [tested(pool, folds[number], noise, number, method, rates) for number in range(FOLDS)]
            plain = runs if method == PLAIN else plain
            seen.append(row(method, noise, rates, runs, plain))
            print(json.dumps({key: seen[-1][key] for key in SHOWN}), flush=True)
            settings = {"model": source.model, "pairs": count, "batch": BATCH, "epochs": EPOCHS}
            write_json(output, {"settings": settings, "rows": [*rows, *corrected(seen)]})
        rows += corrected(seen)


if __name__ == "__main__":
    main()
