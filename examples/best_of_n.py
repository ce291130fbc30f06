"""Best-of-N: score several responses to each prompt, keep the best one, and write (chosen, rejected) pairs for DPO.

    python examples/best_of_n.py MODEL candidates.jsonl pairs.jsonl

MODEL is a run folder, a model folder or a name on the Hugging Face hub. Each row of the input has a `prompt` (text or
messages) and `responses` (texts, as your policy generated them). Each row of the output has the response with the highest
reward as `chosen` and that with the lowest as `rejected`, which TRL's DPOTrainer and OpenRLHF read.
"""

import json
import sys
from pathlib import Path

import rewardsmith as rs


def main(model_name: str, candidates: str, output: str) -> None:
    """Rank the responses of every row, and write the best and the worst."""
    model = rs.RewardModel.load(model_name)
    loaded = rs.load(candidates)
    for row in loaded.quarantined:
        print(f"left out: {row.file}:{row.line}: {row.reason}", file=sys.stderr)
    ties = 0
    with Path(output).open("w", encoding="utf-8") as file:
        for record, rewards in zip(loaded.records, model.score_records(loaded.records), strict=True):
            best, worst = int(rewards.argmax()), int(rewards.argmin())
            if rewards[best] == rewards[worst]:  # equal rewards say nothing about which response is better
                ties += 1
                continue
            row = {
                "prompt": [{"role": message.role, "content": message.content} for message in record.prompt],
                "chosen": [{"role": "assistant", "content": record.responses[best].text}],
                "rejected": [{"role": "assistant", "content": record.responses[worst].text}],
                "score_chosen": float(rewards[best]),
                "score_rejected": float(rewards[worst]),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{len(loaded.records) - ties} pairs written to {output}, {ties} prompts left out for equal rewards")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
