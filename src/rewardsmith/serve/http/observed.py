"""Every request counted and, where asked for, logged: one JSON line each, without texts, keys or addresses."""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewardsmith.serve.http.metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CLOSED = 499
"""The status that is counted where the client closed the connection before there was an answer (nginx's code)."""

LOGGED = frozenset({"model", "texts", "tokens", "truncated", "format"})
"""What a route may say of a request in the log."""

Log = Callable[[dict[str, Any]], None]


class Observed:
    """Counts what the application within answers, gives each request an id, and logs it.

    `known` are the routes that are counted by name; all others are one, so that strangers cannot make new ones.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, known: frozenset[str], log: Log | None) -> None:
        self.app, self.metrics, self.known, self.log = app, metrics, known, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, counted = time.monotonic(), CLOSED, False
        given = Headers(scope=scope).get("x-request-id", "")
        number = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        facts: dict[str, Any] = scope.setdefault("state", {})

        async def noted(message: Message) -> None:
            nonlocal status, counted
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = number
            elif not message.get("more_body"):  # before it is sent: whoever has the answer finds it counted
                counted = True
                self._note(scope, status, time.monotonic() - started, number, facts)
            await send(message)

        self.metrics.open_requests += 1
        try:
            await self.app(scope, receive, noted)
        finally:
            self.metrics.open_requests -= 1
            if not counted:
                self._note(scope, CLOSED, time.monotonic() - started, number, facts)

    def _note(self, scope: Scope, status: int, seconds: float, number: str, facts: dict[str, Any]) -> None:
        route = scope["path"] if scope["path"] in self.known else "other"
        if status == CLOSED:
            self.metrics.disconnected += 1
        self.metrics.request(route, status, seconds)
        if self.log is not None and not (route.startswith("/health") and status == 200):
            logged = {name: value for name, value in facts.items() if name in LOGGED}
            self.log(
                {
                    "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                    **{"request": number, "method": scope["method"], "route": route, "status": status},
                    "ms": round(1000 * seconds, 2),
                    **logged,
                }
            )
