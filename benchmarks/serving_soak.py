"""A soak of the reward server: whether memory, file descriptors and threads stay as they are over a long time of load.

    python benchmarks/serving_soak.py [--minutes 10] [--share 0.8] [--model tiny]

Requests of all kinds (single texts, sixteen responses of one prompt, a refused body, one that its client leaves) come at a
share of the capacity that eight clients have measured. Memory of the server's processes, open files and threads are read
every five seconds; the slope of the memory is a line fitted through what lies after the first quarter. Writes
`benchmarks/results/serving_soak.json`.
"""

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from serving import Server, Texts, closed_loop, environment, make_model, serving

RESULT = Path(__file__).parent / "results" / "serving_soak.json"
EVERY_SECONDS = 5.0
WARM_UP = 0.25
GOAL_MB_PER_MINUTE = 1.0
KINDS = ("single",) * 12 + ("best", "refused", "left")


def opened(server: Server) -> tuple[int, int]:
    """Open files and threads of the server's processes."""
    places = [Path(f"/proc/{pid}") for pid in server.pids()]
    return tuple(sum(len(list((place / name).iterdir())) for place in places) for name in ("fd", "task"))  # type: ignore[return-value]


async def ask(client: httpx.AsyncClient, server: Server, kind: str, body: dict[str, Any], seen: Counter[str]) -> None:
    """One request; a client that leaves gives up long before an answer."""
    given = {"wrong": True} if kind == "refused" else body
    patience = 0.002 if kind == "left" else 120.0
    try:
        answer = await client.post(server.address + server.path, json=given, timeout=patience)
        seen[f"{kind} {answer.status_code}"] += 1
    except httpx.TransportError as error:
        seen[f"{kind} {type(error).__name__}"] += 1


async def soak(server: Server, texts: Texts, rate: float, seconds: float) -> tuple[list[list[float]], Counter[str]]:
    """Requests at a rate, and what was read beside them: seconds, MB, open files, threads."""
    rows: list[list[float]] = []
    seen: Counter[str] = Counter()
    start = time.monotonic()

    async def watch() -> None:
        while True:
            rows.append([time.monotonic() - start, server.rss(), *opened(server)])
            await asyncio.sleep(EVERY_SECONDS)

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=64), trust_env=False) as client:
        watching, running = asyncio.ensure_future(watch()), set()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            kind = KINDS[number % len(KINDS)]
            body = texts.best_of() if kind == "best" else texts.single()
            task = asyncio.ensure_future(ask(client, server, kind, body, seen))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    return rows, seen


def judged(rows: list[list[float]]) -> dict[str, Any]:
    """The slope of the memory with its 95 % interval, and the ranges of open files and threads after the warm-up."""
    table = np.array(rows)
    kept = table[table[:, 0] >= WARM_UP * table[-1, 0]]
    minutes, memory = kept[:, 0] / 60, kept[:, 1]
    (slope, _), covariance = np.polyfit(minutes, memory, 1, cov=True)
    half = 1.96 * float(np.sqrt(covariance[0, 0]))
    ranges = {
        name: [int(kept[:, at].min()), int(kept[:, at].max())] for at, name in ((2, "open_files"), (3, "threads"))
    }
    return {
        "mb_per_minute": float(slope), "ci": [float(slope) - half, float(slope) + half], "goal": GOAL_MB_PER_MINUTE,
        "mb": [float(memory[0]), float(memory[-1])], "readings": len(kept), **ranges,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--share", type=float, default=0.8)
    parser.add_argument("--seconds", type=float, default=10.0, help="for measuring the capacity")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    from rewardsmith.model.reward_model import RewardModel

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        make_model(folder, arguments)
        texts = Texts(RewardModel.load(folder, device="cpu"), seed=0)
        with serving("rewardsmith", folder, texts.single()) as server:
            endless = iter(texts.single, None)
            capacity = asyncio.run(closed_loop(server, endless, 8, arguments.seconds))["texts_per_second"]
            rate = arguments.share * capacity
            rows, seen = asyncio.run(soak(server, texts, rate, 60 * arguments.minutes))
    found = {
        "environment": environment(arguments), "model": arguments.model, "minutes": arguments.minutes, "capacity": capacity,
        "rate": rate, "answers": dict(sorted(seen.items())), **judged(rows),
        "readings_kept": rows[:: max(1, len(rows) // 40)],
    }  # fmt: skip
    arguments.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in found.items() if key not in ("environment", "readings_kept")}))


if __name__ == "__main__":
    main()
