"""What optimising a policy against reward models does to the gold reward, and what a monitor sees of it beforehand.

python benchmarks/policy_gradient.py runs FILE --part test --first 0 --count 40   # resumable, a line per run
python benchmarks/policy_gradient.py table FILE -o benchmarks/results/policy_gradient.json
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardsmith.align.policy_gradient.loop import LoopSettings, Objective, train_policy
from rewardsmith.align.policy_gradient.novelty import novelty_of
from rewardsmith.align.policy_gradient.policy import reference_policy
from rewardsmith.align.policy_gradient.proxies import train_reward_models
from rewardsmith.align.policy_gradient.task import order_task, orders, scrambled

PARTS = {"develop": 0, "threshold": 1_000_000, "test": 2_000_000}
"""First seed of each part: what the monitor was designed on, what its threshold is fixed on, what it is judged on."""
STEPS, MEMBERS, PROMPTS, RATE = 60, 4, 16, 3e-3
KL = {"grpo": (0.08, 1.0), "ppo": (0.01, 0.3), "rloo": (0.01, 0.3)}
"""Ranges of the KL coefficient; GRPO's is per token and beside normalised advantages, those of the others per response."""
references: dict[str, Any] = {}


def setting_of(seed: int) -> dict[str, Any]:
    """The setting of a run, drawn from its seed: how good the reward model is, and how hard it is optimised."""
    rng = np.random.default_rng(seed)
    return {
        "seed": seed,
        "language": str(rng.choice(["en", "zh"])),
        "algorithm": (algorithm := str(rng.choice(["grpo", "ppo", "rloo"]))),
        "prompts": int(np.exp(rng.uniform(np.log(60), np.log(600)))),
        "scrambled": float(rng.choice([0.0, 0.5, 1.0])),
        "padded": float(rng.choice([0.0, 0.0, 0.3])),
        "flipped": float(rng.choice([0.0, 0.1, 0.2])),
        "kl": float(np.exp(rng.uniform(*np.log(KL[algorithm])))),
    }


def run_of(setting: Mapping[str, Any]) -> dict[str, list[Any]]:
    """One run: its log, column by column."""
    seed = setting["seed"]
    task = order_task(setting["language"])
    if task.language not in references:
        references[task.language] = reference_policy(task, seed=0), [o.prompt for o in orders(task, 400, seed=10**8)]
    reference, prompts = references[task.language]
    faults = {"flipped": setting["flipped"], "padded": setting["padded"]}
    data = orders(task, setting["prompts"], seed=seed, **faults)
    extra = round(setting["scrambled"] * setting["prompts"])
    data += scrambled(task, orders(task, extra, seed=seed + 500_000), seed=seed) if extra else []
    models = train_reward_models(task, data, members=MEMBERS, seed=seed)
    asked = [order.prompt for order in data for _ in order.responses]
    responses = [response for order in data for response in order.responses]
    highest = float(np.quantile(models(asked, responses).mean(dim=0).numpy(), 0.99))
    objective = Objective(models, distance=novelty_of(responses), highest=highest)
    settings = LoopSettings(
        algorithm=setting["algorithm"], steps=STEPS, prompts=PROMPTS, lr=RATE, kl=setting["kl"], epochs=1, seed=seed
    )
    logs = [log.to_json() for log in train_policy(task, reference, objective, prompts, settings)]
    return {name: [log[name] if log[name] is None else round(log[name], 5) for log in logs] for name in logs[0]}


def runs(args: argparse.Namespace) -> None:
    """Append the runs of a part that the file does not have."""
    torch.set_num_threads(1)
    known = {json.loads(line)["setting"]["seed"] for line in args.file.open()} if args.file.exists() else set()
    for number in range(args.first, args.first + args.count):
        seed = PARTS[args.part] + number
        if seed in known:
            continue
        started = time.process_time()
        setting = setting_of(seed)
        log = run_of(setting)
        row = {"part": args.part, "setting": setting, "seconds": time.process_time() - started, "log": log}
        with args.file.open("a") as file:
            file.write(json.dumps(row) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("runs")
    one.add_argument("file", type=Path)
    one.add_argument("--part", choices=PARTS, required=True)
    one.add_argument("--first", type=int, default=0)
    one.add_argument("--count", type=int, required=True)
    one.set_defaults(run=runs)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
