"""The application: routes, the key, what is counted, and how errors are answered."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from rewardsmith.errors import DataError, RewardsmithError
from rewardsmith.serve.app import operating, own, wire
from rewardsmith.serve.app.openapi import OF_A_BODY, OWN, DescribedRoute, document
from rewardsmith.serve.app.service import ClientGone, Service
from rewardsmith.serve.engine.work import Unavailable
from rewardsmith.serve.http.errors import HttpError, JsonResponse, response_of
from rewardsmith.serve.http.key import KeyCheck
from rewardsmith.serve.http.observed import CLOSED, Log, Observed
from rewardsmith.serve.page import PAGES, page
from rewardsmith.serve.protocols.protocol import BadRequest

RouteHandler = Callable[[Service, Request], Awaitable[Response]]
ROUTES: dict[tuple[str, str], RouteHandler] = {
    ("POST", "/v1/score"): own.score,
    ("POST", "/v1/rank"): own.rank,
    ("POST", "/v1/compare"): own.compare,
    ("GET", "/v1/models"): operating.models,
    ("POST", "/v1/models/{name}/reload"): operating.reload,
    ("GET", "/health/live"): operating.live,
    ("GET", "/health/ready"): operating.ready,
    ("GET", "/metrics"): operating.metrics,
}


def application(
    service: Service, *, key: str | None, log: Log | None, report: Callable[[BaseException], None]
) -> ASGIApp:
    """The whole application. `log` takes one JSON object a request, `report` what no request can be blamed for."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    shared = wire.wire_routes()
    for (method, path), endpoint in ROUTES.items():
        add(app, service, method, path, shared_with(endpoint) if path in shared else endpoint)
    alone = sorted(shared - {path for _, path in ROUTES})
    for path in alone:
        add(app, service, "POST", path, wire.wired)
    wires = (DescribedRoute(path, "post", errors=OF_A_BODY, takes_body=True, own_errors=False) for path in alone)
    spec = document((*OWN, *wires), with_key=key is not None)

    async def openapi(request: Request) -> Response:
        return JsonResponse(spec)

    app.add_route("/openapi.json", openapi, methods=["GET"])
    for path in PAGES:
        app.add_route(path, page, methods=["GET"])
    answer_errors(app, report)
    known = frozenset({*(path for _, path in ROUTES), *shared, *PAGES, "/openapi.json"})
    return Observed(KeyCheck(app, key), service.metrics, known, log)


def add(app: FastAPI, service: Service, method: str, path: str, endpoint: RouteHandler) -> None:
    """One route."""

    async def route(request: Request) -> Response:
        return await endpoint(service, request)

    app.add_route(path, route, methods=[method])


def shared_with(endpoint: RouteHandler) -> RouteHandler:
    """A route of ours that another program uses too."""

    async def route(service: Service, request: Request) -> Response:
        with service.admitted(request) as admission:
            body = await service.object_of(request)
            if wire.is_own(request.url.path, body):
                return await own.scored(service, request, body, admission)
            return await wire.answered(service, request, body, admission)

    return route


def answer_errors(app: FastAPI, report: Callable[[BaseException], None]) -> None:
    """Every error as JSON with its status."""

    async def known(request: Request, error: Exception) -> Response:
        return response_of(wire.http_error(error))

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        method, path = request.method, request.url.path
        message = f"{method} {path:.100} is not a route of this server; see /docs" if error.status_code == 404 else ""
        found = response_of(HttpError(error.status_code, message or f"{path:.100} does not take {method:.20}"))
        found.headers.update(error.headers or {})
        return found

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=CLOSED)

    async def unknown(request: Request, error: Exception) -> Response:
        report(error)
        return response_of(wire.http_error(error))

    for kind in (HttpError, BadRequest, Unavailable, DataError, RewardsmithError):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(ClientGone, gone)
    app.add_exception_handler(Exception, unknown)
