"""What benchmarks share that train whole runs: records as files, labels turned round, and a run's margins on records."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

import rewardsmith as rs
from rewardsmith.data.formats.native import to_row
from rewardsmith.model.scorer import sequences_of
from rewardsmith.pipelines.train.frozen_cache import filled
from rewardsmith.progress import SILENT
from rewardsmith.records import Record

BUDGET = 4096


def written(folder: Path, name: str, records: Iterable[Record | dict[str, Any]]) -> str:
    """The path of a file with the records, or rows, in the package's own format."""
    path = folder / f"{name}.jsonl"
    rows = (to_row(each) if isinstance(each, Record) else each for each in records)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def flipped(records: Sequence[Record], rate: float, seed: int) -> list[dict[str, Any]]:
    """The records as rows, with the sides of a share of their comparisons swapped."""
    draw = np.random.default_rng(seed)
    return [
        {
            **row,
            "comparisons": [{**c, "i": c["j"], "j": c["i"]} if draw.random() < rate else c for c in row["comparisons"]],
        }
        for row in map(to_row, records)
    ]


def opened(run: Path, records: Sequence[Record], *, frozen: bool) -> Any:
    """The model of a run; where its backbone is frozen, with the features of the records, computed once for all runs."""
    model = rs.RewardModel.load(run, device="cpu")
    if frozen:
        asked = [sequences_of(record, model.encode(record)) for record in records]
        model.network.cache, _ = filled(model.network, asked, BUDGET, SILENT)
    return model


def judged(run: Path, records: Sequence[Record], *, frozen: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Reward of the preferred response of each comparison minus that of the other, and the number of its record."""
    model = opened(run, records, frozen=frozen)
    found = [
        (rewards[c.i] - rewards[c.j], number)
        for number, (rewards, record) in enumerate(
            zip(model.score_records(records, budget=BUDGET), records, strict=True)
        )
        for c in record.comparisons
    ]
    margin, number = np.array(found).T
    return margin, number.astype(int)
