"""A model and one record → its responses token by token, as they are scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewardsmith.scoring.token_texts import token_texts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.scoring.tokens import Encoded

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Shown:
    """One response as it is scored: its tokens as text, where the shared prefix ends, which token is pooled.

    `answer_tokens` counts the last ones, over which a head that reads means averages; None for other heads. `tokens_cut`
    are those cut from its end, `prompt_turns_cut` and `prompt_tokens_cut` what was cut from the prompt before it.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    prefix_tokens: int
    pooled_token: str
    tokens_cut: int
    prompt_turns_cut: int
    prompt_tokens_cut: int
    answer_tokens: int | None
    reward: float | None


def shown_responses(model: "RewardModel", encoded: "Encoded", rewards: "np.ndarray | None") -> Iterator[Shown]:
    """Each response of a record as it is scored."""
    from rewardsmith.model.forward.readout import MEAN
    from rewardsmith.scoring.trees import build_tree

    readout = model.network.readout
    averages = readout is not None and MEAN in readout.pooling
    shared = len(build_tree(encoded.sequences, share=model.network.packed).prefix)
    for k, ids in enumerate(encoded.sequences):
        texts = token_texts(model.tokenizer, ids[:shared]) + token_texts(model.tokenizer, ids[shared:])
        yield Shown(
            tokens=tuple(texts),
            ids=tuple(map(int, ids)),
            prefix_tokens=shared,
            pooled_token=model.tokenizer.decode([int(ids[-1])]),
            tokens_cut=encoded.cuts.response_tokens[k],
            prompt_turns_cut=encoded.cuts.prompt_turns[k],
            prompt_tokens_cut=encoded.cuts.prompt_tokens[k],
            answer_tokens=encoded.answers[k] if encoded.answers and averages else None,
            reward=None if rewards is None else float(rewards[k]),
        )


def joined(tokens: Sequence[str]) -> str:
    """Tokens as plain text."""
    return "".join(tokens)


def coloured(tokens: Sequence[str]) -> str:
    """Tokens on two backgrounds in turn (ANSI colours), so that one sees where each begins.

    A character made of several tokens is one field with their number behind it, as in 奖₂.
    """
    fields, parts = [], 0
    for token in tokens:
        parts += 1
        if token:
            fields.append(token + (str(parts).translate(SUBSCRIPTS) if parts > 1 else ""))
            parts = 0
    return "".join(f"\x1b[{44 + k % 2}m{field}\x1b[0m" for k, field in enumerate(fields))


def take_saved_head(model: "RewardModel", folder: "Path | None", sidecar: "Sidecar | None") -> None:
    """Let the head that a model was saved with give its columns, and its reward where the reward head does not."""
    from rewardsmith.model.heads import open_head

    if sidecar is not None and sidecar.head is not None and folder is not None:
        model.keep_columns(open_head(folder, sidecar.head, model.network.head.weight))


def open_for_inspection(name: str, max_length: int | None) -> "tuple[RewardModel, bool]":
    """The model with its stored contract, or one inferred for a model that is not a reward model yet."""
    import datetime
    from dataclasses import replace

    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.model.inferred import describe_inferred, infer_contract, new_contract
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.reward_model import RewardModel

    backbone = open_backbone(name)
    sidecar = Sidecar.load(backbone.folder) if backbone.folder else None
    contract = sidecar.contract if sidecar else infer_contract(backbone)
    if max_length is not None and sidecar is None:
        contract = new_contract(backbone, max_length=max_length, date=datetime.date.today(), inferred=True)
    elif max_length is not None:
        contract = replace(contract, max_length=max_length, response_reserve=max_length // 2)
    model = RewardModel.build(backbone, contract, device="cpu")
    take_saved_head(model, backbone.folder, sidecar)
    model.notes = backbone.notes
    if sidecar is None and not backbone.head_is_new:
        model.understood = describe_inferred(backbone, contract)
    return model, not backbone.head_is_new
