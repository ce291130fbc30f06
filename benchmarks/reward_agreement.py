"""The same texts have the same reward on every way: transformers, TRL, rewardsmith, its server, its functions for trainers.

    python benchmarks/reward_agreement.py SOURCE [-o benchmarks/results/reward_agreement.json] [--texts 500] [--layers 6]

SOURCE is preference data; its responses are scored in fp32 on the CPU by the first layers of SmolLM2-135M under a reward
head with random weights, which is enough for numbers that have to be equal. Texts that do not fit into max_length are left
out and counted: TRL does not cut. TRL's rewards are those of `GRPOTrainer._calculate_rewards`, called as the trainer does;
those of plain transformers come one text at a time, without padding, and are what the others are compared with.
"""

import argparse
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

import rewardsmith as rs
from rewardsmith.files import write_json
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.rl import openrlhf_reward_func, trl_reward
from rewardsmith.scoring.contract import make_contract

RESULT = Path(__file__).parent / "results" / "reward_agreement.json"
MAX_LENGTH, CLIENTS = 1024, 16
Talk = list[dict[str, str]]


def saved_model(folder: Path, layers: int) -> RewardModel:
    """A reward model of some layers of SmolLM2 with a random head, saved and opened again."""
    import datetime

    backbone = open_backbone("smollm2-135m", seed=0, layers=layers)
    torch.manual_seed(0)
    with torch.no_grad():
        backbone.hf.score.weight.normal_(std=0.02)
    contract = make_contract(backbone.tokenizer, "decoder", max_length=MAX_LENGTH, date=datetime.date(2026, 1, 1))
    RewardModel.build(backbone, contract, device="cpu").save(folder)
    return RewardModel.load(folder, device="cpu")


def talks_of(model: RewardModel, source: str, count: int) -> tuple[list[tuple[Talk, Talk]], int]:
    """The first prompts and responses of the source that fit, and how many did not."""
    found, longer = [], 0
    for record in rs.load(source).records:
        for response in record.responses:
            if len(model.encoder.ids(record.prompt + response.messages)) > MAX_LENGTH:
                longer += 1
                continue
            found.append((written(record.prompt), written(response.messages)))
            if len(found) == count:
                return found, longer
    return found, longer


def written(turns: Sequence[Any]) -> Talk:
    """Messages as dictionaries."""
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def by_transformers(folder: Path, talks: Sequence[tuple[Talk, Talk]]) -> np.ndarray:
    """One text at a time."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    hf = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for prompt, response in talks:
        ids = tokenizer.apply_chat_template([*prompt, *response], return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            found.append(float(hf(**ids).logits[0, 0]))
    return np.array(found)


def by_trl(folder: Path, place: Path, talks: Sequence[tuple[Talk, Talk]]) -> np.ndarray:
    """TRL's code for a reward model, 16 texts at a time, as a trainer has them."""
    from datasets import Dataset
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1
    )
    args = GRPOConfig(output_dir=str(place), report_to="none", use_cpu=True, bf16=False, num_generations=4,
                      per_device_train_batch_size=4)  # fmt: skip
    rows = Dataset.from_list([{"prompt": talks[0][0]}] * 4)
    trainer = GRPOTrainer(LlamaForCausalLM(config), [str(folder)], args, rows, processing_class=tokenizer)
    found: list[float] = []
    for start in range(0, len(talks), 16):
        part = talks[start : start + 16]
        prompts, responses = [prompt for prompt, _ in part], [response for _, response in part]
        inputs = [{"prompt": prompt} for prompt in prompts]
        found += trainer._calculate_rewards(inputs, prompts, responses, [[1]] * len(part))[:, 0].tolist()
    return np.array(found)


def on_a_server(folder: Path, ask: Callable[[str], np.ndarray]) -> np.ndarray:
    """What `ask` gets from a server in a process of its own."""
    import subprocess
    import sys

    from rewardsmith.client import Client

    port = 8411
    program = [sys.executable, "-m", "rewardsmith", "serve", str(folder), "--port", str(port), "--device", "cpu"]
    server = subprocess.Popen(program, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            if Client(address).ready():
                break
            threading.Event().wait(0.2)
        return ask(address)
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Score on every way, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--layers", type=int, default=6)
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        model = saved_model(folder, given.layers)
        talks, longer = talks_of(model, given.source, given.texts)
        prompts, responses = [prompt for prompt, _ in talks], [response for _, response in talks]
        whole = [model.encoder.renderer.render(rs_turns(prompt + response)) for prompt, response in talks]
        begun = [text[: text.rindex(response[-1]["content"])] for text, response in zip(whole, responses, strict=True)]
        cut = [text.removesuffix(model.contract.suffix) for text in whole]

        def from_server(address: str) -> np.ndarray:
            reward = trl_reward(address)
            with ThreadPoolExecutor(CLIENTS) as pool:
                return np.array(
                    [one for (one,) in pool.map(lambda p, r: reward(prompts=[p], completions=[r]), prompts, responses)]
                )

        direct = by_transformers(folder, talks)
        ways = {
            "TRL's reward model code": by_trl(folder, Path(scratch) / "trl", talks),
            "rewardsmith score": model.score([prompt + response for prompt, response in talks]),
            "rewardsmith.rl in TRL": np.array(trl_reward(model)(prompts=prompts, completions=responses)),
            "rewardsmith.rl in OpenRLHF, rendered texts without their end": openrlhf_reward_func(model)(
                cut, begun, [None] * len(cut)
            )["extra_logs"]["reward"].numpy(),
            f"rewardsmith serve, {CLIENTS} clients, one text a request": on_a_server(folder, from_server),
        }
    result = {
        "texts": len(talks), "too_long": longer, "layers": given.layers, "source": Path(given.source).parent.name,
        "reward_std": float(direct.std()),
        "largest_difference": {name: float(np.abs(values - direct).max()) for name, values in ways.items()},
    }  # fmt: skip
    write_json(given.output, result)
    print(json.dumps(result, indent=2))


def rs_turns(talk: Talk) -> tuple[Any, ...]:
    """Messages of this package."""
    return tuple(rs.Message(one["role"], one["content"]) for one in talk)


if __name__ == "__main__":
    main()
