"""The similarity filter against the one of document 002 (difflib), on the same pairs: pairs per second, and agreement.

    python benchmarks/similarity_filter.py [FILE ...] [--pairs N] [--threshold T]

Without files, pairs are made of the built-in texts at the length of real answers (about 900 characters), a tenth of them
near-identical. Prints a table and writes benchmarks/results/similarity_filter.json.
"""

import argparse
import difflib
import random
import time
from collections.abc import Callable
from pathlib import Path

from rewardsmith import files
from rewardsmith.data.loading.load import load
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.quality.row.measures import similarity

RESULTS = Path(__file__).parent / "results" / "similarity_filter.json"
SENTENCES = 25
Pairs = list[tuple[str, str]]


def made_pairs(count: int) -> Pairs:
    """Pairs of long answers: every tenth one differs in a few sentences only."""
    rng = random.Random(0)
    texts = [response.text for record in generate(2000).records for response in record.responses]
    pairs = []
    for index in range(count):
        one = rng.sample(texts, SENTENCES)
        other = rng.sample(texts, SENTENCES)
        if index % 10 == 0:
            other = [*one[: rng.randrange(SENTENCES // 2, SENTENCES)], *other][:SENTENCES]
        pairs.append((" ".join(one), " ".join(other)))
    return pairs


def file_pairs(source: str, count: int) -> Pairs:
    records = [record for record in load(source).records if record.comparisons][:count]
    return [(r.responses[c.i].text, r.responses[c.j].text) for r in records for c in r.comparisons[:1]]


def timed(decide: Callable[[str, str], float], pairs: Pairs, repeats: int) -> tuple[list[float], float]:
    """The similarities, and the shortest of several CPU times in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        found = [decide(one, other) for one, other in pairs]
        seconds.append(time.process_time() - start)
    return found, min(seconds)


def compare(name: str, pairs: Pairs, threshold: float) -> dict[str, object]:
    ours, fast = timed(similarity, pairs, 3)
    theirs, slow = timed(lambda one, other: difflib.SequenceMatcher(None, one, other).ratio(), pairs, 1)
    whole, slower = timed(
        lambda one, other: difflib.SequenceMatcher(None, one, other, autojunk=False).ratio(), pairs[:20], 1
    )
    return {
        "data": name,
        "pairs": len(pairs),
        "mean_characters": round(sum(len(one) + len(other) for one, other in pairs) / (2 * len(pairs))),
        "pairs_per_second": round(len(pairs) / fast),
        "difflib_pairs_per_second": round(len(pairs) / slow),
        "times_faster": round(slow / fast, 1),
        "times_faster_than_without_autojunk": round(slower / len(whole) / (fast / len(pairs)), 1),
        "same_decision": round(
            sum((a > threshold) == (b > threshold) for a, b in zip(ours, theirs, strict=True)) / len(pairs), 4
        ),
        "only_we_flag": sum(a > threshold >= b for a, b in zip(ours, theirs, strict=True)),
        "only_difflib_flags": sum(b > threshold >= a for a, b in zip(ours, theirs, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--threshold", type=float, default=0.8)
    given = parser.parse_args()
    sources = {Path(name).parent.name + "/" + Path(name).name: file_pairs(name, given.pairs) for name in given.files}
    rows = [
        compare(name, pairs, given.threshold) for name, pairs in (sources or {"made": made_pairs(given.pairs)}).items()
    ]
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    files.write_json(RESULTS, {"threshold": given.threshold, "unit": "CPU seconds, one thread", "results": rows})


if __name__ == "__main__":
    main()
