"""What every route that scores does: let in, read, tokenize, compute, count."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from starlette.requests import Request

from rewardsmith.serve.engine.engine import Admission, RewardEngine
from rewardsmith.serve.engine.work import TextOutput
from rewardsmith.serve.http.body import declared, object_of
from rewardsmith.serve.http.errors import HttpError
from rewardsmith.serve.http.metrics import Metrics
from rewardsmith.serve.models.registry import AnyServed, Registry
from rewardsmith.serve.models.served import TokenizedText
from rewardsmith.serve.protocols.protocol import Question


@dataclass(frozen=True)
class RequestLimits:
    """Of one request: bytes of its body, texts in it, and seconds for its headers and its body."""

    body_bytes: int = 2_000_000
    texts: int = 4096
    header_seconds: float = 10.0
    body_seconds: float = 30.0


class ClientGone(Exception):
    """The client closed the connection before there was an answer."""


@dataclass(frozen=True)
class RequestTexts:
    """The texts of a request under the model that it asks for, and when their rewards are too late."""

    model: AnyServed
    texts: Sequence[TokenizedText]
    deadline: float
    per_token: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of all texts."""
        return sum(text.tokens for text in self.texts)


@dataclass
class Service:
    """The parts of a server that its routes use. `ready` is set once every model has scored something."""

    registry: Registry
    engine: RewardEngine
    limits: RequestLimits
    metrics: Metrics = field(default_factory=Metrics)
    ready: bool = False

    def admitted(self, request: Request) -> Admission:
        """Let a request in before its body is read; HttpError or Unavailable where it is not."""
        if not self.ready:
            raise HttpError(503, "the models are being opened", code="loading", after=5)
        return self.engine.admit(min(declared(request), self.limits.body_bytes))

    async def object_of(self, request: Request) -> dict[str, Any]:
        """The body of a request."""
        return await object_of(request, most=self.limits.body_bytes, seconds=self.limits.body_seconds)

    async def job(
        self,
        request: Request,
        name: str | None,
        questions: Sequence[Question],
        admission: Admission,
        *,
        truncate: bool | None = None,
        per_token: bool = False,
    ) -> RequestTexts:
        """The texts of a request as tokens; HttpError where they are too many, BadRequest where one cannot be scored."""
        if len(questions) > self.limits.texts:
            raise HttpError(413, f"{len(questions)} texts in a request; at most {self.limits.texts} are taken")
        model = self.registry.get(name)
        texts = await self.engine.tokenized(partial(model.read, questions, truncate=truncate, per_token=per_token))
        request.state.model, request.state.texts = model.name, len(texts)
        request.state.tokens = sum(text.tokens for text in texts)
        request.state.truncated = sum(text.truncated for text in texts)
        admission.release()  # nothing else runs before they are in the queue
        return RequestTexts(model, texts, admission.deadline, per_token)

    async def outputs(self, request: Request, job: RequestTexts) -> list[TextOutput]:
        """The output of each text; ClientGone where the client has closed the connection, and its work is dropped."""
        found = await self._watched(request, job)
        for text, output in zip(job.texts, found, strict=True):
            self.metrics.scored(job.model.name, output.reward, text.tokens, truncated=text.truncated)
        return found

    async def _watched(self, request: Request, job: RequestTexts) -> list[TextOutput]:
        sequences = [text.sequences for text in job.texts]
        work = asyncio.ensure_future(self.engine.outputs(job.model, sequences, job.deadline, per_token=job.per_token))
        gone = asyncio.ensure_future(closed(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            return work.result()
        finally:
            work.cancel()
            gone.cancel()


async def closed(request: Request) -> None:
    """Return when the client closes the connection; to be awaited once the body is read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
