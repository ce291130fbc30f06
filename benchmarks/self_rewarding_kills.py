"""A self-rewarding loop killed with SIGKILL in every phase ends with the ledger and the weights of one that was not.

    python benchmarks/self_rewarding_kills.py [--runs 20] [--variant temporal] [--seed 0]

A tiny random model (two layers), two iterations. The loop is run once undisturbed, which shows how long each phase takes;
then `--runs` times it is begun in a process of its own, killed at a random moment of a phase, continued with --resume, and
let finish. The phases take turns, so that each of both iterations is hit. What a run was doing when it was killed is read
off the files that were there; a kill counts where the loop was still at work. This process runs no loop itself: the worker
of a check must not be shared. Writes `benchmarks/results/self_rewarding_kills.json`.
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
from rewardsmith.files.reading import read_object

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
PHASES = ("candidates", "scored", "pairs", "dpo", "samples", "measured", "row")
POLL = 0.01
"""Seconds between two looks at the files."""


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


def begun(folder: Path, output: Path, variant: str) -> int:
    """The loop in a child of this process."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            loop(folder, output, variant)
        finally:
            os._exit(0)
    return child


def run_to_end(folder: Path, output: Path, variant: str) -> dict[str, float]:
    """Run the loop in a child until it ends; how many seconds each phase took."""
    child, before = begun(folder, output, variant), time.monotonic()
    seconds: dict[str, float] = {}
    while not os.waitpid(child, os.WNOHANG)[0]:
        now, phase = time.monotonic(), phase_of(output)
        seconds[phase] = seconds.get(phase, 0.0) + now - before
        before = now
        time.sleep(POLL)
    if not read_object(output / "self_reward.json").get("finished"):
        raise SystemExit("the loop did not end")
    return seconds


def killed_in(phase: str, after: float, folder: Path, output: Path, variant: str) -> str | None:
    """Kill the loop so many seconds after the phase has begun; the phase that it was in, None where it had ended."""
    child, entered = begun(folder, output, variant), None
    while entered is None or time.monotonic() < entered + after:
        if os.waitpid(child, os.WNOHANG)[0]:
            return None
        if entered is None and phase_of(output) == phase:
            entered = time.monotonic()
        time.sleep(POLL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return phase_of(output)


def phase_of(output: Path) -> str:
    """What comes after the last file that is there: its iteration and its phase."""
    if not (output / "iteration-01" / "prompts.jsonl").is_file():
        return "begin"
    for number in (0, 1, 2):
        here = output / f"iteration-{number:02d}"
        for phase in PHASES if number else PHASES[4:6]:
            done = [path for path in here.glob(f"{phase}*") if path.suffix in ("", ".json", ".jsonl")]
            if not done or (phase == "dpo" and not (here / "dpo" / "dpo.json").is_file()):
                return f"{number} {phase}"
    return "finish"


def fingerprint(output: Path) -> tuple[str, str]:
    """The ledger and the weights that the loop ended with."""
    return sha256(output / "ledger.jsonl"), sha256(output / "model" / "model.safetensors")


def main() -> None:
    """Kill and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--variant", default="temporal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng, phases, same, kills = random.Random(arguments.seed), Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model_in(folder / "lm")
        write_jsonl(folder / "prompts.jsonl", [{"prompt": f"What is {a}+{b}?"} for a in range(5) for b in range(3)])
        write_jsonl(folder / "held.jsonl", [{"prompt": f"Say {word}!"} for word in "abcdef"])
        write_text(folder / "check.yaml", CHECK)
        seconds = run_to_end(folder, folder / "whole", arguments.variant)
        print({phase: round(value, 2) for phase, value in seconds.items()}, flush=True)
        turns = list(seconds)
        for number in range(arguments.runs):
            output, phase = folder / f"run-{number}", turns[number % len(turns)]
            found = killed_in(phase, rng.uniform(0, seconds[phase]), folder, output, arguments.variant)
            if found is not None:
                kills += 1
                phases[found] += 1
            run_to_end(folder, output, arguments.variant)
            same += fingerprint(output) == fingerprint(folder / "whole")
            print(f"{number + 1} runs, {kills} kills, the last in {found}; {same} the same", flush=True)
    told = {"variant": arguments.variant, "runs": arguments.runs, "kills": kills, "same": same, "phases": dict(phases)}
    write_json(arguments.output, told)
    print(told)


if __name__ == "__main__":
    main()
