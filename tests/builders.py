"""Small things that many tests build: records, the tiny model, tiny models of other families."""

import datetime
from importlib.metadata import PackageNotFoundError, version

import pytest
import torch

from rewardsmith.model.forward.network import kind_of
from rewardsmith.model.loading.backbones import Backbone, open_backbone
from rewardsmith.model.loading.generic_classifier import ensure_classifier
from rewardsmith.model.loading.tiny import TinyConfig, byte_tokenizer
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Comparison, Message, Record, Response
from rewardsmith.scoring.contract import choose_pad_token, make_contract

DATE = datetime.date(2026, 3, 4)


def pair(prompt: str, preferred: str, other: str, **comparison) -> Record:
    """A preference pair, the preferred response first."""
    answers = tuple(Response((Message("assistant", text),)) for text in (preferred, other))
    turns = (Message("user", prompt),) if prompt else ()
    return Record(turns, answers, (Comparison(0, 1, **comparison),), source="made", line=1)


def ranking(prompt: str, *answers: str) -> Record:
    """One prompt with answers from best to worst and every comparison between them."""
    responses = tuple(Response((Message("assistant", text),)) for text in answers)
    comparisons = tuple(Comparison(i, j) for i in range(len(answers)) for j in range(i + 1, len(answers)))
    return Record((Message("user", prompt),), responses, comparisons, source="made", line=1)


def tiny(*, max_length: int = 256, seed: int = 0, n_layer: int = 2, head_scale: float = 1.0) -> RewardModel:
    """The tiny reward model, its head scaled by `head_scale`."""
    backbone = open_backbone("tiny", seed=seed, tiny=TinyConfig(n_layer=n_layer, block_size=max_length))
    with torch.no_grad():
        backbone.hf.score.weight.mul_(head_scale)
    contract = make_contract(backbone.tokenizer, "decoder", max_length=max_length, date=DATE)
    return RewardModel.build(backbone, contract, device="cpu")


def from_config(config, *, max_length: int = 128, seed: int = 0) -> RewardModel:
    """A random reward model of any family, with the byte tokenizer."""
    from transformers import AutoModelForSequenceClassification

    tokenizer = byte_tokenizer()
    config.vocab_size, config.num_labels, config.pad_token_id = len(tokenizer), 1, 0
    ensure_classifier(config)
    torch.manual_seed(seed)
    hf = AutoModelForSequenceClassification.from_config(config).eval()
    kind = kind_of(hf)
    if kind == "encoder":
        tokenizer.add_special_tokens({"cls_token": "[CLS]", "sep_token": "[SEP]"})
        tokenizer.chat_template = None
        hf.resize_token_embeddings(len(tokenizer))
    choose_pad_token(tokenizer, kind)
    contract = make_contract(tokenizer, kind, max_length=max_length, date=DATE)
    return RewardModel.build(Backbone(hf, tokenizer, kind, True, None), contract, device="cpu")


def needs_setuptools():
    """Skip where the environment has no setuptools that can build the package; asked without importing it, since it puts a
    distutils of its own into the process."""
    try:
        found = int(version("setuptools").split(".")[0])
    except PackageNotFoundError:
        found = 0
    if found < 77:
        pytest.skip("setuptools 77 is not installed")
