"""Tests of generated programs as the reward function of TRL's GRPOTrainer, run in a sandbox (Linux).

    python examples/code_reward.py

The function gets completions and the column `tests` of the data set, as the trainer passes them. Each program runs where it
can reach no file, process or network of this machine, and never sees its tests; where no sandbox can be made, the function
is refused when it is opened. For training, pass it on:

    trainer = GRPOTrainer(model=policy, reward_funcs=reward, train_dataset=dataset, args=config)
"""

import tempfile
from pathlib import Path

import rewardsmith as rs

REWARDS = """\
kind: verifiable
gold: tests
rewards:
  - check: code
    share: true
"""
TESTS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0", "assert add('a', 'b') == 'ab'"]
PROGRAMS = {
    "right": "def add(a, b):\n    return a + b",
    "half right": "def add(a, b):\n    return int(a) + int(b)",
    "leaves": "import os\ndef add(a, b):\n    os._exit(0)",
    "equals everything": "class E:\n    __eq__ = lambda self, other: True\ndef add(a, b):\n    return E()",
}


def main() -> None:
    """Reward four programs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rewards.yaml"
        path.write_text(REWARDS, encoding="utf-8")
        reward = rs.VerifiableReward.load(path)
        completions = [f"```python\n{program}\n```" for program in PROGRAMS.values()]
        values = reward(prompts=["Add."] * len(completions), completions=completions, tests=[TESTS] * len(completions))
    for name, value in zip(PROGRAMS, values, strict=True):
        print(f"{name}: {value:.2f}")


if __name__ == "__main__":
    try:
        main()
    except rs.RewardsmithError as error:
        raise SystemExit(str(error)) from error
