"""Train a reward model on pairs with column names of your own, evaluate it, and score a conversation.

    python examples/train_and_score.py [pairs.jsonl]

Without a file it writes 300 small pairs, so that the script runs as it stands. For a real model, replace "tiny" by a name on
the Hugging Face hub or a folder, for instance "Qwen/Qwen3-0.6B".
"""

import json
import sys
import tempfile
from pathlib import Path

import rewardsmith as rs

COLUMNS = {"prompt": "question", "chosen": "better", "rejected": "worse"}
"""rewardsmith's name of each column: its name in the file."""


def write_pairs(path: Path) -> Path:
    """Pairs whose better response answers the question, in a file with column names of its own."""
    with path.open("w", encoding="utf-8") as file:
        for n in range(1, 301):
            row = {"question": f"What is {n} + {n}?", "better": f"{n} + {n} = {2 * n}.", "worse": f"That is {n} {n}."}
            file.write(json.dumps(row) + "\n")
    return path


def main() -> None:
    """Clean, train, evaluate, score."""
    folder = Path(tempfile.mkdtemp(prefix="rewardsmith-"))
    pairs = Path(sys.argv[1]) if len(sys.argv) > 1 else write_pairs(folder / "pairs.jsonl")
    cleaned = rs.prepare(str(pairs), folder / "data", map=COLUMNS)
    print(cleaned.to_text())

    rs.train("tiny", str(folder / "data"), folder / "run", epochs=2, report=False)
    result = rs.evaluate(folder / "run", str(folder / "data"))  # the test split: no prompt of it was trained on
    print(result.to_text())

    model = rs.RewardModel.load(folder / "run")
    conversation = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "2 + 2 = 4."}]
    print("reward:", float(model.score([conversation])[0]))
    print("model:", folder / "run" / "model")


if __name__ == "__main__":
    main()
