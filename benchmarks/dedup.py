"""How long finding near-duplicate preference pairs takes, how much memory, and how much of what was planted it finds.

    REWARDSMITH_DATA=… python benchmarks/dedup.py [--rows 10000 100000]

Rows are real texts under honest variation: a prompt and two responses, each put together from sentences of the pairs in
REWARDSMITH_DATA in a drawn order, so that unrelated rows share words and phrases as real ones do. One row in ten is a
planted near-duplicate: a copy of another row in which every part has one edit for 25 words (a word replaced, dropped,
doubled or two swapped), other case, other punctuation. A found pair is right where it was planted, or where the Jaccard
similarity of every part, computed here with Python sets, reaches the threshold.

Each size runs in a process of its own; `--rows 1000000` works too. Figures go to `benchmarks/results/dedup.json`.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import re
import resource
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from rewardsmith.data.loading.chunks import CHUNK_ROWS
from rewardsmith.data.loading.load import iterate
from rewardsmith.files import write_json
from rewardsmith.quality.cross_row.duplicates import THRESHOLD, NearDuplicates, item_of
from rewardsmith.quality.cross_row.minhash import units
from rewardsmith.quality.cross_row.near import Shingled, prepare
from rewardsmith.quality.row.fingerprints import fingerprint_of, located
from rewardsmith.quality.text.characters import texts_of
from rewardsmith.records import Comparison, Message, Record, Response

RESULT = Path(__file__).parent / "results" / "dedup.json"
Pairs = set[tuple[int, int]]
"""Numbers of two rows, the lower one first."""
SOURCES = ("hh-rlhf/harmless-base.jsonl.gz", "hh-rlhf/helpful.jsonl.gz", "ultrafeedback-noise/clean.jsonl.gz")
SENTENCE = re.compile(r"[^.!?。！？\n]{15,200}[.!?。！？]")
PLANTED = 10  # one row in so many
WORDS_PER_EDIT = 25


def sentences(data: Path) -> list[str]:
    """The different sentences of the real texts, in the order of their files."""
    found: dict[str, None] = {}
    for name in SOURCES:
        for item in iterate(str(data / name)):
            if isinstance(item, Record):
                found.update((each.strip(), None) for _, text in texts_of(item) for each in SENTENCE.findall(text))
    return list(found)


def rows(count: int, pool: list[str]) -> Iterator[tuple[int | None, list[str]]]:
    """(the row that this one was copied from, its prompt and two responses), `count` of them."""
    for n in range(count):
        original = n - 1 if n % PLANTED == PLANTED - 1 else None
        draw = random.Random(f"row:{n if original is None else original}")
        texts = [" ".join(draw.choices(pool, k=draw.randint(*size))) for size in ((2, 4), (3, 8), (3, 8))]
        yield original, texts if original is None else [edited(text, random.Random(f"edit:{n}")) for text in texts]


def edited(text: str, draw: random.Random) -> str:
    """A near-duplicate of a text."""
    words = text.split(" ")
    for _ in range(len(words) // WORDS_PER_EDIT):
        at = draw.randrange(len(words) - 1)
        kind = draw.randrange(4)
        if kind == 0:
            words[at] = draw.choice(("indeed", "maybe", "often", "这样"))
        elif kind == 1:
            del words[at]
        elif kind == 2:
            words.insert(at, words[at])
        else:
            words[at], words[at + 1] = words[at + 1], words[at]
    changed = " ".join(words)
    return draw.choice((changed, changed.upper(), changed.replace(",", ";"), f"  {changed} !"))


def record(line: int, texts: list[str]) -> Record:
    prompt, *answers = texts
    responses = tuple(Response((Message("assistant", text),)) for text in answers)
    return Record((Message("user", prompt),), responses, (Comparison(0, 1),), source="made", line=line)


def plain_similarity(one: list[str], other: list[str]) -> float:
    """The least Jaccard similarity of the parts, with Python sets of pairs of neighbouring words."""
    return min(jaccard(a, b) for a, b in zip(one, other, strict=True))


def jaccard(a: str, b: str) -> float:
    first, second = (set(pairwise(found)) for found in (units(a), units(b)))
    return len(first & second) / len(first | second)


def ours(count: int, pool: list[str]) -> dict[str, Any]:
    """One size with rewardsmith, in this process."""
    before, begin = memory(), time.process_time()
    making = 0.0
    found = NearDuplicates()
    made = rows(count, pool)
    for first in range(0, count, CHUNK_ROWS):
        start = time.process_time()
        batch = [record(line, next(made)[1]) for line in range(first, min(first + CHUNK_ROWS, count))]
        making += time.process_time() - start
        items = [item_of(row, fingerprint_of(row).key) for row in batch]
        found.places.extend(located(batch))
        found.extend(prepare(items, Shingled([text for item in items for text in item.texts])))
    found.settle()
    seconds, peak = time.process_time() - begin - making, memory()
    first, twin = found.first, found.found.twin
    pairs = {tuple(sorted((int(first[a]), int(first[b])))) for a, b in enumerate(twin) if b >= 0}
    return {"cpu_seconds": seconds, "peak_mb_above_start": peak - before, **judged(pairs, count, pool)}


def replayed(pairs: Pairs, count: int, pool: list[str]) -> tuple[Pairs, Pairs, dict[int, list[str]]]:
    """(what was planted, what of it reaches the threshold, the texts of found pairs that are no neighbours).

    The rows are made a second time, so that none has to be kept; `pairs` are (lower, higher) numbers of rows.
    """
    planted: Pairs = set()
    reached: Pairs = set()
    doubtful = {n for a, b in pairs for n in (a, b) if b - a != 1}
    kept: dict[int, list[str]] = {}
    previous: list[str] = []
    for n, (original, texts) in enumerate(rows(count, pool)):
        if original is not None:
            planted.add((original, n))
            if plain_similarity(previous, texts) >= THRESHOLD:
                reached.add((original, n))
        if n in doubtful:
            kept[n] = texts
        previous = texts
    return planted, reached, kept


def judged(pairs: Pairs, count: int, pool: list[str]) -> dict[str, Any]:
    """Recall over all that was planted and over what reaches the threshold, and the precision of the pairs."""
    planted, reached, kept = replayed(pairs, count, pool)
    others = pairs - planted
    right = (pairs & planted) | {pair for pair in others if plain_similarity(kept[pair[0]], kept[pair[1]]) >= THRESHOLD}
    return {
        "planted": len(planted),
        "planted_at_threshold": len(reached),
        "pairs_found": len(pairs),
        "recall_of_planted": len(planted & pairs) / len(planted),
        "recall_at_threshold": len(reached & pairs) / len(reached),
        "precision": len(right) / len(pairs) if pairs else math.nan,
    }


def memory() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def worker(count: int, data: Path, queue: "multiprocessing.Queue[Any]") -> None:
    queue.put(ours(count, sentences(data)))


def measured(count: int, data: Path) -> dict[str, Any]:
    """One measurement in a process of its own, so that its peak memory is its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=worker, args=(count, data, queue))
    process.start()
    result = queue.get()
    process.join()
    return {"rows": count, **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--output", type=Path, default=RESULT)
    asked = parser.parse_args()
    if "REWARDSMITH_DATA" not in os.environ:
        sys.exit("REWARDSMITH_DATA is not set; expected the folder with the real data")
    data = Path(os.environ["REWARDSMITH_DATA"])
    results = []
    for count in asked.rows:
        results.append(measured(count, data))
        print(json.dumps(results[-1]))
    exponent = None
    if len(results) > 1:
        ratio = results[-1]["cpu_seconds"] / results[0]["cpu_seconds"]
        exponent = math.log(ratio) / math.log(results[-1]["rows"] / results[0]["rows"])
    print("time exponent", exponent)
    write_json(asked.output, {"threshold": THRESHOLD, "results": results, "time_exponent": exponent})


if __name__ == "__main__":
    main()
