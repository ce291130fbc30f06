"""Self-rewarding on sums whose answers are known: does a small model become better, or only more sure of itself?

    python benchmarks/self_rewarding.py [--model smollm2-135m] [--iterations 2] [--prompts 96] [--eval-prompts 96] [--n 4]
        [--arms truth,temporal,self,cream] [--folder FOLDER]

Additions of two numbers below 60, in words of four kinds; two numbers are never in both sets of prompts. Four arms, all with
the same prompts, seeds and settings: `truth` (plain, rewarded by a check of the answer), `temporal` (that variant, the same
reward), `self` (plain, rewarded by the model's own likelihood: no outside signal) and `cream` (that variant, the same). The
check of the answer is the independent reward of all, on `--eval-prompts` prompts with two samples each at temperature 1: its
mean is the share of right answers. Intervals are over prompts; the difference is paired with the first model's samples.
`--folder` keeps the loops, which a second run continues. Writes `benchmarks/results/self_rewarding.json`.
"""

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

from rewardsmith.commands import self_reward
from rewardsmith.files import write_json, write_jsonl, write_text

RESULTS = Path(__file__).parent / "results" / "self_rewarding.json"
FORMS = (
    "What is {a} + {b}? Answer with the number only.",
    "Add {a} and {b}. Give only the result.",
    "{a} plus {b} equals what number? Reply with just the number.",
    "Tom has {a} apples and gets {b} more. How many apples has he now? Only the number, please.",
)
CHECK = "kind: verifiable\ngold: answer\nrewards:\n  - check: numeric\n    weight: 1.0\n"
ARMS = {
    "truth": {"variant": "plain", "rewards": "check"},
    "temporal": {"variant": "temporal", "rewards": "check"},
    "self": {"variant": "plain", "rewards": "self"},
    "cream": {"variant": "cream", "rewards": "self"},
}
SHOWN = ("iteration", "prompts", "rewards", "pairs", "length", "diversity", "consistency", "label_smoothing", "training",
         "measured", "stop")  # fmt: skip


def sums(count: int, seed: int) -> list[dict[str, Any]]:
    """Prompts with their answers, each pair of numbers once."""
    pairs = [(a, b) for a in range(2, 60) for b in range(2, 60)]
    random.Random(seed).shuffle(pairs)
    return [
        {"prompt": FORMS[number % len(FORMS)].format(a=a, b=b), "answer": str(a + b)}
        for number, (a, b) in enumerate(pairs[:count])
    ]


def run(name: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One arm, begun or continued; its ledger."""
    arm, output = ARMS[name], folder / name
    check = str(folder / "check.yaml")
    config = self_reward.Config(
        model=arguments.model,
        prompts=str(folder / "train.jsonl"),
        eval_prompts=str(folder / "eval.jsonl"),
        output=output,
        rewards=check if arm["rewards"] == "check" else "self",
        independent=check,
        variant=arm["variant"],  # type: ignore[arg-type]
        iterations=arguments.iterations,
        n=arguments.n,
        eval_samples=2,
        max_tokens=arguments.max_tokens,
        lr=arguments.lr,
        batch=8,
        epochs=2,
        stop_worse=False,
        dtype="fp32",
        resume=(output / "self_reward.json").is_file(),
    )
    result = self_reward.run(config)
    rows = [{key: row[key] for key in SHOWN} for row in result.rows]
    return {**arm, "base": result.summary["base"], "ledger": rows, "stop": result.summary["stop"]}


def main() -> None:
    """Run all arms and write what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--eval-prompts", type=int, default=96)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=24)
    parser.add_argument("--lr", type=float, default=5e-6)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = sums(arguments.prompts + arguments.eval_prompts, seed=0)
        write_jsonl(folder / "train.jsonl", rows[: arguments.prompts])
        write_jsonl(folder / "eval.jsonl", rows[arguments.prompts :])
        write_text(folder / "check.yaml", CHECK)
        settings = {key: value for key, value in vars(arguments).items() if key not in ("folder", "output")}
        found: dict[str, Any] = {"settings": settings, "arms": {}}
        for name in arguments.arms.split(","):
            found["arms"][name] = run(name, folder, arguments)
            write_json(arguments.output, found)
            print(name, told(found["arms"][name]), flush=True)


def told(arm: dict[str, Any]) -> str:
    """The share of right answers of every model, with its interval."""
    measured = [arm["base"], *(row["measured"] for row in arm["ledger"] if row["measured"] is not None)]
    means = [one["independent"]["mean"] for one in measured]
    return " → ".join(f"{one['value']:.3f} [{one['ci'][0]:.3f}, {one['ci'][1]:.3f}]" for one in means)


if __name__ == "__main__":
    main()
