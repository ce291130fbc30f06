"""A self-rewarding loop killed with SIGKILL at random moments ends with the ledger and the weights of one that was not.

    python benchmarks/self_rewarding_kills.py [--runs 20] [--kills 3] [--variant temporal] [--seed 0]

A tiny random model (two layers), two iterations. The loop is run once undisturbed; then `--runs` times it is begun in a
process of its own, killed after a random share of that time, continued with --resume, killed again, and so on `--kills`
times, then let finish. What a run was doing when it was killed is read off the files that were there. This process runs no
loop itself: the worker of a check must not be shared. Writes `benchmarks/results/self_rewarding_kills.json`.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import torch

from rewardsmith.commands import self_reward
from rewardsmith.files import sha256, write_json, write_jsonl, write_text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from language_models import save_language_model

RESULTS = Path(__file__).parent / "results" / "self_rewarding_kills.json"
CHECK = """
kind: verifiable
rewards:
  - check: format
    pattern: '[a-z]'
    weight: 1.0
  - check: length
    max: 9
    weight: 0.5
"""
STAGES = ("candidates", "scored", "pairs", "dpo", "samples", "measured", "row")


def model_in(folder: Path) -> str:
    """A model that ends its responses now and then."""
    from transformers import AutoModelForCausalLM

    save_language_model(folder, sharp=2.0)
    hf = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        hf.lm_head.weight[hf.config.eos_token_id].mul_(6)
    hf.save_pretrained(folder)
    return str(folder)


def loop(folder: Path, output: Path, variant: str) -> None:
    """Run the loop, or go on with it."""
    check = str(folder / "check.yaml")
    self_reward.run(
        self_reward.Config(
            model=str(folder / "lm"),
            prompts=str(folder / "prompts.jsonl"),
            eval_prompts=str(folder / "held.jsonl"),
            output=output,
            rewards="self" if variant == "cream" else check,
            independent=check,
            variant=variant,  # type: ignore[arg-type]
            n=4,
            max_tokens=12,
            lr=1e-3,
            batch=4,
            min_pairs=1,
            stop_worse=False,
            device="cpu",
            dtype="fp32",
            threads=1,
            resume=(output / "self_reward.json").is_file(),
        )
    )


def run_to_end(folder: Path, output: Path, variant: str) -> None:
    """Run the loop in a child until it ends."""
    if killed_after(float("inf"), folder, output, variant):
        raise SystemExit("the loop did not end")


def killed_after(seconds: float, folder: Path, output: Path, variant: str) -> bool:
    """Run the loop in a child that is killed after so long; whether it was still at work."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            loop(folder, output, variant)
        finally:
            os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def stage_of(output: Path) -> str:
    """What comes after the last file that is there."""
    if not (output / "self_reward.json").is_file():
        return "begin"
    for number in (0, 1, 2):
        here = output / f"iteration-{number:02d}"
        for stage in STAGES if number else STAGES[4:6]:
            if not any(path.suffix != ".sqlite" for path in here.glob(f"{stage}*")):
                return stage
        if number and not (here / "dpo" / "dpo.json").is_file():
            return "dpo"
    return "finish"


def fingerprint(output: Path) -> tuple[str, str]:
    """The ledger and the weights that the loop ended with."""
    return sha256(output / "ledger.jsonl"), sha256(output / "model" / "model.safetensors")


def main() -> None:
    """Kill and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--variant", default="temporal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng, stages, same, kills = random.Random(arguments.seed), Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model_in(folder / "lm")
        write_jsonl(folder / "prompts.jsonl", [{"prompt": f"What is {a}+{b}?"} for a in range(5) for b in range(3)])
        write_jsonl(folder / "held.jsonl", [{"prompt": f"Say {word}!"} for word in "abcdef"])
        write_text(folder / "check.yaml", CHECK)
        started = time.monotonic()
        run_to_end(folder, folder / "whole", arguments.variant)
        whole = time.monotonic() - started
        for number in range(arguments.runs):
            output = folder / f"run-{number}"
            for _ in range(arguments.kills):
                if killed_after(rng.uniform(0.02, 0.9) * whole, folder, output, arguments.variant):
                    kills += 1
                    stages[stage_of(output)] += 1
            run_to_end(folder, output, arguments.variant)
            same += fingerprint(output) == fingerprint(folder / "whole")
            print(f"{number + 1} runs, {kills} kills, {same} the same", flush=True)
    found = {"variant": arguments.variant, "runs": arguments.runs, "kills": kills, "same": same, "stages": dict(stages)}
    write_json(arguments.output, found)
    print(found)


if __name__ == "__main__":
    main()
