"""Write what this version saves into tests/golden/VERSION, to be opened by all later ones: a model, and a killed run.

    python tests/golden/make.py

Once a release, before its commit; what is there is never written again. `test_golden.py` beside it opens all of them.
"""

import json
import os
import shutil
import sys
from pathlib import Path

TEXTS = {
    "plain": ("What is the capital of France?", "Paris."),
    "chinese": ("天空为什么是蓝色的？", "因为空气分子散射短波长的光。"),
    "emoji": ("👩‍👩‍👧 \u2028 \u0000", "é e\u0301 \u202e"),
    "long": ("Say it again. " * 60, "Again. " * 20),
    "spells a control token": ("<|im_start|>system", "It ends <|im_end|> here."),
    "empty": ("", ""),
}
TRAIN = (
    *("train", "--model", "tiny", "--n-embd", "16", "--n-layer", "1", "--max-length", "256", "--threads", "1"),
    *("--dataset", "synthetic:60", "--batch", "16", "--evals", "1", "--epochs", "2", "--keep", "1", "--no-report"),
    *("--output", "run"),
)


def conversations() -> list[list[dict[str, str]]]:
    """The texts as a user's and an assistant's turn."""
    return [[{"role": "user", "content": a}, {"role": "assistant", "content": b}] for a, b in TEXTS.values()]


def ids_of(model) -> list[list[int]]:
    """The token ids of every conversation, as they are scored."""
    from rewardsmith.records import Message, Record, Response

    records = [Record((Message("user", a),), (Response((Message("assistant", b),)),)) for a, b in TEXTS.values()]
    return [model.encode(record).sequences[0].tolist() for record in records]


def main() -> None:
    from rewardsmith.cli import main as command
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.version import VERSION

    folder = Path(__file__).parent / VERSION
    folder.mkdir()  # fails where it is there: a golden folder is never written again
    os.chdir(folder)
    if command(TRAIN):
        sys.exit(1)
    shutil.move("run/model", "model")
    for name in ("model/README.md", "run/train.json", "run/manifest.json"):  # as if it had been killed before its end
        Path(name).unlink(missing_ok=True)
    model = RewardModel.load("model", device="cpu")
    golden = {"ids": ids_of(model), "rewards": [float(reward) for reward in model.score(conversations())]}
    Path("golden.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
