"""The bodies of our own routes, as pydantic checks them and as the OpenAPI page shows them. Nothing is coerced."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rewardsmith.records import Conversation, Message
from rewardsmith.serve.http.errors import HttpError

B = TypeVar("B", bound=BaseModel)
MOST_NAME = 256
NOT_GIVEN: Any = None
"""The default of fields for which null is not allowed: it is not checked."""


class RequestBody(BaseModel):
    """What all bodies have in common."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    model: Annotated[str, Field(max_length=MOST_NAME)] | None = None
    """Name of the model (default: the first one)."""
    truncate: bool | None = None
    """true: truncate texts that are too long as the scoring contract says, and report it. false: refuse them with 422.
    Default: as the server was started."""


class ChatMessage(BaseModel):
    """A message of a conversation."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    role: Literal["system", "user", "assistant", "tool"]
    """Who speaks."""
    content: str
    """What is said."""
    reasoning_content: str | None = None
    """Reasoning kept apart from the content; scored where the contract of the model says so."""

    def message(self) -> Message:
        """As the rest of the program knows it."""
        return Message(self.role, self.content, self.reasoning_content)


FORMS: list[Any] = [
    {"required": ["responses"], "not": {"anyOf": [{"required": ["conversations"]}, {"required": ["texts"]}]}},
    {"required": ["conversations"], "not": {"anyOf": [{"required": ["prompt"]}, {"required": ["texts"]}]}},
    {"required": ["texts"], "not": {"anyOf": [{"required": ["prompt"]}, {"required": ["conversations"]}]}},
]
"""Which fields of ScoreBody go together, in JSON Schema's words."""

Messages = Annotated[list[ChatMessage], Field(min_length=1)]
PromptField = str | list[ChatMessage]


class ScoreBody(RequestBody):
    """`POST /v1/score`: `prompt` with `responses`, or `conversations`, or rendered `texts`; exactly one of the three."""

    model_config = ConfigDict(json_schema_extra={"oneOf": FORMS})

    prompt: PromptField = Field(default=NOT_GIVEN)
    """What the responses are to: the user's text, or messages."""
    responses: list[str] = Field(default=NOT_GIVEN)
    """Responses to the prompt."""
    conversations: list[Messages] = Field(default=NOT_GIVEN)
    """Whole conversations; the last message of each, which is scored, is the assistant's."""
    texts: list[str] = Field(default=NOT_GIVEN)
    """Conversations that were rendered with the chat template of the model; control tokens in them count as such."""
    per_token: bool = False
    """Also give the value at each token of the responses (decoders)."""

    @model_validator(mode="after")
    def _one_form(self) -> "ScoreBody":
        forms = (self.responses is not None, self.conversations is not None, self.texts is not None)
        if sum(forms) != 1:
            raise ValueError("expected exactly one of responses (with prompt), conversations, texts")
        if self.prompt is not None and self.responses is None:
            raise ValueError("prompt without responses")
        return self

    def turns(self) -> list[Conversation]:
        """The conversations that are asked for; none where there are rendered texts."""
        if self.responses is not None:
            return with_responses(self.prompt, self.responses)
        return [tuple(one.message() for one in messages) for messages in self.conversations or ()]


class RankBody(RequestBody):
    """`POST /v1/rank`: responses to one prompt, to be ordered by reward."""

    prompt: PromptField
    """What the responses are to: the user's text, or messages."""
    responses: Annotated[list[str], Field(min_length=1)]
    """At least one response."""


class CompareBody(RequestBody):
    """`POST /v1/compare`: two responses to one prompt."""

    prompt: PromptField
    """What the responses are to: the user's text, or messages."""
    first: str
    """One response."""
    second: str
    """The other response."""


def with_responses(prompt: PromptField | None, responses: list[str]) -> list[Conversation]:
    """Each response behind the prompt."""
    if isinstance(prompt, str):
        before: Conversation = (Message("user", prompt),)
    else:
        before = tuple(one.message() for one in prompt or ())
    return [(*before, Message("assistant", text)) for text in responses]


def read(kind: type[B], body: dict[str, Any]) -> B:
    """A body of this kind; HttpError 422 with the place of the first thing that is wrong."""
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        raise HttpError(422, message, path=place(first["loc"])) from error


def place(parts: tuple[int | str, ...]) -> str:
    """`conversations[0][1].role`; names of the alternatives that were tried are left out."""
    found = ""
    for part in parts:
        if isinstance(part, int):
            found += f"[{part}]"
        elif part not in ("str", "list[ChatMessage]"):
            found += f".{part}" if found else part
    return found


class PerTokenView(BaseModel):
    """The tokens of a response and the value at each."""

    texts: list[str]
    values: list[float]


class TextResult(BaseModel):
    """One text."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    reward: float
    """The raw reward: a logit, never a probability."""
    columns: dict[str, float]
    """What the model gives beside it, by name: attributes, members, std."""
    uncertainty: float | None
    """Standard deviation of the reward where the model has one (ensembles, gaussian and quantile heads)."""
    z: float | None
    """Standard deviations above the mean of the reference rewards."""
    percentile: float | None
    """Percentage of the reference rewards below this one."""
    p_better: float | None
    """Probability that the response is preferred to one of the reference."""
    tokens: int
    """Tokens that were scored."""
    truncated: bool
    """Whether anything of the text was cut."""
    per_token: PerTokenView | None = None


class ScoreAnswer(BaseModel):
    """The answer of `/v1/score`: one result for each text, in order."""

    model: str
    model_hash: str | None
    contract_hash: str
    tokens: int
    results: list[TextResult]


class RankedResult(TextResult):
    """One response of a ranking."""

    index: int


class RankAnswer(BaseModel):
    """The answer of `/v1/rank`: best first; equal rewards keep their order."""

    model: str
    model_hash: str | None
    contract_hash: str
    tokens: int
    ranking: list[RankedResult]


class CompareAnswer(BaseModel):
    """The answer of `/v1/compare`: reward of first minus reward of second, and P(first is preferred)."""

    model: str
    model_hash: str | None
    contract_hash: str
    tokens: int
    margin: float
    p_first: float
    calibrated: bool
    preferred: Literal["first", "second", "tie"]
    results: list[TextResult]


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    path: str


class ErrorAnswer(BaseModel):
    """Every error has this body."""

    error: ErrorBody
