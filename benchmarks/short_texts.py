"""Scoring a few short texts: rewardsmith beside plain transformers, and what two cores can give a server at most.

    python benchmarks/short_texts.py [--threads 1 2] [--rounds 40] [-o benchmarks/results/short_texts.json]

SmolLM2-135M cut to 6 layers, fp32, on the CPU, in one process. Each round scores the same texts with `RewardModel.score` and
with AutoModelForSequenceClassification (its tokenizer, padding on), in turn and in changing order; tokenizing counts for
both. Wall time and CPU time are medians over rounds, ratios are ours over theirs with a 95 % interval by bootstrap over
rounds. On a machine that others use too, CPU time with one thread is what can be compared.

`workers` scores single texts in a row, by one thread that computes with two cores and by two that compute with one each.
`bound` is what a server could score at the speed of a square product: operations per text of benchmarks/serving.py (two per
weight and token, and attention over the tokens that see each other).
"""

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rewardsmith.bench.environment import describe_machine, version_of
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Message
from serving import WORDS, Texts, make_model

RESULT = Path(__file__).parent / "results" / "short_texts.json"
LONGEST = 1024
Talk = list[Message]


def peer(folder: Path, model: RewardModel) -> Callable[[Sequence[Talk]], list[float]]:
    """Plain transformers."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    hf = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def score(talks: Sequence[Talk]) -> list[float]:
        texts = [model.encoder.renderer.render(talk) for talk in talks]
        batch = tokenizer(texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt")
        with torch.inference_mode():
            return hf(**batch).logits[:, 0].tolist()

    return score


def compared(
    ours: Callable[[Sequence[Talk]], Any], theirs: Callable[[Sequence[Talk]], Any], talks: Sequence[Talk], rounds: int
) -> dict[str, Any]:
    """Both on the same texts, in turn."""
    both = (ours, theirs)
    for _ in range(2):
        rewards = [np.array(one(talks)) for one in both]
    wall, cpu = np.zeros((2, rounds)), np.zeros((2, rounds))
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            start, used = time.perf_counter(), time.process_time()
            both[which](talks)
            wall[which, number], cpu[which, number] = time.perf_counter() - start, time.process_time() - used
    return {
        "rounds": rounds,
        "largest_difference": float(np.abs(rewards[0] - rewards[1]).max()),
        "wall": told(wall),
        "cpu": told(cpu),
    }


def told(seconds: np.ndarray) -> dict[str, Any]:
    """Medians in milliseconds, and their ratio with its interval."""
    draw = np.random.default_rng(0).integers(0, seconds.shape[1], (2000, seconds.shape[1]))
    ratios = np.median(seconds[0][draw], axis=1) / np.median(seconds[1][draw], axis=1)
    ours, theirs = np.median(seconds, axis=1) * 1e3
    return {
        "ours_ms": ours,
        "theirs_ms": theirs,
        "ratio": ours / theirs,
        "interval": np.quantile(ratios, [0.025, 0.975]).tolist(),
    }


def by_workers(model: RewardModel, talks: Sequence[Talk], count: int, threads: int) -> float:
    """Texts per second of so many threads that score one text after another, each with so many threads of torch."""

    def work(part: Sequence[Talk]) -> None:
        torch.set_num_threads(threads)
        for talk in part:
            model.score([talk])

    crew = [threading.Thread(target=work, args=(talks[number::count],)) for number in range(count)]
    start = time.perf_counter()
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return len(talks) / (time.perf_counter() - start)


def peak(threads: int) -> float:
    """Operations per second of a product of square matrices."""
    torch.set_num_threads(threads)
    a, b = torch.randn(2, 2048, 2048)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * 2048**3 / best


def operations(model: RewardModel, tokens: Sequence[int]) -> float:
    """Of an average text: two for each weight of the layers and token, and 4 x hidden for each pair of tokens and layer."""
    config = model.network.hf.config
    layers = sum(p.numel() for name, p in model.network.hf.named_parameters() if ".layers." in name and p.dim() == 2)
    width = config.num_attention_heads * config.head_dim
    pairs = np.mean([n * (n + 1) / 2 for n in tokens])
    return float(2 * layers * np.mean(tokens) + 4 * width * pairs * config.num_hidden_layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--parts", nargs="*", default=["cases", "workers", "bound"])
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        make_model(folder, given)
        model = RewardModel.load(folder, device="cpu")
        versions = {name: version_of(name) for name in ("torch", "transformers")}
        found: dict[str, Any] = {"machine": describe_machine(), "versions": versions, "layers": given.layers}
        draw = random.Random(1)

        def talk(words: int) -> Talk:
            return [Message("user", "Name a thing."), Message("assistant", " ".join(draw.choices(WORDS, k=words)))]

        lengths = [int(10 * 30 ** draw.random()) for _ in range(32)]
        cases = [(f"1 text of {n} words", [talk(n)], given.rounds) for n in (30, 100, 300)]
        cases += [
            (f"{n} texts of 10 to 300 words", [*map(talk, lengths[:n])], max(4, given.rounds // 8)) for n in (8, 32)
        ]
        if "cases" in given.parts:
            theirs = peer(folder, model)
            for threads in given.threads:
                torch.set_num_threads(threads)
                for name, talks, rounds in cases:
                    one = compared(model.score, theirs, talks, rounds)
                    found.setdefault("cases", []).append({"case": name, "threads": threads, **one})
                    print(name, threads, json.dumps(one), flush=True)
        asked = [talk(int(10 * 50 ** draw.random())) for _ in range(100)]
        if "workers" in given.parts:
            ways = {"one thread, two cores": (1, 2), "two threads, one core each": (2, 1)}
            turns = [{name: by_workers(model, asked, *how) for name, how in ways.items()} for _ in range(3)]
            found["workers"] = {name: [turn[name] for turn in turns] for name in ways}
        if "bound" in given.parts:
            texts = Texts(model, seed=0)
            tokens = [len(model.tokenizer(texts.rendered(texts.single())["texts"][0])["input_ids"]) for _ in range(500)]
            per_text, speed = operations(model, tokens), peak(max(given.threads))
            found["bound"] = {
                **{"operations_per_text": per_text, "mean_tokens": float(np.mean(tokens))},
                **{
                    "peak_operations_per_second": speed,
                    "threads": max(given.threads),
                    "texts_per_second": speed / per_text,
                },
            }
        given.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(json.dumps({key: found[key] for key in ("workers", "bound") if key in found}, indent=1))


if __name__ == "__main__":
    main()
