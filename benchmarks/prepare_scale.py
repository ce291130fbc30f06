"""How long `rewardsmith prepare` takes and how much memory, at growing numbers of rows, beside datatrove's MinHash.

    REWARDSMITH_DATA=… python benchmarks/prepare_scale.py [--rows 10000 100000 1000000] [--workers 1 2]
                       [--peer /path/to/an/environment/bin/python] [--peer-rows 5000] [--repeats 3]

Rows are those of `benchmarks/dedup.py`: prompt and responses put together from sentences of the real pairs, one row in ten
a planted near-duplicate with an edit for every 25 words. `prepare` runs whole, as its users run it: parse, all checks and
measures, exact and near-duplicates, split, reports. CPU seconds are those of all of its processes; memory is the largest
sum of their resident sets, read ten times a second (what they share counts in each).

With --peer, the search for near-duplicates alone is compared, one process each, in turns: rows of the same file, from
reading to clusters. datatrove is asked with its own settings (5 words, 14 buckets of 8), with ours (2, 20 of 6), and
with ours and words cut at spaces.
A pair in one cluster is right where it was planted, or where every part is as similar as the threshold demands.
Figures go to `benchmarks/results/prepare_scale.json`; sizes of an earlier run that are not measured again stay there.
"""

import argparse
import json
import math
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson

from dedup import THRESHOLD, Pairs, plain_similarity, replayed, rows, sentences
from rewardsmith.data.loading.chunks import ChunkReader, read
from rewardsmith.files import write_json
from rewardsmith.quality.cross_row.duplicates import NearDuplicates, item_of
from rewardsmith.quality.cross_row.near import Shingled, prepare
from rewardsmith.quality.row.fingerprints import fingerprint_of, located
from rewardsmith.records import Record

RESULT = Path(__file__).parent / "results" / "prepare_scale.json"
PEER = Path(__file__).parent / "datatrove_minhash.py"
SETTINGS: dict[str, tuple[int | str, ...]] = {
    "datatrove, its settings": (5, 14, 8, "words"),
    "datatrove, our settings": (2, 20, 6, "words"),
    "datatrove, our settings, words by spaces": (2, 20, 6, "spaces"),
}


def make(path: Path, count: int, pool: list[str]) -> None:
    with path.open("wb") as handle:
        for _, (prompt, chosen, rejected) in rows(count, pool):
            row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
            handle.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for each in found:
        try:
            found += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
        except OSError:
            continue
    return found


def resident_mb(pid: int) -> float:
    total = 0
    for each in tree(pid):
        try:
            total += int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except OSError:
            continue
    return total * resource.getpagesize() / 2**20


def run_prepare(source: Path, output: Path, workers: int) -> dict[str, Any]:
    """The whole command in processes of its own."""
    command = [sys.executable, "-m", "rewardsmith", "prepare", str(source), "-o", str(output), "--json"]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, resident_mb(process.pid))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(f"prepare ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": time.perf_counter() - begin, "cpu_seconds": cpu, "peak_mb_all_processes": peak}


def clusters_of_prepare(folder: Path) -> Iterable[list[int]]:
    members: dict[str, list[int]] = defaultdict(list)
    with (folder / "near_duplicates.jsonl").open("rb") as handle:
        for line in handle:
            row = orjson.loads(line)
            members[row["cluster"]].append(row["line"] - 1)
    return members.values()


def search_here(source: Path) -> tuple[dict[str, Any], Iterable[list[int]]]:
    """Our search for near-duplicates alone, in this process."""
    begin, cpu = time.perf_counter(), time.process_time()
    found = NearDuplicates(THRESHOLD)
    for chunk in ChunkReader().chunks([str(source)]):
        records = [item for item in read(chunk, strict=False)[0] if isinstance(item, Record)]
        items = [item_of(record, fingerprint_of(record).key) for record in records]
        found.places.extend(located(records))
        found.extend(prepare(items, Shingled([text for item in items for text in item.texts])))
    found.settle()
    figures = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    members: dict[int, list[int]] = defaultdict(list)
    for row, which in enumerate(found.which.tolist()):
        if (cluster := int(found.found.cluster[which])) >= 0:
            members[cluster].append(row)
    return figures, members.values()


def search_with_peer(python: str, source: Path, folder: Path, setting: str) -> tuple[dict[str, Any], list[list[int]]]:
    command = [python, str(PEER), str(source), str(folder), *map(str, SETTINGS[setting])]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=clean).stdout
    members: dict[int, list[int]] = defaultdict(list)
    for path in folder.glob("clusters/*.clusters"):
        for row, cluster in struct.iter_unpack("<II", path.read_bytes()):
            members[cluster].append(row)
    return json.loads(told.splitlines()[-1]), list(members.values())


def judged(clusters: Iterable[list[int]], count: int, pool: list[str]) -> dict[str, Any]:
    """Recall of what was planted, and of what of it reaches the threshold; precision of the pairs within clusters."""
    pairs: Pairs = {(a, b) for members in clusters for a, b in combinations(sorted(set(members)), 2)}
    planted, reached, kept = replayed(pairs, count, pool)
    others = {(a, b) for a, b in pairs - planted if a in kept and b in kept}
    right = len(pairs & planted) + sum(plain_similarity(kept[a], kept[b]) >= THRESHOLD for a, b in others)
    return {
        "planted": len(planted),
        "pairs": len(pairs),
        "recall_of_planted": len(planted & pairs) / len(planted),
        "recall_at_threshold": len(reached & pairs) / len(reached),
        "precision": right / len(pairs) if pairs else math.nan,
    }


def side_by_side(python: str, source: Path, count: int, pool: list[str], repeats: int) -> list[dict[str, Any]]:
    """Ours and the peer's in turns, medians of each."""
    figures: dict[str, list[dict[str, Any]]] = defaultdict(list)
    found: dict[str, Iterable[list[int]]] = {}
    for _ in range(repeats):
        ours, found["rewardsmith"] = search_here(source)
        figures["rewardsmith"].append(ours)
        for setting in SETTINGS:
            with tempfile.TemporaryDirectory() as folder:
                told, found[setting] = search_with_peer(python, source, Path(folder), setting)
                figures[setting].append(told)
    told = []
    for name, each in figures.items():
        medians = {key: statistics.median(one[key] for one in each) for key in ("seconds", "cpu_seconds")}
        told.append({"name": name, "rows": count, "runs": repeats, **medians, **judged(found[name], count, pool)})
        told[-1]["times_ours"] = medians["cpu_seconds"] / told[0]["cpu_seconds"]
        print(json.dumps(told[-1]))
    return told


def exponents(results: list[dict[str, Any]]) -> dict[str, float]:
    """How the CPU time grows between the smallest and the largest number of rows, for each number of workers."""
    found = {}
    for workers in {one["workers"] for one in results}:
        mine = sorted((one for one in results if one["workers"] == workers), key=lambda one: one["rows"])
        if len(mine) > 1 and mine[0]["rows"] < mine[-1]["rows"]:
            growth = math.log(mine[-1]["cpu_seconds"] / mine[0]["cpu_seconds"])
            found[str(workers)] = growth / math.log(mine[-1]["rows"] / mine[0]["rows"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peer", help="the Python of an environment that has datatrove")
    parser.add_argument("--peer-rows", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    asked = parser.parse_args()
    if "REWARDSMITH_DATA" not in os.environ:
        sys.exit("REWARDSMITH_DATA is not set; expected the folder with the real data")
    pool = sentences(Path(os.environ["REWARDSMITH_DATA"]))
    results: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for count in asked.rows:
            source, output = Path(name) / f"{count}" / "rows.jsonl", Path(name) / "out"
            source.parent.mkdir()
            make(source, count, pool)  # beforehand, so that it is in no figure
            for workers in asked.workers:
                figures = run_prepare(source, output / f"{count}-{workers}", workers)
                found = judged(clusters_of_prepare(output / f"{count}-{workers}"), count, pool)
                rate, load = count / figures["seconds"], os.getloadavg()[0] / (os.cpu_count() or 1)
                result = {"rows": count, "workers": workers, "rows_per_second": rate, **figures, **found}
                results.append(result | {"rows_per_cpu_second": count / figures["cpu_seconds"], "load_per_core": load})
                print(json.dumps(results[-1]), flush=True)
        if asked.peer:
            source = Path(name) / "peer" / "rows.jsonl"
            source.parent.mkdir()
            make(source, asked.peer_rows, pool)
            peers = side_by_side(asked.peer, source, asked.peer_rows, pool, asked.repeats)
    write_json(asked.output, with_earlier(asked.output, results, peers))


def with_earlier(path: Path, results: list[dict[str, Any]], peers: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures, and those of an earlier run for what was not measured now: large sizes take long."""
    earlier = json.loads(path.read_text()) if path.exists() else {"prepare": [], "near_duplicates": []}
    fresh = {(one["rows"], one["workers"]) for one in results}
    kept = [one for one in earlier["prepare"] if (one["rows"], one["workers"]) not in fresh]
    every = sorted([*kept, *results], key=lambda one: (one["workers"], one["rows"]))
    return {
        "threshold": THRESHOLD,
        "prepare": every,
        "time_exponent": exponents(every),
        "near_duplicates": peers or earlier["near_duplicates"],
    }


if __name__ == "__main__":
    main()
