"""A reward server in a thread of the tests, on a port of its own."""

import contextlib
import re
import socket
import subprocess
import threading
import time

import httpx
import orjson

from rewardsmith.launch import children
from rewardsmith.model.checkpoint.sidecar import Normalizer
from rewardsmith.serve.app.service import RequestLimits, Service
from rewardsmith.serve.engine.engine import EngineLimits, RewardEngine
from rewardsmith.serve.http.server import listening
from rewardsmith.serve.models.reference import stored_reference
from rewardsmith.serve.models.registry import Registry, named
from rewardsmith.serve.models.served import ServedModel
from rewardsmith.serve.running import Serving, server_of, warm

JSON = {"content-type": "application/json"}


class Running:
    """A server that runs: its address, its parts, and what it has reported."""

    def __init__(self, models, settings, *, truncate=False, reference=None):
        self.reported = []
        self.engine = RewardEngine(settings.limits, self.reported.append)
        self.opened = 0
        self.models = models

        def open_model(one):
            model = models[one.name] if self.opened < len(models) else models[f"{one.name}-again"]
            self.opened += 1
            calibration = model.sidecar.calibration
            return ServedModel(
                one.name,
                one.place,
                model,
                reference or stored_reference(model.sidecar.normalizer, calibration),
                truncate,
            )

        names = [name for name in models if not name.endswith("-again")]
        self.service = Service(Registry(named(names), open_model), self.engine, settings.requests)
        self.server = server_of(settings, self.service, None, self.reported.append)
        self.socket = listening("127.0.0.1", 0)
        self.port = self.socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self, *, ready=True):
        self.engine.start()
        if ready:
            self.open()
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def open(self):
        self.service.registry.open_all()
        for model in self.service.registry.models.values():
            warm(self.engine, model)
        self.service.ready = True

    def stop(self):
        self.server.handle_exit(15, None)
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.engine.close()

    def post(self, path, body, **options):
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return httpx.post(self.address + path, content=content, headers=JSON | options.pop("headers", {}), **options)

    def get(self, path, **options):
        return httpx.get(self.address + path, **options)


@contextlib.contextmanager
def running(models, *, limits=None, requests=None, key=None, ready=True, truncate=False, reference=None, **more):
    """A server of these models by name, which ends with the block."""
    settings = Serving(
        key=key, limits=limits or EngineLimits(), requests=requests or RequestLimits(), log=False, grace=10.0, **more
    )
    server = Running(models, settings, truncate=truncate, reference=reference)
    server.start(ready=ready)
    try:
        yield server
    finally:
        server.stop()


def reference():
    """Rewards from -2 to 2, evenly."""
    quantiles = tuple(k / 25 - 2 for k in range(101))
    return stored_reference(Normalizer(0.0, 1.0, quantiles), None)


@contextlib.contextmanager
def connected(server):
    """A connection of which the test writes the bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def one_answer(connection):
    """The bytes of the next answer, whole, with its headers."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(10_000)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(10_000)
    return head + b"\r\n\r\n" + body


def head_of(length):
    """The headers of a request to score, with a body of this length."""
    lines = (
        "POST /v1/score HTTP/1.1",
        "host: x",
        "content-type: application/json",
        f"content-length: {length}",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def held():
    """A lock, and `ServedModel.compute` that waits for it: whoever has the lock holds up the server. `begun` is set when a
    pass waits."""
    lock = threading.Lock()
    compute = ServedModel.compute

    def slow(self, texts, budget):
        slow.begun.set()
        with lock:
            return compute(self, texts, budget)

    slow.begun = threading.Event()
    return lock, slow


@contextlib.contextmanager
def started(folder, tmp_path, *options, key=None):
    """The command in a process of its own, and its address."""
    words = children.python("rewardsmith", "serve", str(folder), "--port", "0", *options)
    environment = {**children.environment(), **({"REWARDSMITH_API_KEY": key} if key else {})}
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env=environment)
    text = ""
    end = time.monotonic() + 120
    try:
        while "ready:" not in text:
            assert process.poll() is None, text
            assert time.monotonic() < end
            time.sleep(0.1)
            text = (tmp_path / "log").read_text(encoding="utf-8")
        yield process, re.search(r"http://\S+", text)[0]
    finally:
        process.kill()
        process.wait()
