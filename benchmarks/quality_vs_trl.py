"""Trained by us and by TRL's RewardTrainer on the same pairs, weights and settings: is the reward as good?

    REWARDSMITH_DATA=… python benchmarks/quality_vs_trl.py [--model tiny --lr 2e-3] [--pairs 200]
    REWARDSMITH_DATA=… python benchmarks/quality_vs_trl.py --data hh-apart --longest 640 --pairs 800 \\
        -o benchmarks/results/quality_vs_trl_hh.json

UKP's debates, or the prompts of Anthropic HH, are cut in four; run k tests on part k and draws its pairs from the others, so
that the runs have other test prompts, other pairs and other heads. Both start from the same head and see the same token ids,
each in an order of its own; the settings are those of `train_vs_trl.py`. One scorer gives the rewards of both. `hh-apart`
trains a model for each file of HH, since short responses win in one and long ones in the other, and judges all margins
together. Each model has a temperature and an isotonic map of its own, cross-fitted by prompt on its test pairs, five folds.
Calibration alone says nothing of a model that is never sure, so the cross-entropy stands beside it (a coin's is ln 2 =
0.693), and `longer`, which trains nothing.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from frozen_pairs import FOLDS, Pool, drawn, margins, pool_of, right
from paired_rows import figures
from rewardsmith.data.merging import merge_prompts
from rewardsmith.evaluate.calibration import cross_fitted_margin, ece
from rewardsmith.evaluate.corrections.effect import log_odds
from rewardsmith.evaluate.corrections.isotonic import fit_isotonic
from rewardsmith.evaluate.folds import held_out_folds
from rewardsmith.evaluate.inference.noise_floor import ece_noise_floor
from rewardsmith.files import write_json
from rewardsmith.model.loading.backbones import draw_head
from rewardsmith.model.scorer import DEFAULT_BUDGET, score
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.setup import open_model
from rewardsmith.progress import SILENT
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.train.examples import encode_examples
from train_vs_trl import BATCH, Task, our_trainer, trl_trainer

RESULT = Path(__file__).parent / "results" / "quality_vs_trl.json"
ARMS = ("ours", "trl")
LONGER = "longer"
HARMLESS, HELPFUL = "hh-rlhf/harmless-base.jsonl.gz", "hh-rlhf/helpful.jsonl.gz"
DATA = {
    "ukp": (("ukp-convarg/strict.jsonl.gz",),),
    "hh": ((HARMLESS, HELPFUL),),
    "hh-apart": ((HARMLESS,), (HELPFUL,)),
}
"""Of each model that is trained in a fold the files that it learns from."""
GROUP = {"ukp": "topic"}
"""The field that groups prompts which may not be in two parts."""


@dataclass(frozen=True)
class Learning:
    """What both are told."""

    pairs: int
    lr: float
    epochs: int


@dataclass(frozen=True)
class Tested:
    """Margins on the test pairs of a fold by arm, the same calibrated in both ways, the CPU seconds of training, and the
    pairs' prompts.
    """

    margins: dict[str, np.ndarray]
    cooled: dict[str, np.ndarray]
    isotonic: dict[str, np.ndarray]
    seconds: dict[str, float]
    prompts: np.ndarray


def opened(name: str, layers: int | None, longest: int | None) -> Any:
    """The model, all of which learns."""
    return open_model(
        Config(
            model=name,
            dataset=("none",),
            output=Path("none"),
            layers=layers,
            dtype="fp32",
            threads=1,
            max_length=longest,
        )
    ).model


def pool_from(folder: Path, files: Sequence[str], model: Any, group: str | None) -> Pool:
    """The pairs of some files as tokens of the model."""
    merged = merge_prompts([record for name in files for record in rs.load(folder / name, progress=SILENT).records])
    return pool_of(model, None, merged, encode_examples(merged, model.encoder, share=True).examples, group)


def trained(task: Task, arm: str, learning: Learning, seed: int) -> float:
    """Train the model of a task in place, from a head of that seed; returns CPU seconds."""
    draw_head(task.model.network.head, seed=seed)
    told: dict[str, Any] = {"turns": None, "name": arm, "epochs": learning.epochs, "seed": seed, "lr": learning.lr}
    started = time.process_time()
    with TemporaryDirectory() as place:
        if arm == "ours":
            our_trainer(task, Path(place) / "ours", budget=DEFAULT_BUDGET["cpu"], **told).run()
        else:
            trainer = trl_trainer(task, Path(place), grouped=False, **told)
            trainer.train()
            network = task.model.network
            network.hf.load_state_dict(trainer.model.state_dict())
            network.take_head()
    return time.process_time() - started


def run(model: Any, pool: Pool, number: int, learning: Learning) -> Tested:
    """Both trained on the same pairs of a fold, and asked about its test prompts."""
    train, _, test = pool.groups(number, 0)
    pairs, asked = drawn(pool.of(train), learning.pairs), pool.of(test)
    names = {pair.prompt_id for pair in asked}
    rankings = [ranking for ranking in pool.rankings if ranking.prompt_id in names]
    words = {
        record.prompt_id: np.array([float(length_in_words(each.text)) for each in record.responses])
        for record in pool.records
    }
    found, seconds = {LONGER: margins(pool, asked, words)}, {LONGER: 0.0}
    for arm in ARMS:
        copy = deepcopy(model)
        seconds[arm] = trained(Task(copy, pairs, pairs, []), arm, learning, number)
        copy.network.eval()
        values = score(copy.network, [ranking.sequences for ranking in rankings])
        rewards = {ranking.prompt_id: each for ranking, each in zip(rankings, values, strict=True)}
        found[arm] = margins(pool, asked, rewards)
        print(number, len(pairs), arm, right(found[arm]).mean(), seconds[arm], flush=True)
    prompts = np.array([int(pair.prompt_id[:12], 16) for pair in asked])
    cooled = {arm: cross_fitted_margin(given, np.ones(len(given)), cluster=prompts) for arm, given in found.items()}
    isotonic = {arm: cross_fitted_isotonic(given, prompts) for arm, given in found.items()}
    return Tested(found, cooled, isotonic, seconds, prompts)


def cross_fitted_isotonic(margin: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    """Log odds of the probabilities by isotonic maps that were fitted on the other folds of prompts."""
    told = np.zeros(len(margin))
    for here in held_out_folds(prompts, seed=0):
        found = fit_isotonic(margin[~here], np.ones(int((~here).sum())))
        told[here] = log_odds(found.probability(margin[here]))
    return told


def together(parts: Sequence[Tested]) -> Tested:
    """The models of one fold as one."""
    return Tested(
        *(joined([getattr(each, name) for each in parts]) for name in ("margins", "cooled", "isotonic")),
        {arm: sum(each.seconds[arm] for each in parts) for arm in (*ARMS, LONGER)},
        np.concatenate([each.prompts for each in parts]),
    )


def joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays of several models by arm."""
    return {arm: np.concatenate([each[arm] for each in parts]) for arm in parts[0]}


def rows_of(runs: Sequence[Tested]) -> list[dict[str, Any]]:
    """The figures of each arm over all runs so far."""
    whole = together(runs)
    prompts, ones, rows = whole.prompts, np.ones(len(whole.prompts)), []
    for arm, given in whole.margins.items():
        cooled, isotonic = whole.cooled[arm], whole.isotonic[arm]
        floor, floor_isotonic = (
            ece_noise_floor(each, ones, cluster=prompts, rng=np.random.default_rng(0)) for each in (cooled, isotonic)
        )
        rows.append({
            "arm": arm, "n": len(prompts), "prompts": len(np.unique(prompts)), "seeds": len(runs),
            **figures(given, whole.margins["trl"], prompts, minus="minus_trl"),
            "by_seed": [float(right(each.margins[arm]).mean()) for each in runs],
            "ece": ece(given, ones), "ece_after_temperature": ece(cooled, ones), "ece_floor": floor.mean,
            "ece_limit": floor.limit, "ece_after_isotonic": ece(isotonic, ones),
            "ece_floor_isotonic": floor_isotonic.mean, "ece_limit_isotonic": floor_isotonic.limit,
            "cross_entropy_after_temperature": float(np.logaddexp(0, -cooled).mean()),
            "cross_entropy_after_isotonic": float(np.logaddexp(0, -isotonic).mean()), "cpu_seconds": whole.seconds[arm],
        })  # fmt: skip
    return rows


def main() -> None:
    """Train both with every seed, and write accuracy, its paired difference, and ECE after calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--data", choices=DATA, default="ukp")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--longest", type=int, default=2048, help="tokens of a text; those of the tiny model are bytes")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=FOLDS)
    given = parser.parse_args()
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/ and hh-rlhf/")
    model = opened(given.model, given.layers, given.longest)
    pools = [pool_from(Path(place), files, model, GROUP.get(given.data)) for files in DATA[given.data]]
    learning, runs = Learning(given.pairs, given.lr, given.epochs), []
    settings = {
        "data": given.data,
        "model": given.model,
        "layers": given.layers,
        "longest": given.longest,
        "pairs": given.pairs,
        "batch": BATCH,
        "lr": given.lr,
        "epochs": given.epochs,
    }
    for number in range(given.seeds):
        runs.append(together([run(model, pool, number, learning) for pool in pools]))
        write_json(given.output, {"settings": settings, "rows": rows_of(runs)})
    for each in rows_of(runs):
        print(json.dumps(each))


if __name__ == "__main__":
    main()
