"""What is measured: training steps and scoring of the `tiny` model, through the functions that train and score use."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from string import ascii_lowercase

import torch

from rewardsmith.bench.documented import Size
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.loading.tiny import TinyConfig
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import DEFAULT_BUDGET
from rewardsmith.records import Comparison, Message, Record, Response
from rewardsmith.scoring.contract import make_contract
from rewardsmith.train.examples import Example, encode_examples
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import make_optimizer
from rewardsmith.train.step import accumulate

PROMPT_SHARE = 3 / 8  # of a sequence; about what HH has


def build(size: Size, *, device: str, dtype: str) -> RewardModel:
    """The tiny model of that size, with weights from a fixed seed."""
    tiny = TinyConfig(size.n_layer, size.n_head, size.n_embd, size.block_size)
    backbone = open_backbone("tiny", tiny=tiny)
    contract = make_contract(backbone.tokenizer, "decoder", max_length=size.block_size, date=date(2025, 1, 1))
    return RewardModel.build(backbone, contract, device=device, dtype=dtype)


def pairs(model: RewardModel, count: int) -> list[Record]:
    """`count` pairs with prompts of their own, both sequences exactly as long as the model reads; letters at random."""
    draw = random.Random(0)
    longest = model.contract.max_length
    around = len(model.encode(pair("x", "y", "z")).sequences[0]) - 2
    prompt = min(int(PROMPT_SHARE * longest), (longest - around) // 2)  # the answers have to differ, so they need room
    made = []
    for _ in range(count):
        question, *answers = (
            "".join(draw.choices(ascii_lowercase, k=length))
            for length in (prompt, longest - around - prompt, longest - around - prompt)
        )
        made.append(pair(question, *answers))
    return made


def pair(prompt: str, preferred: str, other: str) -> Record:
    """A preference pair of plain texts."""
    answers = tuple(Response((Message("assistant", text),)) for text in (preferred, other))
    return Record((Message("user", prompt),), answers, (Comparison(0, 1),))


@dataclass
class Trainer:
    """Optimizer steps on pairs that were tokenized before, as in training: loss, gradient, clipping, AdamW."""

    model: RewardModel
    examples: list[Example]

    @classmethod
    def of(cls, model: RewardModel, count: int) -> "Trainer":
        """A trainer with `count` pairs."""
        encoding = encode_examples(pairs(model, count), model.encoder, share=model.network.packed)
        return cls(model, encoding.examples)

    def __post_init__(self) -> None:
        self.optimizer = make_optimizer(self.model.network, lr=1e-4, weight_decay=0.01)
        self.scaler = torch.amp.GradScaler(
            self.model.network.device.type, enabled=self.model.network.autocast is torch.float16
        )

    def step(self, batch: int) -> Callable[[], None]:
        """A job: one optimizer step on the first `batch` pairs."""
        network, chosen = self.model.network, self.examples[:batch]
        budget = DEFAULT_BUDGET.get(network.device.type, DEFAULT_BUDGET["cpu"])

        def job() -> None:
            network.train()
            dropout = Dropout(0.0, 0, 0)
            accumulate(
                network, chosen, LOSSES["bradley-terry"], dropout=dropout, budget=budget, scale=self.scaler.scale
            )
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(network.hf.parameters(), 1.0)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            wait_for(network.device)

        return job


def scoring(model: RewardModel, batch: int) -> Callable[[], object]:
    """A job: the rewards of `batch` conversations with prompts of their own, from text."""
    conversations = [
        [*record.prompt, *record.responses[0].messages] for record in pairs(model, batch)
    ]  # a list of messages each, as RewardModel.score takes them

    def job() -> object:
        return model.score(conversations)  # comes back as numbers, so the device has finished

    return job


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
