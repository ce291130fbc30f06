"""What an operator and a supervisor ask: health, models, metrics, and a model opened again."""

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from rewardsmith.serve.app.service import Service
from rewardsmith.serve.http.body import check_type
from rewardsmith.serve.http.errors import HttpError, JsonResponse, response_of
from rewardsmith.serve.http.metrics import PROMETHEUS, counter, gauge, histogram
from rewardsmith.version import VERSION

FULL_SECONDS = 5.0
"""Seconds of a full queue after which the server is not ready."""


async def live(service: Service, request: Request) -> Response:
    """200 while the thread that computes runs; a supervisor starts the server again where it does not."""
    if not service.engine.computing.alive:
        return response_of(HttpError(503, "the thread that computes has ended", code="dead", after=5))
    return JsonResponse({"status": "live"})


async def ready(service: Service, request: Request) -> Response:
    """200 once every model has scored a text, while there is room for requests and the server is not stopping."""
    engine = service.engine
    if not service.ready:
        return response_of(HttpError(503, "the models are being opened", code="loading", after=5))
    if engine.draining:
        return response_of(HttpError(503, "the server is stopping", code="stopping", after=5))
    if engine.waiting_too_long and engine.seconds_full > FULL_SECONDS:
        return response_of(HttpError(503, "the queue is full", code="overloaded", after=5))
    return JsonResponse({"status": "ready"})


async def models(service: Service, request: Request) -> Response:
    """The models, the first being the default; `data` lists them as OpenAI's API does, for clients that ask for names."""
    found = [model.describe() for model in tuple(service.registry.models.values())]
    listed = [{"id": one["name"], "object": "model", "created": 0, "owned_by": "rewardsmith"} for one in found]
    return JsonResponse({"version": VERSION, "models": found, "object": "list", "data": listed})


async def reload(service: Service, request: Request) -> Response:
    """Open a model again from the place where it was opened, and let it take the old one's place once it is warm.

    It takes no body, but the content type of one: a page of another site could send the request without.
    """
    check_type(request.headers.get("content-type", ""))
    name = request.path_params["name"]
    model = await asyncio.to_thread(service.registry.reload, name)
    return JsonResponse(model.describe())


async def metrics(service: Service, request: Request) -> Response:
    """Prometheus' page."""
    engine, counts = service.engine, [one.counts for one in service.engine.all_computing]
    gauges = {
        "queue_tokens": engine.waiting,
        "tokens_per_second": engine.computing.speed,
        "ready": float(service.ready and not engine.draining),
    }
    info = [
        ((("model", model.name), ("hash", model.model_hash or ""), ("contract", model.contract_hash)), 1)
        for model in tuple(service.registry.models.values())
    ]
    extra = [
        *counter("passes_total", [((), sum(one.passes for one in counts))]),
        *counter("pass_seconds_total", [((), sum(one.seconds for one in counts))]),
        *counter("dropped_texts_total", [((), sum(one.dropped for one in counts))]),
        *histogram("pass_texts", engine.computing.counts.texts_of_passes),
        *gauge("model_info", info),
    ]
    return PlainTextResponse(service.metrics.page(gauges, extra), media_type=PROMETHEUS)
