"""Self-rewarding on sums whose answers are known: does a small model become better, or only more sure of itself?

    python benchmarks/self_rewarding.py [--model smollm2-135m] [--iterations 2] [--prompts 24] [--eval-prompts 32] [--n 4]
        [--arms truth,temporal,self,cream] [--folder FOLDER]

Sums of two numbers from 2 to 19 in words of four kinds, behind two examples with their answers; two numbers, in whatever
order, are never in both sets of prompts. Four arms, all with the same prompts, seeds and settings: `truth` (plain, rewarded
by a check of the answer), `temporal` (that variant, the same reward), `self` (plain, rewarded by the model's own likelihood:
no outside signal) and `cream` (that variant, the same). The check of the answer is the independent reward of all, on
`--eval-prompts` prompts with two samples each at temperature 1: its mean is the share of right answers. Intervals are over
prompts; the difference is paired with the first model's samples.

The task is one that SmolLM2-135M-Instruct solves now and then, since nothing can be learned from prompts whose candidates
are all right or all wrong. Of what was tried with 12 or 16 prompts and 4 samples each it had right, without examples (in
words of three kinds, sums of two digits) 10 to 17 %, with three examples of the same words 81 % (two digits), 69 % (up to
19) and 8 % (up to 59), with one example 30 %, and with these two 36 %, some but not all candidates on 9 of 16 prompts.

`--folder` keeps the loops, which a second run continues, with more `--iterations` too. Writes
`benchmarks/results/self_rewarding.json`, and the curves of each arm as pages in a folder beside it.
"""

import argparse
import random
import tempfile
from pathlib import Path
from typing import Any

from rewardsmith.commands import self_reward
from rewardsmith.files import write_json, write_jsonl, write_text
from rewardsmith.report.alignment.writing import write_loop_report

RESULTS = Path(__file__).parent / "results" / "self_rewarding.json"
LOWEST, HIGHEST = 2, 19
EXAMPLES = ((4, 3), (2, 6))
"""Sums that are shown, and are no prompts."""
SYSTEM = "You add numbers."
FORMS = ("{a} + {b} =", "Add {a} and {b}.", "What is {a} plus {b}?", "Sum of {a} and {b}?")
CHECK = "kind: verifiable\ngold: answer\nrewards:\n  - check: numeric\n    weight: 1.0\n"
ARMS = {
    "truth": {"variant": "plain", "rewards": "check"},
    "temporal": {"variant": "temporal", "rewards": "check"},
    "self": {"variant": "plain", "rewards": "self"},
    "cream": {"variant": "cream", "rewards": "self"},
}
LEDGER = ("iteration", "prompts", "rewards", "pairs", "length", "diversity", "consistency", "label_smoothing", "training",
          "measured", "stop")  # fmt: skip
"""What is kept of a row."""


def sums(count: int, seed: int) -> list[dict[str, Any]]:
    """Prompts with their answers, each two numbers once, in one of both orders."""
    drawn = random.Random(seed)
    pairs = [
        (a, b)
        for a in range(LOWEST, HIGHEST + 1)
        for b in range(a, HIGHEST + 1)
        if not {(a, b), (b, a)} & set(EXAMPLES)
    ]
    if count > len(pairs):
        raise SystemExit(f"{count} prompts were asked for, and there are {len(pairs)} sums")
    drawn.shuffle(pairs)
    ordered = [drawn.sample(pair, 2) for pair in pairs[:count]]
    return [
        {"prompt": prompt(FORMS[number % len(FORMS)], a, b), "answer": str(a + b)}
        for number, (a, b) in enumerate(ordered)
    ]


def prompt(form: str, a: int, b: int) -> list[dict[str, str]]:
    """A question behind the examples."""
    turns = [("system", SYSTEM)]
    for asked, (one, other) in zip(FORMS[1:], EXAMPLES, strict=False):
        turns += [("user", asked.format(a=one, b=other)), ("assistant", f"{one} + {other} = {one + other}")]
    turns.append(("user", form.format(a=a, b=b)))
    return [{"role": role, "content": content} for role, content in turns]


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
        batch=arguments.batch,
        epochs=arguments.epochs,
        min_pairs=4,
        stop_worse=False,
        dtype="fp32",
        resume=(output / "self_reward.json").is_file(),
    )
    result = self_reward.run(config)
    rows = [{key: row[key] for key in LEDGER} for row in result.rows]
    return {**arm, "base": result.summary["base"], "ledger": rows, "stop": result.summary["stop"]}


def main() -> None:
    """Run all arms and write what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--eval-prompts", type=int, default=32)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=14)
    parser.add_argument("--lr", type=float, default=3e-5)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
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
            page(found, name, arguments.output.with_suffix(""))
            print(name, told(found["arms"][name]), flush=True)


def page(found: dict[str, Any], name: str, folder: Path) -> None:
    """The curves of an arm as `self-reward` draws them: right answers, KL, length, diversity and shares by iteration."""
    arm = found["arms"][name]
    summary = {
        "variant": arm["variant"], "rewards": arm["rewards"], "model": found["settings"]["model"], "base": arm["base"],
        "stop": arm["stop"], "chosen": None, "independent": "the check of the answer",
    }  # fmt: skip
    (folder / name).mkdir(parents=True, exist_ok=True)
    write_loop_report(summary, arm["ledger"], folder / name)


def told(arm: dict[str, Any]) -> str:
    """The share of right answers of every model, with its interval."""
    measured = [arm["base"], *(row["measured"] for row in arm["ledger"] if row["measured"] is not None)]
    means = [one["independent"]["mean"] for one in measured]
    return " → ".join(f"{one['value']:.3f} [{one['ci'][0]:.3f}, {one['ci'][1]:.3f}]" for one in means)


if __name__ == "__main__":
    main()
