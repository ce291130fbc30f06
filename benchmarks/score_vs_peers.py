"""Scoring beside others: the text-classification pipeline of transformers, and the loop of the `rewardbench` package.

    python benchmarks/score_vs_peers.py --data ../shared/data            # best-of-44, and best-of-16 with long prompts

From texts to rewards, tokenizing on the clock for all; the same weights, precision and threads. The pipeline gets rendered
texts and a batch size, and pads each batch. `rewardbench` (0.1.4) makes batches of prompts in the order of the file, and
for a custom classifier calls tokenizer and model on each batch of texts, padded to the longest and truncated
(`rewardbench/rewardbench.py` and `models/pipeline.py`); that loop is written anew here, since the package asks for
libraries of other versions. Long prompts: the best-of-16 of the same file behind a prompt ten times as long as the answers
(other questions with their answers as earlier turns). Rewards are compared too. Peers are run at a batch of 16 and at the
batch that is fastest for them among --batches.
"""

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taking_turns import compared, table

RESULT = Path(__file__).parent / "results" / "score_vs_peers.json"
SOURCE = "zeroeval-gsm8k/best_of_n.jsonl.gz"
GOALS = {
    "best-of-44": {"batch 16": 2.2, "best batch": 1.6},
    "best-of-16, long prompts": {"batch 16": 5.0, "best batch": 5.0},
}
LONGER = 10


def open_model(arguments: argparse.Namespace) -> Any:
    """A reward model with a random head on real layers; the weights do not matter for speed."""
    from rewardsmith.pipelines.train import setup
    from rewardsmith.pipelines.train.config import Config

    config = Config(
        model=arguments.model, dataset=("none",), output=Path("none"), dtype=arguments.dtype, threads=arguments.threads,
        layers=arguments.layers if arguments.model != "tiny" else None, max_length=arguments.max_length,
    )  # fmt: skip
    model = setup.open_model(config).model
    model.network.eval()
    return model


def workloads(arguments: argparse.Namespace, model: Any) -> dict[str, list[Any]]:
    """Records of both kinds: as they are, and the first 16 answers behind a long conversation."""
    from rewardsmith.data.loading.load import load

    records = [record for record in load(str(Path(arguments.data) / SOURCE)).records if len(record.responses) == 44]
    draw = random.Random(0)
    long = []
    for record in records[: arguments.records]:
        short = replace(record, responses=record.responses[:16], comparisons=(), ratings={})
        wanted = LONGER * statistics.mean(len(answer_ids(model, r)) for r in short.responses)
        turns: list[Any] = []
        while len(model.encoder.ids((*turns, *short.prompt))) < wanted:
            other = draw.choice(records)
            turns += [*other.prompt, *draw.choice(other.responses).messages]
        long.append(replace(short, prompt=(*turns, *short.prompt)))
    return {
        "best-of-44": records[: arguments.records],
        "best-of-16, long prompts": long[: max(1, arguments.records // 2)],
    }


def answer_ids(model: Any, response: Any) -> Sequence[int]:
    return model.tokenizer(response.text, add_special_tokens=False)["input_ids"]


def texts_of(model: Any, records: Sequence[Any]) -> list[list[str]]:
    """Each record's conversations, rendered by the chat template."""
    return [
        [
            model.tokenizer.apply_chat_template(
                [{"role": m.role, "content": m.content} for m in (*record.prompt, *response.messages)], tokenize=False
            )
            for response in record.responses
        ]
        for record in records
    ]


def plain(model: Any) -> Any:
    """The same weights as transformers opens them by itself."""
    from copy import deepcopy

    from rewardsmith.model.lean.swap import make_plain

    hf = deepcopy(model.network.hf)
    make_plain(hf)
    hf.set_attn_implementation("sdpa")
    return hf


def autocast(model: Any) -> Any:
    import torch

    network = model.network
    return torch.autocast(network.device.type, dtype=network.autocast or torch.bfloat16, enabled=bool(network.autocast))


def ours(model: Any, records: Sequence[Any]) -> Callable[[], np.ndarray]:
    def job() -> np.ndarray:
        return np.concatenate(list(model.score_records(records)))

    return job


def pipeline_job(model: Any, hf: Any, records: Sequence[Any], batch: int) -> Callable[[], np.ndarray]:
    from transformers import pipeline

    classify = pipeline("text-classification", model=hf, tokenizer=model.tokenizer, device=model.network.device)

    def job() -> np.ndarray:
        texts = [text for conversations in texts_of(model, records) for text in conversations]
        with autocast(model):
            told = classify(texts, batch_size=batch, function_to_apply="none", add_special_tokens=False)
        return np.array([row["score"] for row in told])

    return job


def rewardbench_job(model: Any, hf: Any, records: Sequence[Any], batch: int) -> Callable[[], np.ndarray]:
    import torch

    length = model.contract.max_length

    def job() -> np.ndarray:
        texts = [text for conversations in texts_of(model, records) for text in conversations]
        rewards: list[float] = []
        for start in range(0, len(texts), batch):
            inputs = model.tokenizer(
                texts[start : start + batch], return_tensors="pt", padding=True, truncation=True, max_length=length,
                add_special_tokens=False,
            ).to(model.network.device)  # fmt: skip
            with torch.no_grad(), autocast(model):
                rewards += hf(**inputs).logits.flatten().float().tolist()
        return np.array(rewards)

    return job


PEERS = {"transformers pipeline": pipeline_job, "rewardbench loop": rewardbench_job}


def timed(job: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    values = job()
    return time.perf_counter() - started, values


def measure(
    arguments: argparse.Namespace, model: Any, name: str, records: Sequence[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """All peers and ours in turn; comparisons at a batch of 16 and at each peer's fastest."""
    hf = plain(model)
    jobs: dict[Any, Callable[[], np.ndarray]] = {"ours": ours(model, records)}
    for peer, make in PEERS.items():
        for batch in arguments.batches:
            jobs[peer, batch] = make(model, hf, records, batch)
    first = {}
    for key, job in jobs.items():  # the warm-up, which also tells the fastest batch
        first[key] = timed(job)
        print(f"{name}: {key} {first[key][0]:.1f} s", file=sys.stderr, flush=True)
    rewards = {key: values for key, (_, values) in first.items()}
    worst = {str(key): float(np.abs(values - rewards["ours"]).max()) for key, values in rewards.items()}
    best = {peer: min(arguments.batches, key=lambda batch: first[peer, batch][0]) for peer in PEERS}
    kept = {"ours", *((peer, batch) for peer in PEERS for batch in (16, best[peer]) if (peer, batch) in jobs)}
    seconds: dict[Any, list[float]] = {key: [] for key in jobs if key in kept}
    for _ in range(arguments.repetitions):
        for key in seconds:
            seconds[key].append(timed(jobs[key])[0])
    responses = sum(len(record.responses) for record in records)
    rows = []
    for peer in PEERS:
        for label, batch in (("batch 16", 16), ("best batch", best[peer])):
            if (peer, batch) in seconds:
                row = compared(
                    f"score {name}, {peer}, {label}", seconds["ours"], seconds[peer, batch],
                    units=responses, goal=GOALS[name][label],
                )  # fmt: skip
                rows.append({**row, "batch": batch})
    tokens = [model.encode(record).sequences for record in records]
    facts = {
        "records": len(records),
        "responses": responses,
        "tokens": sum(len(ids) for sequences in tokens for ids in sequences),
        "cut": sum(model.encode(record).cuts.any for record in records),
        "largest_difference_of_rewards": worst,
        "first_seconds": {str(key): value for key, (value, _) in first.items()},
    }
    return rows, facts


def main() -> None:
    """Measure, print, keep."""
    import torch

    from rewardsmith.bench.environment import describe_machine, version_of
    from rewardsmith.files import write_json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("REWARDSMITH_DATA"), help="folder of the data sets")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--records", type=int, default=4, help="prompts of 44 answers; half as many long ones")
    parser.add_argument("--workloads", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 44])
    parser.add_argument("--max-length", type=int, default=8192)
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--threads", type=int)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("--data: name the folder with zeroeval-gsm8k, or set REWARDSMITH_DATA")
    model = open_model(arguments)
    rows, facts = [], {}
    made = workloads(arguments, model)
    for name in arguments.workloads:
        found, facts[name] = measure(arguments, model, name, made[name])
        rows += found
    print(table(rows, "responses per second"))
    write_json(
        arguments.output,
        {
            "comparisons": rows,
            "workloads": facts,
            "settings": {
                "model": arguments.model, "layers": arguments.layers, "dtype": arguments.dtype,
                "repetitions": arguments.repetitions, "batches": arguments.batches,
                "threads": torch.get_num_threads(), "load_average": os.getloadavg(),
            },
            "versions": {name: version_of(name) for name in ("transformers", "torch")},
            "machine": describe_machine(),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
