"""The OpenAPI document of the server: every route with its body, its answer and every status that it may have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rewardsmith.serve.app.schema import (
    CompareAnswer,
    CompareBody,
    ErrorAnswer,
    RankAnswer,
    RankBody,
    ScoreAnswer,
    ScoreBody,
)
from rewardsmith.serve.http.errors import CODES
from rewardsmith.version import VERSION

REF = "#/components/schemas/{model}"
OF_A_BODY = (400, 401, 404, 405, 408, 413, 415, 422, 500, 503)
OF_A_QUESTION = (401, 405, 500)


@dataclass(frozen=True)
class DescribedRoute:
    """A route in the document: its method, its body and answer (None: any JSON value), and the statuses of its
    errors, whose bodies are another program's where they are not our own."""

    path: str
    method: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    errors: tuple[int, ...] = OF_A_QUESTION
    takes_body: bool = False
    media: str = "application/json"
    own_errors: bool = True


OWN = (
    DescribedRoute("/v1/score", "post", ScoreBody, ScoreAnswer, OF_A_BODY, takes_body=True),
    DescribedRoute("/v1/rank", "post", RankBody, RankAnswer, OF_A_BODY, takes_body=True),
    DescribedRoute("/v1/compare", "post", CompareBody, CompareAnswer, OF_A_BODY, takes_body=True),
    DescribedRoute("/v1/models", "get"),
    DescribedRoute("/v1/models/{name}/reload", "post", errors=(401, 404, 405, 409, 415, 422, 500)),
    DescribedRoute("/health/live", "get", errors=(405, 503)),
    DescribedRoute("/health/ready", "get", errors=(405, 503)),
    DescribedRoute("/metrics", "get", media="text/plain"),
)


def document(routes: tuple[DescribedRoute, ...], *, with_key: bool) -> dict[str, Any]:
    """The document of these routes."""
    kinds = [kind for route in routes for kind in (route.body, route.answer) if kind is not None]
    _, schemas = models_json_schema(as_checked(*kinds, ErrorAnswer), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = operation(route)
    keys = {"key": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "rewardsmith", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"], **({"securitySchemes": keys} if with_key else {})},
        **({"security": [{"key": []}]} if with_key else {}),
    }


def as_checked(*kinds: type[BaseModel]) -> list[tuple[type[BaseModel], Literal["validation"]]]:
    """Kinds as pydantic takes them."""
    return [(kind, "validation") for kind in kinds]


def operation(route: DescribedRoute) -> dict[str, Any]:
    """One route."""
    found: dict[str, Any] = {
        "operationId": route.method + route.path.replace("/", "_").replace("{", "").replace("}", ""),
        "summary": summary(route.answer or route.body),
        "responses": {
            "200": {"description": "OK", "content": {route.media: {"schema": schema_of(route.answer)}}},
            **{str(status): error(status, own=route.own_errors) for status in route.errors},
        },
    }
    if route.takes_body:
        body = {"type": "object"} if route.body is None else schema_of(route.body)
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    if "{name}" in route.path:
        found["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    return found


def summary(kind: type[BaseModel] | None) -> str:
    """The first line of a body's description."""
    return "" if kind is None else (kind.__doc__ or "").partition("\n")[0]


def schema_of(kind: type[BaseModel] | None) -> Mapping[str, Any]:
    """A reference to a schema; any value for None."""
    return {} if kind is None else {"$ref": REF.format(model=kind.__name__)}


def error(status: int, *, own: bool) -> dict[str, Any]:
    """An error's answer; the body of another program's where it is not our own."""
    body = {"application/json": {"schema": schema_of(ErrorAnswer if own else None)}}
    headers = {"Retry-After": {"schema": {"type": "integer"}}} if status == 503 else {}
    return {"description": CODES[status], "content": body, **({"headers": headers} if headers else {})}
