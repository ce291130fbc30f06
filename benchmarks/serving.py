"""The reward server under load, beside a plain FastAPI server and LitServe with the same model on the same cores.

    python benchmarks/serving.py                         # throughput at 1, 8, 64 clients, best-of-16, 4x overload for 60 s
    python benchmarks/serving.py --parts overload --seconds 60
    python benchmarks/serving.py --parts single --servers litserve --peers-python VENV/bin/python

LitServe needs an environment that has it beside torch, transformers and FastAPI; --peers-python names its interpreter, which
then runs the plain server too. Every server gets the same texts. The client speaks HTTP over asyncio's streams itself: a
client library would take milliseconds of the cores for each request, a tenth of what is measured.

Texts of 20 to 800 tokens, lengths log-uniform, all different; best-of-16: sixteen responses of 20 to 80 tokens behind one
prompt of 400 to 800. The client is on the same cores. On a machine that others use as well, wall-clock figures say little:
texts per CPU second of the server's processes stand beside texts per second, and ratios are taken of those. Overload:
requests come at 4 times the capacity that 8 clients have measured, whether or not others are answered; each reward is
compared with `RewardModel.score` of the same text. What an earlier run has kept of other parts and servers stays.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

RESULT = Path(__file__).parent / "results" / "serving.json"
PEERS = Path(__file__).parent / "serving_peers.py"
WORDS = [
    "the",
    "of",
    "light",
    "water",
    "answer",
    "because",
    "seven",
    "river",
    "house",
    "天空",
    "number",
    "when",
    "small",
    "never",
    "train",
    "苹果",
    "stone",
    "how",
    "question",
]
CLIENTS = (1, 8, 64)
GOALS = {"plain": 3.0, "litserve": 1.5, "best-of-16": 4.0}
TOLERANCE = 1e-5
TICKS = os.sysconf("SC_CLK_TCK")


def make_model(folder: Path, arguments: argparse.Namespace) -> None:
    """A reward model with a random head on real layers; the weights do not matter for speed."""
    from rewardsmith.pipelines.train import setup
    from rewardsmith.pipelines.train.config import Config

    layers = None if arguments.model == "tiny" else arguments.layers
    config = Config(
        model=arguments.model, dataset=("none",), output=Path("none"), layers=layers, max_length=1024, dtype="fp32"
    )  # fmt: skip
    model = setup.open_model(config).model
    model.network.eval()
    model.save(folder)


class Texts:
    """Conversations of a wanted number of tokens, all different."""

    def __init__(self, model: Any, seed: int) -> None:
        self.model, self.draw = model, random.Random(seed)
        words = " ".join(self.draw.choices(WORDS, k=2000))
        self.per_word = len(model.tokenizer(words, add_special_tokens=False)["input_ids"]) / 2000

    def words(self, tokens: float) -> str:
        """Random words of about so many tokens."""
        return " ".join(self.draw.choices(WORDS, k=max(1, round(tokens / self.per_word))))

    def tokens(self, low: float, high: float) -> float:
        """A log-uniform number."""
        return low * (high / low) ** self.draw.random()

    def single(self) -> dict[str, Any]:
        """A short prompt and a response; 20 to 800 tokens with what the template adds."""
        return {"prompt": self.words(8), "responses": [self.words(max(1.0, self.tokens(20, 760) - 45))]}

    def best_of(self, count: int = 16) -> dict[str, Any]:
        """A long prompt and its responses."""
        responses = [self.words(self.tokens(20, 80)) for _ in range(count)]
        return {"prompt": self.words(self.tokens(400, 800)), "responses": responses}

    def rendered(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same for a server that takes rendered texts."""
        from rewardsmith.records import Message

        render = self.model.encoder.renderer.render
        user = Message("user", body["prompt"])
        return {"texts": [render([user, Message("assistant", one)]) for one in body["responses"]]}


def port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """A server as a process; `cpu` seconds and `rss` MB are those of all of its processes."""

    def __init__(self, kind: str, folder: Path, *options: str, python: str = sys.executable) -> None:
        self.kind, self.port = kind, port()
        words = [python, str(PEERS), kind, str(folder), str(self.port)]
        self.path = "/predict"
        if kind.startswith("rewardsmith"):
            words = [sys.executable, "-m", "rewardsmith", "serve", str(folder), "--port", str(self.port)]
            words += ["--log", "none", *options]
            self.path = "/v1/score"
        self.said = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the server
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=self.said, start_new_session=True)
        self.address = f"http://127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        """The processes of its session."""
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = place.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid:
                    found.append(int(place.parent.name))
        return found

    def cpu(self) -> float:
        """Seconds that its processes have computed."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss(self) -> float:
        """Memory of its processes in MB."""
        pages = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def wait(self, body: dict[str, Any]) -> None:
        """Return when it has answered a request."""
        end = time.monotonic() + 300
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.post(self.address + self.path, json=body, timeout=120, trust_env=False).status_code == 200:
                    return
            if time.monotonic() > end or self.process.poll() is not None:
                self.said.seek(0)
                raise RuntimeError(f"{self.kind} does not start:\n{self.said.read().decode(errors='replace')[-2000:]}")
            time.sleep(0.5)

    def stop(self) -> None:
        """End the processes of its own session, by their ids."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(40)
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


@contextlib.contextmanager
def serving(
    kind: str, folder: Path, first: dict[str, Any], *options: str, python: str = sys.executable
) -> Iterator[Server]:
    server = Server(kind, folder, *options, python=python)
    try:
        server.wait(first)
        yield server
    finally:
        server.stop()


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    content: bytes


class Client:
    """Connections to one server, each kept for the next request."""

    def __init__(self, server: Server) -> None:
        self.port, self.path = server.port, server.path
        self.free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: dict[str, Any], **headers: str) -> Answer:
        """The answer to a body on the route that scores."""
        return await self.ask("POST", self.path, json.dumps(body).encode(), **headers)

    async def ask(self, method: str, path: str, content: bytes = b"", **headers: str) -> Answer:
        """One request, over a connection that is free or a new one; once more where a kept one has been closed."""
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", f"content-length: {len(content)}"]
        lines += [
            "content-type: application/json",
            *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
            "",
            "",
        ]
        kept = bool(self.free)
        reader, writer = self.free.pop() if kept else await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join(lines).encode() + content)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            found = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            answer = Answer(int(head[0].split()[1]), found, await reader.readexactly(int(found["content-length"])))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            if kept:
                return await self.ask(method, path, content, **headers)
            raise
        self.free.append((reader, writer))
        return answer

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self.free:
            writer.close()


async def closed_loop(
    server: Server, bodies: Iterator[dict[str, Any]], clients: int, seconds: float
) -> dict[str, float]:
    """So many clients, each with one request at a time."""
    latencies: list[float] = []
    texts, failed = 0, 0
    client = Client(server)
    cpu, own, start = server.cpu(), time.process_time(), time.monotonic()

    async def one_client() -> None:
        nonlocal texts, failed
        while time.monotonic() - start < seconds:
            body = next(bodies)
            asked = time.monotonic()
            answer = await client.post(body)
            if answer.status != 200:
                failed += 1
                await asyncio.sleep(0.2)
                continue
            latencies.append(time.monotonic() - asked)
            found = json.loads(answer.content)
            texts += len(found["results"] if "results" in found else found["rewards"])

    await asyncio.gather(*(one_client() for _ in range(clients)))
    passed, used = time.monotonic() - start, server.cpu() - cpu
    client.close()
    return {
        **{"clients": clients, "requests": len(latencies), "texts": texts, "failed": failed},
        "texts_per_second": texts / passed,
        "texts_per_cpu_second": texts / used,
        "cpu_seconds_of_the_client": time.process_time() - own,
        "p50": float(np.quantile(latencies, 0.5)),
        "p99": float(np.quantile(latencies, 0.99)),
    }


def throughput(folder: Path, model: Any, arguments: argparse.Namespace, *, best: bool) -> dict[str, Any]:
    """Each server at each number of clients, all with the same texts."""
    found: dict[str, Any] = {}
    for kind in arguments.servers:
        ours = kind.startswith("rewardsmith")

        def bodies(seed: int, ours: bool = ours) -> Iterator[dict[str, Any]]:
            texts = Texts(model, seed)
            while True:
                body = texts.best_of() if best else texts.single()
                yield body if ours else texts.rendered(body)

        options = ["--queue-seconds", "600", "--deadline", "600"] if ours else []
        options += ["--batch-invariant"] if kind.endswith("invariant") else []
        python = sys.executable if ours else arguments.peers_python
        with serving(kind, folder, next(bodies(0)), *options, python=python) as server:
            for clients in (8,) if best else arguments.clients:
                asyncio.run(closed_loop(server, bodies(1), clients, arguments.seconds / 4))
                measured = asyncio.run(closed_loop(server, bodies(clients), clients, arguments.seconds))
                found.setdefault(kind, []).append(measured)
                print(kind, "best-of-16" if best else "single", json.dumps(measured), flush=True)
    return found


async def overload(
    server: Server, bodies: list[dict[str, Any]], expected: np.ndarray, rate: float, seconds: float
) -> dict[str, Any]:
    """Requests at a rate, whether or not others are answered; every answer checked."""
    accepted, refused, health, statuses = [], [], [], Counter()
    wrong = without_after = 0
    client, own = Client(server), time.process_time()

    async def ask(number: int) -> None:
        nonlocal wrong, without_after
        asked = time.monotonic()
        answer = await client.post(bodies[number % len(bodies)], x_request_id=str(number))
        passed = time.monotonic() - asked
        statuses[answer.status] += 1
        if answer.status == 200:
            accepted.append(passed)
            reward = json.loads(answer.content)["results"][0]["reward"]
            same = answer.headers["x-request-id"] == str(number)
            wrong += not (same and abs(reward - expected[number % len(bodies)]) <= TOLERANCE * max(1.0, abs(reward)))
        else:
            refused.append(passed)
            after = answer.headers.get("retry-after", "")
            told = answer.status in (429, 503) and after.isdigit() and b'"error"' in answer.content
            without_after += not told

    async def watch() -> None:
        while True:
            asked = time.monotonic()
            await client.ask("GET", "/health/live")
            health.append(time.monotonic() - asked)
            await asyncio.sleep(0.1)

    watching = asyncio.ensure_future(watch())
    start, tasks = time.monotonic(), []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
        tasks.append(asyncio.ensure_future(ask(number)))
    await asyncio.gather(*tasks)
    passed = time.monotonic() - start
    watching.cancel()
    used = time.process_time() - own
    page = (await client.ask("GET", "/metrics")).content.decode()
    client.close()
    counted = {
        line.split('code="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if line.startswith('rewardsmith_requests_total{route="/v1/score"')
    }
    return {
        **{"rate": rate, "seconds": passed, "statuses": dict(statuses), "wrong": wrong},
        "refused_without_retry_after": without_after,
        "goodput": len(accepted) / passed,
        "cpu_seconds_of_the_client": used,
        "p99_accepted": quantile(accepted), "p99_refused": quantile(refused), "p99_health": quantile(health),
        "counted_by_the_server": counted,
    }  # fmt: skip


def quantile(values: list[float], share: float = 0.99) -> float | None:
    return float(np.quantile(values, share)) if values else None


def overloaded(folder: Path, model: Any, texts: Texts, arguments: argparse.Namespace) -> dict[str, Any]:
    """Capacity, 0.8 of it, and 4 times it."""
    from rewardsmith.records import Message

    bodies = [texts.single() for _ in range(400)]
    asked = [[Message("user", one["prompt"]), Message("assistant", one["responses"][0])] for one in bodies]
    expected = model.score(asked)
    found: dict[str, Any] = {}
    with serving("rewardsmith", folder, bodies[0], "--queue-seconds", str(arguments.queue_seconds)) as server:
        endless = (bodies[k % 400] for k in range(10**9))
        found["capacity"] = asyncio.run(closed_loop(server, endless, 8, arguments.seconds))
        capacity = found["capacity"]["texts_per_second"]
        found["at_0.8"] = asyncio.run(overload(server, bodies, expected, 0.8 * capacity, arguments.seconds))
        before = server.rss()
        found["at_4"] = asyncio.run(overload(server, bodies, expected, 4 * capacity, arguments.overload_seconds))
        found["rss_growth_mb"] = server.rss() - before
        found["goodput_share"] = found["at_4"]["goodput"] / capacity
        print(json.dumps(found), flush=True)
    return found


def environment(arguments: argparse.Namespace) -> dict[str, Any]:
    """The machine, and the versions of what is compared."""
    from rewardsmith.bench.environment import describe_machine, version_of

    names = ("torch", "transformers", "fastapi", "uvicorn", "litserve")
    versions = {name: version_of(name) for name in names}
    return {"machine": describe_machine(), "versions": versions, "load": os.getloadavg(), "seconds": arguments.seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--overload-seconds", type=float, default=60.0)
    parser.add_argument("--queue-seconds", type=float, default=0.5)
    parser.add_argument("--parts", nargs="*", default=["overload", "best", "single"])
    parser.add_argument("--servers", nargs="*", default=["rewardsmith", "plain", "litserve", "rewardsmith-invariant"])
    parser.add_argument("--clients", nargs="*", type=int, default=CLIENTS)
    parser.add_argument("--peers-python", default=sys.executable, help="an interpreter whose environment has litserve")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    from rewardsmith.model.reward_model import RewardModel

    found: dict[str, Any] = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    found |= {
        "environment": environment(arguments),
        "layers": arguments.layers,
        "model": arguments.model,
        "goals": GOALS,
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        make_model(folder, arguments)
        model = RewardModel.load(folder, device="cpu")
        texts = Texts(model, seed=0)
        parts = {
            "overload": lambda: overloaded(folder, model, texts, arguments),
            "best": lambda: throughput(folder, model, arguments, best=True),
            "single": lambda: throughput(folder, model, arguments, best=False),
        }
        for name in arguments.parts:
            found[name] = found.get(name, {}) | parts[name]()
            arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
