"""The wire formats of the programs that ask a reward model over HTTP, one a file.

In: the path and the JSON body of a request. Out: texts to score (`ScoreRequest`), then the JSON that the client reads.
Nothing here knows HTTP or a model: a server calls `format_of`, `read` and `answer`. Begin with `protocol`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.serve.protocols.align_anything import AlignAnything
from rewardsmith.serve.protocols.chat import ChatCompletions
from rewardsmith.serve.protocols.generative_scoring import GenerativeScoring
from rewardsmith.serve.protocols.llama_factory import LlamaFactory
from rewardsmith.serve.protocols.openrlhf import OpenRLHF
from rewardsmith.serve.protocols.protocol import BadRequest, Question, ScoredText, ScoreRequest, WireFormat
from rewardsmith.serve.protocols.sglang import SglangClassify, SglangEmbeddings
from rewardsmith.serve.protocols.slime import Slime
from rewardsmith.serve.protocols.tei import TeiPredict, TeiRerank
from rewardsmith.serve.protocols.vllm_pairs import VllmRerank, VllmScore
from rewardsmith.serve.protocols.vllm_texts import VllmTexts

WIRE_FORMATS: tuple[WireFormat, ...] = (
    OpenRLHF(),
    AlignAnything(),
    Slime(),
    LlamaFactory(),
    VllmTexts(),
    VllmScore(),
    VllmRerank(),
    GenerativeScoring(),
    SglangClassify(),
    SglangEmbeddings(),
    TeiPredict(),
    TeiRerank(),
    ChatCompletions(),
)

__all__ = ["WIRE_FORMATS", "BadRequest", "Question", "ScoreRequest", "ScoredText", "WireFormat", "format_of"]


def format_of(path: str, body: Any, formats: tuple[WireFormat, ...] = WIRE_FORMATS) -> WireFormat:
    """The wire format of a request; BadRequest where none has the path (404), or not exactly one claims the body (400)."""
    there = [each for each in formats if path in each.routes]
    if not there:
        raise BadRequest(404, f"no protocol uses the path {path}")
    if not isinstance(body, Mapping):
        raise BadRequest(400, f"got {type(body).__name__} as the body of {path}; expected a JSON object")
    claiming = [each for each in there if each.claims(path, body)]
    if len(claiming) != 1:
        raise BadRequest(400, undecided(path, body, claiming, there))
    return claiming[0]


def undecided(path: str, body: Mapping[str, Any], claiming: Sequence[WireFormat], there: Sequence[WireFormat]) -> str:
    """Why a body is of no format, or of several."""
    keys = ", ".join(sorted(map(str, body))) or "none"
    if not claiming:
        names = " / ".join(each.name for each in there)
        return f"the keys of the body ({keys}) fit none of the protocols on {path}: {names}"
    names = " / ".join(each.name for each in claiming)
    return f"the keys of the body ({keys}) fit several protocols on {path}: {names}; send those of one"
