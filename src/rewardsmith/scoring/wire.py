"""Records to token ids a piece at a time, in this process or another: what goes there and comes back can be pickled."""

from collections.abc import Sequence

import numpy as np
import orjson

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation, Record, Response
from rewardsmith.scoring.tokens import Cuts, Encoded, Encoder

Texts = tuple[Conversation, tuple[Response, ...]]  # of a record, all that its tokens hang on


def encode_piece(encoder: Encoder, piece: Sequence[Texts]) -> list[bytes | str]:
    """The token ids of each record as bytes (`pack`), or why it cannot be encoded."""
    return [packed_or_why_not(encoder, texts) for texts in piece]


def packed_or_why_not(encoder: Encoder, texts: Texts) -> bytes | str:
    """The same of one record."""
    try:
        return pack(encoder.encode(Record(*texts)))
    except ContractError as error:
        return str(error)


def pack(encoded: Encoded) -> bytes:
    """Lengths and counts as a line of JSON, then the ids."""
    head = {
        "lengths": [len(ids) for ids in encoded.sequences],
        "cuts": [encoded.cuts.prompt_turns, encoded.cuts.prompt_tokens, encoded.cuts.response_tokens],
        "forged": encoded.forged,
        "answers": encoded.answers,
    }
    return orjson.dumps(head) + b"\n" + np.concatenate(encoded.sequences).astype("<i4").tobytes()


def unpack(value: bytes) -> Encoded:
    """The reverse of `pack`; ValueError or KeyError where the bytes are not its own."""
    line, _, flat = value.partition(b"\n")
    head = orjson.loads(line)
    ids = np.frombuffer(flat, dtype="<i4").astype(np.int32)
    if len(ids) != sum(head["lengths"]):
        raise ValueError("truncated")
    turns, tokens, responses = head["cuts"]
    return Encoded(
        tuple(np.split(ids, np.cumsum(head["lengths"])[:-1])),
        Cuts(turns, tokens, tuple(responses)),
        head["forged"],
        tuple(head["answers"]),
    )
