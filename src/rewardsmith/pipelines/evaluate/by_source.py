"""How well a rewards file or a judge agrees with what annotators said: as for a model, with the same figures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rewardsmith.errors import DataError
from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored, evaluate_records
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import BAD_GOLD, UNREADABLE, RewardSource, ScoredResponses
from rewardsmith.scoring.left_out import NOT_COMPARED, LeftOut

NO_VERDICT = "no reward for a compared response"
COUNTED = {"model": "model", "critiqued": "critiques", "verifiable": "checks", "judge": "judge"}
"""Under which name the summary has what a source counted."""


def evaluate_source(
    source: RewardSource,
    records: Sequence[Record],
    *,
    split: str,
    origin: str,
    read: LeftOut,
    validation: Sequence[Record] = (),
    progress: Progress = SILENT,
) -> Evaluation:
    """The evaluation of anything that gives rewards; what it counted is in the summary, as `checks` or `judge`.

    DataError for a record without a ground truth that checks can read. Comparisons of a response without a reward are left
    out, and counted.
    """
    scored = scored_by(source, records, progress)
    held = scored_by(source, validation, progress) if validation else None
    evaluation = evaluate_records(
        None, scored, validation=held, split=split, source=origin, read=read, progress=progress
    )
    lost = sum(len(r.comparisons) for r in records) - sum(len(r.comparisons) for r in scored.records)
    told = {"contract": source.kind, COUNTED[source.kind]: source.counted(), "comparisons_without_reward": lost}
    return Evaluation({**evaluation.summary, **told}, evaluation.rows)


def scored_by(source: RewardSource, records: Sequence[Record], progress: Progress = SILENT) -> Scored:
    """The records that have rewards, with them; of the others it is counted why."""
    kept, rewards, left_out, refused = list[Record](), list[np.ndarray](), LeftOut(), 0
    for record, found in zip(records, source.score(records, progress=progress), strict=True):
        if found.code == BAD_GOLD:
            raise DataError(f"{record.place}: {found.error}" if record.source else found.error)
        if found.error:
            left_out.unused(record, found.code, found.error)
            refused += 1
            continue
        kept.append(comparable(record, found))
        rewards.append(found.rewards)
        count(record, kept[-1], left_out)
    return Scored(kept, rewards, refused, left_out)


def comparable(record: Record, found: ScoredResponses) -> Record:
    """The record without what is said of responses that have no reward; its id, a hash of its content, stays."""
    known = np.isfinite(found.rewards)
    if known.all():
        return record
    ratings = {
        name: tuple(value if there else None for value, there in zip(values, known, strict=True))
        for name, values in record.ratings.items()
    }
    return replace(
        record, comparisons=tuple(c for c in record.comparisons if known[c.i] and known[c.j]), ratings=ratings
    )


def count(record: Record, kept: Record, left_out: LeftOut) -> None:
    """Count whether a record is used: one that had comparisons and has lost all of them is not."""
    if not record.comparisons:
        left_out.unused(record, "no_comparison", NOT_COMPARED)
    elif not kept.comparisons:
        left_out.unused(record, UNREADABLE, NO_VERDICT)
    else:
        left_out["unused"].of += 1
