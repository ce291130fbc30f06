"""Errors as a client gets them: a status, and a JSON body that says what was wrong."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    500: "internal",
    503: "unavailable",
}
"""Every error status of the server, with the code in its body where no finer one is given."""
CHALLENGE = ", ".join(("Bearer", " ".join(("Basic", 'realm="rewardsmith"'))))
"""Both ways to send a key (RFC 9110, 11.6.1); a browser asks for a password."""


class HttpError(Exception):
    """A request that gets an error: `path` is the place in its body, as `conversations[0][1].role`; `after` are seconds."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, path: str = "", after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.path, self.after = status, message, path, after
        self.code = code or CODES.get(status, "error")

    @property
    def headers(self) -> dict[str, str]:
        """Headers beside the body."""
        found = {} if self.after is None else {"retry-after": str(self.after)}
        if self.status == 401:
            found["www-authenticate"] = CHALLENGE
        return found

    def body(self) -> dict[str, Any]:
        """`{"error": {"code", "message", "path"}}`."""
        return {"error": {"code": self.code, "message": self.message, "path": self.path}}


class JsonResponse(Response):
    """A JSON value, floats written so that they read back as the same bits."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return orjson.dumps(content)


def response_of(error: HttpError, body: Any = None) -> JsonResponse:
    """The answer to a request that failed; `body` in the place of our own."""
    return JsonResponse(error.body() if body is None else body, error.status, error.headers)
