"""What a wire format is: a client's request → texts to score, and their rewards → the answer that this client reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rewardsmith.records import EMPTY, Conversation


class BadRequest(Exception):
    """A request that cannot be answered: the HTTP status, and one line that says what was wrong and what was expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Question:
    """One text to score, in exactly one of three forms.

    `turns` is a conversation that ends with the assistant's turn; the scoring contract renders it. `text` was rendered by
    the client (see `scoring.templates.rendered`); `plain` says which conversation is scored instead where the text spells no
    control token of the model, None: the text as it is. `token_ids` are ids of the reward model's own tokenizer.
    `generated` says that a policy wrote the end, whose last control token a client keeps or drops: the turn ends as the
    template ends it.
    """

    turns: Conversation | None = None
    text: str | None = None
    token_ids: tuple[int, ...] | None = None
    plain: Conversation | None = None
    generated: bool = False


@dataclass(frozen=True)
class ScoreRequest:
    """What a request asks: the model by name (None: the first) and the texts, none of them included.

    `options` are read by the `answer` of the same wire format only. `truncate` says whether texts that are too long are cut
    as the contract says; they are, unless the client asks to be refused, since a refused text ends most training runs.
    """

    model: str | None
    questions: tuple[Question, ...]
    options: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    truncate: bool = True


@dataclass(frozen=True)
class ScoredText:
    """The raw reward of one text, the columns beside it, how many tokens were scored, whether any were cut, and which
    model gave it."""

    reward: float
    columns: Mapping[str, float]
    tokens: int
    truncated: bool
    model: str


class WireFormat(Protocol):
    """One client's way to ask, as pure functions of JSON: a server calls `read`, scores, and sends what `answer` returns.

    `routes` are the paths that it is asked on. Several formats may share one: `claims` says by the keys of the body whether
    a request is of this format. `read` raises BadRequest for what it cannot take; `answer` gets one ScoredText for each
    question, in order. `refusal` is the body of an answer with an error status.
    """

    @property
    def name(self) -> str:
        """The program whose format it is."""

    @property
    def routes(self) -> tuple[str, ...]:
        """Paths from the root, each with its slash."""

    def claims(self, path: str, body: Mapping[str, Any]) -> bool:
        """Whether a body on this path is of this format."""

    def read(self, path: str, body: Mapping[str, Any]) -> ScoreRequest:
        """What is asked; BadRequest where the body breaks the format."""

    def answer(self, path: str, asked: ScoreRequest, answers: Sequence[ScoredText]) -> Any:
        """What is sent back, as a JSON value."""

    def refusal(self, status: int, message: str) -> Any:
        """What is sent back with an error status, as a JSON value."""
