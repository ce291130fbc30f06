"""Every loss, and what resists wrong labels, on UKP's pairs and a frozen model, with 0, 20 and 40 % of the labels flipped.

    REWARDSMITH_DATA=… python benchmarks/losses_ukp.py [--model smollm2-135m] [--pairs 1500] [--rates 5e-5,2e-4,1e-3]

The features are computed once (`frozen_pairs.py`); every method learns a linear head on them, in four runs with other
debates to test on and other seeds, so that each of the 32 prompts is tested on once. Training and validation labels are
flipped at the same rate, test labels never. All methods have the same learning rates to choose from, by accuracy on the
noisy validation labels, and the same early stopping on them; no method sees a clean label. `label-smoothing`, `unbiased` and
`crm` are told the rate. `two-models` are two plain runs of which the one that fits validation better is taken: what `crm`
has without its filter. `right-labels-only` is no method: it is told which training labels are wrong, and leaves them out.
Beside the tuned runs stand those with the default learning rate of a head, in the same way for all.

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

from frozen_pairs import BATCH, EPOCHS, FOLDS, Pairs, Pool, drawn, flipped, learn, margins, open_ukp, rewards, right
from paired_rows import figures
from rewardsmith.evaluate.calibration import ece, fit_temperature
from rewardsmith.evaluate.inference.significance import holm
from rewardsmith.evaluate.paired import compare_margins
from rewardsmith.files import write_json
from rewardsmith.train.fitting.collaborative import Filtering
from rewardsmith.train.schedule import LEARNING_RATES

RESULT = Path(__file__).parent / "results" / "losses_ukp.json"
PLAIN, KNOWING = "bradley-terry", "right-labels-only"
LOSSES = (
    PLAIN, "label-smoothing", "hinge", "focal", "focal-ranking", "symmetric", "ramp", "unbiased", "gce", "uncertainty",
    "odin", "gaussian", "quantile", "inform",
)  # fmt: skip
"""Those that UKP's labels suffice for; `contrastive` acts on what is frozen here."""
METHODS = (*LOSSES, "two-models", "crm", "crm-curriculum", KNOWING)
HEADS = ("gaussian", "quantile", "inform", "odin")
SHOWN = ("method", "noise", "accuracy", "minus_plain", "minus_plain_ci", "rates", "cpu_seconds")
DEBATES = 2
AT_LEAST, AT_MOST = 0.05, 0.45
"""Of the rate that a method is told."""


@dataclass(frozen=True)
class Tested:
    """A run's margins on its test pairs, the reward and length of their arguments, and what it took."""

    margin: np.ndarray
    default: np.ndarray
    cooled: np.ndarray
    prompts: np.ndarray
    said: np.ndarray
    rate: float
    seconds: float


def parts_of(pool: Pool, number: int, count: int) -> tuple[Pairs, Pairs, Pairs]:
    """Training (`count`), validation (half of that, from two debates) and test pairs of a run."""
    train, held, test = map(pool.of, pool.groups(number, DEBATES))
    return drawn(train, count), drawn(held, count // 2), test


def arguments_of(method: str, noise: float) -> dict[str, Any]:
    """What a method changes of the run."""
    told = min(max(noise, AT_LEAST), AT_MOST)
    if method in ("crm", "crm-curriculum"):
        return {"filtering": Filtering(told, 0.3, curriculum=method == "crm-curriculum")}
    if method in ("two-models", KNOWING):
        return {}
    options = {"unbiased": {"flip_rate": told}, "label-smoothing": {"smoothing": told}}.get(method)
    return {"loss": method, "options": options, "head": method if method in HEADS else "scalar"}


def tested(
    pool: Pool, parts: Sequence[Pairs], noise: float, number: int, method: str, rates: Sequence[float]
) -> Tested:
    """The run of a method with the learning rate that is best on noisy validation labels, on the clean test pairs."""
    clean, validation, test = parts[0], flipped(parts[1], noise, 100 + number), parts[2]
    noisy = flipped(clean, noise, number)
    train = [b for a, b in zip(clean, noisy, strict=True) if a is b] if method == KNOWING else noisy
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
        (reward, len(response.text.split()))
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
    """The rows with p-values corrected for all methods beside the plain one; that which knows the labels is none."""
    methods = [each for each in rows if each["method"] not in (PLAIN, KNOWING)]
    adjusted = dict(zip([each["method"] for each in methods], holm([each["p_value"] for each in methods]), strict=True))
    for each in rows:
        yield {**each, "p_corrected": adjusted.get(each["method"])}


def main() -> None:
    """Train and test all methods, and write the rows after each rate of noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--noise", default="0.4,0,0.2")
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--rates", default="5e-5,2e-4,1e-3")
    given = parser.parse_args()
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    methods = list(dict.fromkeys([PLAIN, *given.methods.split(",")]))
    pool, rates = open_ukp(place, given.model), [float(rate) for rate in given.rates.split(",")]
    folds = [parts_of(pool, number, given.pairs) for number in range(FOLDS)]
    before = json.loads(given.output.read_text())["rows"] if given.output.exists() else []
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
            settings = {"model": given.model, "pairs": given.pairs, "batch": BATCH, "epochs": EPOCHS}
            write_json(given.output, {"settings": settings, "rows": [*rows, *corrected(seen)]})
        rows += corrected(seen)


if __name__ == "__main__":
    main()
