"""A conversation that somebody else rendered → the token ids that the scoring contract scores.

A client that renders and decodes by itself differs from the contract in three ways that mean nothing, and each changes the
reward: BOS may be there, missing, or there twice once a tokenizer adds another; white space that the template writes behind
the last control token is lost with the end of a rollout (`<|im_end|>` without its line break); and a token at the end that
the contract does not score may be there. Where a policy wrote the end, its last control token may be lost as well. What
differs otherwise is scored as it came.
"""

import contextlib
from dataclasses import replace

import numpy as np

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation, Message
from rewardsmith.scoring.tokens import Encoder
from rewardsmith.scoring.trees import Ids

MARK = "\N{SNOWMAN}"
"""A content that no template writes."""


def rendered_ids(encoder: Encoder, text: str, *, generated: bool = False) -> Ids:
    """The ids of a rendered text: control tokens in it are such, the first token of the contract stands there once, and an
    end that the text has up to white space is completed; with `generated`, any end. ContractError where no token is left.
    """
    suffix, first = encoder.contract.suffix, first_token(encoder)
    whole = reopened(encoder, text) if first is None else text
    ((ids, _),) = encoder.control.tokenize([ended(whole, suffix) if generated else completed(whole, suffix)])
    if first is not None:
        while ids and ids[0] == first:
            ids = ids[1:]
        ids = [first, *ids]
    return scored_ids(encoder, ids)


def scored_ids(encoder: Encoder, ids: list[int]) -> Ids:
    """Ids without those at their end that the contract does not score; ContractError where none is left."""
    if not ids:
        raise ContractError("the text has no tokens; expected a rendered conversation")
    end = len(ids)
    while end > 1 and ids[end - 1] == encoder.contract.trim_id:
        end -= 1
    return np.asarray(ids[:end], dtype=np.int32)


def first_token(encoder: Encoder) -> int | None:
    """The token that begins every text of the contract: the tokenizer's BOS or CLS; None where the template writes none."""
    known = {encoder.tokenizer.bos_token_id, encoder.tokenizer.cls_token_id} - {None}
    one, other = (int(encoder.ids((Message("user", text), Message("assistant", text)))[0]) for text in ("x", "9"))
    return one if one == other and one in known and not is_turn(encoder, one) else None


def is_turn(encoder: Encoder, token: int) -> bool:
    """Whether a token begins turns too, as ChatML's does where a tokenizer also names it as BOS: then none is added."""
    ids = encoder.ids(
        (Message("user", "x"), Message("assistant", "y"), Message("user", "x"), Message("assistant", "y"))
    )
    return int((ids == token).sum()) > 1


def reopened(encoder: Encoder, text: str) -> str:
    """The text with the BOS that its client has cut off, where this token opens the first turn and the rest of that opening
    is there: verl cuts off whatever the tokenizer names as BOS."""
    bos: str | None = encoder.tokenizer.bos_token
    if not bos or text.startswith(bos):
        return text
    whole, turns = bos + text, (Message("user", MARK), Message("assistant", MARK))
    for asked in (turns, (Message("system", MARK), *turns), turns[1:]):
        with contextlib.suppress(ContractError):  # a template may take no system turn
            opening = encoder.renderer.render(asked).partition(MARK)[0]
            if opening.startswith(bos) and whole.startswith(opening):
                return whole
    return text


def completed(text: str, suffix: str) -> str:
    """The text with the white space at the end of the template's suffix, where it ends with all of the suffix before it."""
    mark = suffix.rstrip()
    missing = suffix[len(mark) :]
    return text + missing if mark and missing and text.endswith(mark) else text


def without_end(turns: Conversation, suffix: str) -> Conversation:
    """A conversation whose last turn a policy wrote, without the control token that the template writes behind a turn: the
    policy's own end of turn, which some trainers keep in the text."""
    mark, content = suffix.strip(), turns[-1].content
    if not mark or not content.rstrip().endswith(mark):
        return turns
    return (*turns[:-1], replace(turns[-1], content=content.rstrip().removesuffix(mark)))


def ended(text: str, suffix: str) -> str:
    """The text with whatever of the template's suffix it does not end with yet."""
    there = next(count for count in range(len(suffix), -1, -1) if text.endswith(suffix[:count]))
    return text + suffix[there:]


def has_control_tokens(encoder: Encoder, text: str) -> bool:
    """Whether a text spells a control token of the model."""
    ((ids, encoding),) = encoder.control.tokenize([text])
    return bool(encoder.control.spans(text, ids, encoding))


def cut_left(ids: Ids, limit: int, first: int | None) -> Ids:
    """The last `limit` ids, behind the first token of the contract where there is one: the end is what is pooled."""
    if len(ids) <= limit:
        return ids
    return ids[-limit:] if first is None or ids[0] != first else np.concatenate([ids[:1], ids[len(ids) - limit + 1 :]])
