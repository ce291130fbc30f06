"""Trained by us and by TRL's RewardTrainer on the same pairs, weights and settings: is the reward as good?

    REWARDSMITH_DATA=… python benchmarks/quality_vs_trl.py [--model tiny --lr 2e-3] [--pairs 200]

UKP's debates are cut in four; run k tests on part k and draws its pairs from the others, so that the runs have other test
debates, other pairs and other heads. Both start from the same head and see the same token ids, each in an order of its own;
the settings are those of `train_vs_trl.py`. One scorer gives the rewards of both. The temperature is cross-fitted
by prompt, five folds.
"""

import argparse
import json
import os
import sys
import time
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import rewardsmith as rs
from frozen_pairs import FOLDS, Pool, drawn, margins, pool_of, right
from paired_rows import figures
from rewardsmith.data.merging import merge_prompts
from rewardsmith.evaluate.calibration import cross_fitted_margin, ece
from rewardsmith.evaluate.inference.noise_floor import ece_noise_floor
from rewardsmith.files import write_json
from rewardsmith.model.loading.backbones import draw_head
from rewardsmith.model.scorer import DEFAULT_BUDGET, score
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.setup import open_model
from rewardsmith.progress import SILENT
from rewardsmith.train.examples import encode_examples
from train_vs_trl import BATCH, Task, our_trainer, trl_trainer

RESULT = Path(__file__).parent / "results" / "quality_vs_trl.json"
ARMS = ("ours", "trl")
LONGEST = 2048
"""Tokens of the tiny model, which are bytes."""


def opened(name: str, layers: int | None) -> Any:
    """The model, all of which learns."""
    return open_model(
        Config(
            model=name,
            dataset=("none",),
            output=Path("none"),
            layers=layers,
            dtype="fp32",
            threads=1,
            max_length=LONGEST if name == "tiny" else None,
        )
    ).model


def trained(task: Task, arm: str, lr: float, seed: int) -> float:
    """Train the model of a task in place, from a head of that seed; returns CPU seconds."""
    draw_head(task.model.network.head, seed=seed)
    started = time.process_time()
    with TemporaryDirectory() as place:
        if arm == "ours":
            budget = DEFAULT_BUDGET["cpu"]
            our_trainer(task, Path(place) / "ours", turns=None, name=arm, budget=budget, seed=seed, lr=lr).run()
        else:
            trainer = trl_trainer(task, Path(place), grouped=False, turns=None, name=arm, seed=seed, lr=lr)
            trainer.train()
            network = task.model.network
            network.hf.load_state_dict(trainer.model.state_dict())
            network.take_head()
    return time.process_time() - started


def run(model: Any, pool: Pool, number: int, count: int, lr: float) -> dict[str, tuple[np.ndarray, float]]:
    """Margins of both on the test pairs of a fold, and what training took."""
    train, _, test = pool.groups(number, 0)
    pairs, told = drawn(pool.of(train), count), {}
    names = {pair.prompt_id for pair in pool.of(test)}
    asked = [ranking for ranking in pool.rankings if ranking.prompt_id in names]
    for arm in ARMS:
        copy = deepcopy(model)
        seconds = trained(Task(copy, pairs, pairs, []), arm, lr, number)
        copy.network.eval()
        found = score(copy.network, [ranking.sequences for ranking in asked])
        rewards = {ranking.prompt_id: values for ranking, values in zip(asked, found, strict=True)}
        told[arm] = margins(pool, pool.of(test), rewards), seconds
        print(number, arm, right(told[arm][0]).mean(), seconds, flush=True)
    return told


def main() -> None:
    """Train both with every seed, and write accuracy, its paired difference, and ECE after calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=FOLDS)
    given = parser.parse_args()
    if not (place := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds ukp-convarg/")
    records = list(rs.load(str(Path(place) / "ukp-convarg/strict.jsonl.gz"), progress=SILENT).records)
    model = opened(given.model, given.layers)
    merged = merge_prompts(records)
    pool = pool_of(model, None, merged, encode_examples(merged, model.encoder, share=True).examples, "topic")
    runs = [run(model, pool, number, given.pairs, given.lr) for number in range(given.seeds)]
    tests = [pool.of(pool.groups(number, 0)[2]) for number in range(given.seeds)]
    prompts = np.array([int(pair.prompt_id[:12], 16) for test in tests for pair in test])
    margin = {arm: np.concatenate([each[arm][0] for each in runs]) for arm in ARMS}
    ones, rows = np.ones(len(prompts)), []
    for arm in ARMS:
        cooled = cross_fitted_margin(margin[arm], ones, cluster=prompts)
        floor = ece_noise_floor(cooled, ones, cluster=prompts, rng=np.random.default_rng(0))
        rows.append({
            "arm": arm, "n": len(prompts), "prompts": len(np.unique(prompts)), "seeds": given.seeds,
            **figures(margin[arm], margin["trl"], prompts, minus="minus_trl"),
            "by_seed": [float(right(each[arm][0]).mean()) for each in runs],
            "ece": ece(margin[arm], ones), "ece_after_temperature": ece(cooled, ones), "ece_floor": floor.mean,
            "cpu_seconds": sum(each[arm][1] for each in runs),
        })  # fmt: skip
        print(json.dumps(rows[-1]))
    settings = {
        "model": given.model,
        "layers": given.layers,
        "pairs": given.pairs,
        "batch": BATCH,
        "lr": given.lr,
        "epochs": 1,
    }
    write_json(given.output, {"settings": settings, "rows": rows})


if __name__ == "__main__":
    main()
