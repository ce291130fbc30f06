"""Connections that end: headers and bodies have to arrive in time, and there are only so many connections at once.

uvicorn closes idle connections, but waits for ever for the rest of a request. Here a timer runs whenever a part of one is
missing; it is the connection that it closes, whatever the application does meanwhile.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
SPARE = 1.0
"""Seconds after the body's deadline at which the connection is closed: the application says 408 before."""


def protocol_with(*, headers: float, body: float, connections: int) -> type[H11Protocol]:
    """uvicorn's protocol with these deadlines in seconds, and at most so many connections."""

    class Protocol(DeadlineProtocol):
        header_seconds, body_seconds, most_connections = headers, body + SPARE, connections

    return Protocol


class DeadlineProtocol(H11Protocol):
    """One connection."""

    header_seconds = 10.0
    body_seconds = 31.0
    most_connections = 1000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._awaited = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open: the first request has to come."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.most_connections:
            self.transport.write(FULL)
            self.transport.close()
            return
        self._await("headers")

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed."""
        self._await("")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes: whatever is missing now has its time."""
        super().data_received(data)
        state = str(self.conn.their_state)  # h11's names of what the client does
        if state == "SEND_BODY":
            self._await("body")
        elif state == "IDLE" and self.conn.trailing_data[0]:
            self._await("headers")
        else:
            self._await("")

    def _await(self, part: str) -> None:
        """Start the timer of a part, which further bytes do not put back; none for ""."""
        if part == self._awaited:
            return
        self._awaited = part
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if part:
            seconds = self.header_seconds if part == "headers" else self.body_seconds
            self._timer = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        """Close; who has not sent its headers is told so."""
        if self.transport.is_closing():
            return
        if self._awaited == "headers":
            self.transport.write(LATE)
        self.transport.close()
