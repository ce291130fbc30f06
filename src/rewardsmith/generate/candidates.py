"""What is generated: how to sample, one candidate, one that could not be had, and the protocol of whatever makes them."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import orjson

from rewardsmith.errors import DataError, UsageError
from rewardsmith.records import Conversation

STOP, LENGTH = "stop", "length"
"""Why a candidate ended: by itself, or at the limit of tokens. An API may name others, which are kept as it names them."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How candidates are drawn: `n` per prompt, of at most `max_tokens` tokens each, reasoning included.

    `temperature` 0 takes the likeliest token. `top_p` keeps the smallest set of tokens with that much probability (nucleus
    sampling, Holtzman et al., arXiv 1904.09751), 1 all; `top_k` the k likeliest, 0 all. `thinking` tells a chat template
    that knows `enable_thinking` whether the model shall reason first, None leaves it to the template.
    """

    n: int = 1
    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    thinking: bool | None = None

    def __post_init__(self) -> None:
        for name, lowest in (("n", 1), ("max_tokens", 1), ("top_k", 0), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise UsageError(f"{name} is {getattr(self, name)}; expected at least {lowest}")
        if not 0 <= self.temperature <= 100:
            raise UsageError(f"temperature is {self.temperature:g}; expected 0 (the likeliest token) to 100")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p:g}; expected above 0 and at most 1")

    @property
    def greedy(self) -> bool:
        """Whether every sample of a prompt is the same."""
        return self.temperature == 0

    def facts(self) -> dict[str, Any]:
        """What decides a sample: all but how many there are."""
        return {name: value for name, value in asdict(self).items() if name != "n"}


@dataclass(frozen=True)
class Candidate:
    """One response: `text` without the model's `reasoning`, and why it ended (`finish`, see STOP and LENGTH).

    `text` is empty where the model did not get beyond its reasoning. `tokens` counts what was generated, reasoning and end
    token included, `prompt_tokens` what was read; `logprob` is the sum of the log-probabilities of the generated tokens at
    temperature 1. None where an API does not tell.
    """

    text: str
    finish: str
    reasoning: str | None = None
    tokens: int | None = None
    logprob: float | None = None
    prompt_tokens: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Failed:
    """A candidate that could not be had, and why."""

    reason: str


SampleOutcome = Candidate | Failed


@dataclass(frozen=True)
class PromptRequest:
    """One prompt, by its place among those of a run, and which of its samples are wanted."""

    number: int
    prompt: Conversation
    samples: tuple[int, ...]


class Finished(Protocol):
    """What takes a finished sample: the request, which of its samples, and what came of it."""

    def __call__(self, request: PromptRequest, sample: int, outcome: SampleOutcome) -> None:
        """Take it."""


class TextGenerator(Protocol):
    """Anything that answers prompts. The samples of a prompt are independent and depend on (prompt, sample) alone."""

    @property
    def name(self) -> str:
        """Under which the responses are recorded."""

    def made_by(self, sampling: Sampling) -> str:
        """A name for all that decides what it answers, in hexadecimal."""

    def generate(self, requests: Sequence[PromptRequest], sampling: Sampling, finished: Finished) -> None:
        """Answer the requests in any order; each sample goes to `finished` once, from the calling thread."""


def candidate_from(value: Any) -> Candidate:
    """What `to_json` made; DataError for anything else."""
    try:
        return Candidate(**value)
    except TypeError as error:
        raise DataError(f"a stored candidate is damaged ({error}); delete the file of candidates") from error


def digest_of(*facts: Any) -> str:
    """A name for some facts, in hexadecimal."""
    return hashlib.blake2b(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS), digest_size=20).hexdigest()


def prompt_facts(prompt: Conversation) -> list[list[str]]:
    """What a prompt is, for its hash."""
    return [list(message.parts) for message in prompt]


def seed_of(seed: int, prompt: Conversation, sample: int, bits: int = 128) -> int:
    """The seed of one sample, from the run's seed, the prompt's content and the sample's number: never from its place."""
    digest = hashlib.sha256(orjson.dumps([seed, prompt_facts(prompt), sample])).digest()
    return int.from_bytes(digest[: bits // 8], "big")
