"""A server from its settings: listen, open the models beside it, serve until a signal, answer what has begun, end."""

import contextvars
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from rewardsmith.model.runtime.allocator import kept_memory
from rewardsmith.progress import Progress
from rewardsmith.records import Message
from rewardsmith.serve.app.application import application
from rewardsmith.serve.app.service import RequestLimits, Service
from rewardsmith.serve.engine.engine import EngineLimits, RewardEngine
from rewardsmith.serve.engine.work import TextOutput
from rewardsmith.serve.http.observed import Log
from rewardsmith.serve.http.server import DrainingServer, configured, listening
from rewardsmith.serve.models.registry import AnyServed, Named, Registry
from rewardsmith.serve.models.served import ServedModel
from rewardsmith.serve.protocols.protocol import Question

WARM_WORDS = (8, 200)
"""Words of the texts that a model scores before it serves: kernels are chosen, and the speed is known."""


@dataclass(frozen=True)
class Serving:
    """Where to listen, which key to ask for (None: none), what is let in, and whether requests are logged."""

    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = None
    limits: EngineLimits = field(default_factory=EngineLimits)
    requests: RequestLimits = field(default_factory=RequestLimits)
    connections: int = 1000
    grace: float = 30.0
    log: bool = True


@dataclass(frozen=True)
class Served:
    """What a server has done: requests by status, and texts by model."""

    requests: dict[str, int]
    texts: dict[str, int]


def serve(
    settings: Serving,
    models: Sequence[Named],
    open_model: Callable[[Named], AnyServed],
    progress: Progress,
) -> Served:
    """Serve until a signal; returns what was served. What opening a model raises is raised here, and nothing is served."""
    log = JsonLog(progress)
    engine = RewardEngine(settings.limits, log.bug)

    def opened(one: Named) -> AnyServed:
        model = open_model(one)
        for remark in model.remarks():
            progress.note(f"{one.name}: {remark}")
        warm(engine, model)
        return model

    service = Service(Registry(models, opened), engine, settings.requests)
    socket = listening(settings.host, settings.port)
    server = server_of(settings, service, log if settings.log else None, log.bug)
    failed: list[BaseException] = []
    engine.start()

    def open_all() -> None:
        try:
            service.registry.open_all()
            service.ready = True
            progress.note(f"ready: {', '.join(service.registry.models)}")
        except BaseException as error:
            failed.append(error)
            server.should_exit = True

    where = address(settings.host, socket.getsockname()[1])
    progress.note(f"listening on {where} (requests get status 503 until the models are open)")
    speaking = contextvars.copy_context()  # notes of the other thread are in the language of this one
    threading.Thread(target=speaking.run, args=(open_all,), name="rewardsmith-opening", daemon=True).start()
    try:
        with kept_memory("cpu"):  # what a pass frees stays for the next one, as in `score`
            server.run([socket])
    finally:
        engine.close()
    if failed:
        raise failed[0]
    return served(service)


def server_of(
    settings: Serving, service: Service, log: Log | None, report: Callable[[BaseException], None]
) -> DrainingServer:
    """The server of an application."""

    def drain() -> None:
        service.engine.draining = True

    limits = service.limits
    app = application(service, key=settings.key, log=log, report=report)
    config = configured(
        app,
        headers=limits.header_seconds,
        body=limits.body_seconds,
        connections=settings.connections,
        grace=settings.grace,
    )
    return DrainingServer(
        config, drain=drain, open_requests=lambda: service.metrics.open_requests, grace=settings.grace
    )


def warm(engine: RewardEngine, model: AnyServed) -> None:
    """Let the thread that computes score a short and a long text; raises what scoring raises. Judges are not asked: each of
    their verdicts may cost money."""
    if not isinstance(model, ServedModel):
        return
    for words in WARM_WORDS:
        turns = (Message("user", "Hello"), Message("assistant", "good " * words))
        texts = [text.sequences for text in model.read([Question(turns=turns)], truncate=True)]
        found: list[TextOutput] = engine.computing.now(model, texts)
        assert len(found) == len(texts)


def address(host: str, port: int) -> str:
    """Where to find the server."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def served(service: Service) -> Served:
    """The counts of the metrics."""
    requests: dict[str, int] = {}
    for labels, count in service.metrics.requests.items():
        code = dict(labels)["code"]
        requests[code] = requests.get(code, 0) + count
    return Served(requests, dict(service.metrics.texts))


class JsonLog:
    """Lines of JSON for an operator, where the notes of the program go."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def __call__(self, entry: dict[str, Any]) -> None:
        """One line."""
        self.progress.note(orjson.dumps(entry).decode())

    def bug(self, error: BaseException) -> None:
        """A bug: its kind and the places in the code, without its message, which may quote a text."""
        places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        self({"event": "error", "kind": type(error).__name__, "places": places[-8:]})
