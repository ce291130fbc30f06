"""uvicorn with an orderly end: on a signal nothing new is let in, what has begun is answered, and the exit code is 0."""

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from rewardsmith.errors import OutputError
from rewardsmith.serve.http.deadlines import protocol_with

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
TICK = 0.02


class DrainingServer(uvicorn.Server):
    """`drain` is called at the first signal; `open_requests` says how many are still to be answered. What is not after
    `grace` seconds is cut off."""

    def __init__(
        self, config: uvicorn.Config, *, drain: Callable[[], None], open_requests: Callable[[], int], grace: float
    ) -> None:
        super().__init__(config)
        self.drain, self.open_requests, self.grace = drain, open_requests, grace
        self.ended_by: int | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while the server runs, and let nobody have them afterwards: they have been heeded."""
        here = threading.current_thread() is threading.main_thread()
        before = {number: signal.signal(number, self.handle_exit) for number in ENDING if here and heeded(number)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal."""
        if self.ended_by is None:
            self.ended_by = sig
            self.drain()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop listening: asked to, and nobody waits for an answer."""
        ended = await super().on_tick(counter)
        if self.ended_by is None:
            return ended
        until = time.monotonic() + self.grace
        while self.open_requests() and time.monotonic() < until:
            await asyncio.sleep(TICK)
        self.force_exit = bool(self.open_requests())
        return True


def heeded(number: int) -> bool:
    """Whether a signal is not ignored, as nohup lets a program ignore SIGHUP."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 for any that is free. OutputError where that cannot be."""
    try:
        family, kind, protocol = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][:3]
        # The protocol has to be named: asyncio sends small answers at once (TCP_NODELAY) on sockets known to be TCP, and
        # others hold the body of an answer back until the client has acknowledged its headers, which takes 40 ms.
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot listen on {host}:{port}: {reason}; choose another --port or --host") from error
    found.set_inheritable(False)
    return found


def configured(app: ASGIApp, *, headers: float, body: float, connections: int, grace: float) -> uvicorn.Config:
    """uvicorn's settings: no logs of its own, no name of the server, no trust in forwarded addresses."""
    return uvicorn.Config(
        app,
        http=protocol_with(headers=headers, body=body, connections=connections),
        loop="asyncio",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=max(1, round(grace)),
        backlog=2048,
    )
