"""A reward server among slow, large and vanishing clients (the bars C4, C5 and C7 of docs/reliability.md).

    python benchmarks/serving_abuse.py

On the tiny model: 300 connections that send one byte a second while others ask; 1,000 requests whose client goes before
the answer; an upload of 1 GB. Kept: p99 beside that without them, when the last slow connection was closed, what was
computed for clients that had gone, memory, open files and threads before and after.
"""

import asyncio
import contextlib
import json
import os
import socket
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from serving import Server, closed_loop, serving

RESULT = Path(__file__).parent / "results" / "serving_abuse.json"
SLOW, ABORTS, UPLOAD = 300, 1000, 10**9
HEAD = "POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n"


def bodies() -> Any:
    """Short requests, all different."""
    return ({"prompt": f"Question {number}?", "responses": [f"Response {number} " * 10]} for number in count())


def state(server: Server) -> dict[str, float]:
    """Memory in MB, open files and threads."""
    pid = server.process.pid
    threads = len(os.listdir(f"/proc/{pid}/task"))
    return {"rss_mb": server.rss(), "files": len(os.listdir(f"/proc/{pid}/fd")), "threads": threads}


async def slow_connection(port: int) -> float:
    """Seconds until the server closes a connection that gets one byte of its headers a second."""
    started = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        for byte in HEAD.format(100).encode():
            if reader.at_eof():
                break
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
    writer.close()
    return time.monotonic() - started


async def among_slow(server: Server) -> dict[str, Any]:
    """The latency of four clients without and with slow ones."""
    before = await closed_loop(server, bodies(), 4, 15)
    slow = [asyncio.ensure_future(slow_connection(server.port)) for _ in range(SLOW)]
    await asyncio.sleep(1)
    beside = await closed_loop(server, bodies(), 4, 8)
    return {"without": before, "beside": beside, "closed_after": max(await asyncio.gather(*slow))}


def aborted(server: Server) -> None:
    """Requests whose client goes at once."""
    body = json.dumps({"prompt": "Hi", "responses": ["gone " * 50]}).encode()
    for _ in range(ABORTS):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(HEAD.format(len(body)).encode() + body)


def uploaded(server: Server) -> str:
    """The answer to an upload of UPLOAD bytes, sent as fast as the server takes it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(HEAD.replace("content-length: {}", "transfer-encoding: chunked").encode())
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        with contextlib.suppress(OSError):
            for _ in range(UPLOAD >> 20):
                connection.sendall(chunk)
        with contextlib.suppress(OSError):
            return connection.recv(100).decode().partition("\r\n")[0]
    return "closed"


def metric(server: Server, name: str) -> float:
    page = httpx.get(server.address + "/metrics", trust_env=False).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(f"rewardsmith_{name}"))


def main() -> None:
    from rewardsmith.pipelines.train import setup
    from rewardsmith.pipelines.train.config import Config

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        model = setup.open_model(Config(model="tiny", dataset=("none",), output=Path("none"), max_length=512)).model
        model.network.eval()
        model.save(folder)
        with serving("rewardsmith", folder, next(bodies())) as server:
            found: dict[str, Any] = {"before": state(server), "slow": asyncio.run(among_slow(server))}
            asked = metric(server, "texts_total{")
            aborted(server)
            while metric(server, "open_requests") > 1 or metric(server, "queue_tokens") > 0:
                time.sleep(0.1)
            found["aborts"] = {
                "requests": ABORTS,
                "answered": metric(server, "texts_total{") - asked,
                "dropped_before_computed": metric(server, "dropped_texts_total"),
            }
            found["after_aborts"] = state(server)
            found["upload"] = uploaded(server)
            found["after_upload"] = state(server)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
