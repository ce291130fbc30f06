"""The routes of other programs: the body's keys say whose request it is, and that program's format reads and answers it."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rewardsmith.errors import DataError, RewardsmithError
from rewardsmith.serve.app.service import RequestTexts, Service
from rewardsmith.serve.engine.engine import Admission
from rewardsmith.serve.engine.work import TextOutput, Unavailable
from rewardsmith.serve.http.errors import HttpError, JsonResponse, response_of
from rewardsmith.serve.protocols import WIRE_FORMATS, format_of
from rewardsmith.serve.protocols.protocol import BadRequest, ScoredText, WireFormat

OWN_KEYS = frozenset({"responses", "conversations", "texts"})
"""What a body of our own /v1/score has, and no other program's on that path."""


def wire_routes() -> frozenset[str]:
    """Every path of every format."""
    return frozenset(route for each in WIRE_FORMATS for route in each.routes)


def is_own(path: str, body: Mapping[str, Any]) -> bool:
    """Whether a body on a path that is ours and others' is ours: it has a key of ours, or no other format claims it."""
    return not OWN_KEYS.isdisjoint(body) or not any(
        path in each.routes and each.claims(path, body) for each in WIRE_FORMATS
    )


async def wired(service: Service, request: Request) -> Response:
    """Answer a request in its own format."""
    with service.admitted(request) as admission:
        body = await service.object_of(request)
        return await answered(service, request, body, admission)


async def answered(service: Service, request: Request, body: Mapping[str, Any], admission: Admission) -> Response:
    """The answer to a body that has been read; where it fails, an error with the body that its client reads."""
    path = request.url.path
    format = format_of(path, body, WIRE_FORMATS)
    request.state.format = format.name
    try:
        asked = format.read(path, body)
        job = await service.job(request, asked.model, asked.questions, admission, truncate=asked.truncate)
        outputs = await service.outputs(request, job)
        return JsonResponse(format.answer(path, asked, answers_of(job, outputs)))
    except (BadRequest, Unavailable, HttpError, DataError, RewardsmithError) as error:
        return refused(format, http_error(error))


def refused(format: WireFormat, error: HttpError) -> Response:
    """An error as a client of this format reads it."""
    return response_of(error, format.refusal(error.status, error.message))


def answers_of(job: RequestTexts, outputs: Sequence[TextOutput]) -> list[ScoredText]:
    """What the formats read."""
    return [
        ScoredText(output.reward, output.columns, text.tokens, text.truncated, job.model.name)
        for text, output in zip(job.texts, outputs, strict=True)
    ]


def http_error(error: Exception) -> HttpError:
    """An error of the layers below as a status."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, BadRequest):
        return HttpError(error.status, error.message)
    if isinstance(error, Unavailable):
        return HttpError(503, str(error), code=error.code, after=error.after)
    if isinstance(error, DataError):
        return HttpError(422, str(error))
    if isinstance(error, RewardsmithError):
        return HttpError(500, str(error), code="model")
    return HttpError(500, "internal error; see the log of the server", code="internal")
