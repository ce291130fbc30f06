"""A model that came without `reward.json`: the contract that it gets, and in words what it was taken for."""

import datetime
from pathlib import Path

from rewardsmith.errors import ContractError
from rewardsmith.model.loading.backbones import Backbone
from rewardsmith.scoring.contract import DEFAULT_MAX_LENGTH, ScoringContract, make_contract

LONGEST_INFERRED = 4 * DEFAULT_MAX_LENGTH


def new_contract(
    backbone: Backbone, *, max_length: int, date: datetime.date, inferred: bool = False
) -> ScoringContract:
    """The contract of a model that has none: the tokenizer's template, and the head read where it was trained."""
    return make_contract(
        backbone.tokenizer,
        backbone.kind,
        max_length=max_length,
        date=date,
        inferred=inferred,
        trim_id=backbone.origin.trim_id,
    )


def infer_contract(backbone: Backbone, *, max_length: int | None = None) -> ScoringContract:
    """A contract for a model that came without one, from its tokenizer and config; marked as inferred."""
    longest = backbone.longest or LONGEST_INFERRED
    if max_length is not None and max_length > longest and backbone.longest:
        raise ContractError(f"max_length {max_length}: the model supports at most {longest} tokens")
    length = max_length or min(longest, LONGEST_INFERRED)
    return new_contract(backbone, max_length=length, date=datetime.date(2025, 1, 1), inferred=True)


def refuse_headless(path: str, backbone: Backbone) -> None:
    """ContractError where a model has no head, or one with several outputs, and so gives no reward."""
    labels = backbone.origin.labels
    if backbone.head_is_new and labels:
        raise ContractError(
            f"{path} has a head with {len(labels)} outputs "
            f"({', '.join(labels[:4])}{', …' if len(labels) > 4 else ''}), but a reward model has one; choose the "
            f"output that is the reward: rewardsmith import {path} --label {labels[-1]} -o OUT"
        )
    if backbone.head_is_new:
        raise ContractError(f"{path} has no reward head; train it first: rewardsmith train --model {path} …")


def describe_inferred(backbone: Backbone, contract: ScoringContract) -> str:
    """One line on what a model without `reward.json` was taken for."""
    return (
        "no reward.json; scoring contract (how conversations become tokens) inferred: "
        f"{describe_parts(backbone, contract)}"
    )


def describe_start(backbone: Backbone, contract: ScoringContract) -> str:
    """One line on the head that training starts from; "" for the tiny model and plain backbones, which get a new one."""
    if backbone.origin.head:
        return f"training continues from a reward model without reward.json: {describe_parts(backbone, contract)}"
    if backbone.origin.labels:
        return f"the head with {len(backbone.origin.labels)} outputs is replaced by a new head with one output"
    return ""


def describe_parts(backbone: Backbone, contract: ScoringContract) -> str:
    """Head, template, length, pooled token and statistics, in words."""
    origin, tokenizer = backbone.origin, backbone.tokenizer
    parts = [f"head {origin.head}" + (f" with bias {origin.offset:.6g}" if origin.offset else "")]
    if tokenizer.chat_template:
        parts.append("the tokenizer's chat template")
    else:
        parts.append("no chat template, so each turn is rendered as 'role: text' (pass --template FILE to import)")
    parts.append(f"max_length {contract.max_length}")
    if contract.trim_id is not None:
        parts.append(
            f"{tokenizer.pad_token!r} is both the padding and the end token, so the token before it is pooled, as in "
            "transformers"
        )
    if origin.normalizer is not None:
        parts.append(
            f"mean {origin.normalizer.mean:.6g} and std {origin.normalizer.std:.6g} are stored with the raw reward"
        )
    return "; ".join(parts)


def settled_contract(name: str, backbone: Backbone, template: str | None, max_length: int | None) -> ScoringContract:
    """The contract of a reward model that came without one, under the template and length that were given."""
    refuse_headless(name, backbone)
    if template is not None:
        backbone.tokenizer.chat_template = template
    return infer_contract(backbone, max_length=max_length)


def own_contract(path: str | Path) -> ContractError:
    """The refusal of settings that a model's own contract decides."""
    return ContractError(
        f"{path} has its own scoring contract (reward.json: how conversations become tokens), which sets the template and "
        "max_length"
    )
