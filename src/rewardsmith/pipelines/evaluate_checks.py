"""How well the checks of a rewards file agree with what annotators said: as for a model, with the same figures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.evaluate import Evaluation, Scored, evaluate_records
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.scoring.left_out import NOT_COMPARED, LeftOut
from rewardsmith.verifiable.definition import read_definition
from rewardsmith.verifiable.reward import VerifiableReward


def evaluate_checks(
    path: Path, records: Sequence[Record], *, split: str, source: str, read: LeftOut, progress: Progress = SILENT
) -> Evaluation:
    """The evaluation of a rewards file on some records; DataError for one without a ground truth that can be read.

    The summary has `checks`, what each check gave on average and could not judge.
    """
    reward = VerifiableReward(read_definition(path))
    if reward.definition.models:
        raise UsageError(f"{path} contains a model; evaluate takes rewards files with checks only, or the model itself")
    rewards, left_out = [], LeftOut()
    with progress.task("scoring", len(records), "records") as task:
        for record in records:
            rewards.append(np.array([each.reward for each in reward.rewards_of(record)]))
            if not record.comparisons:
                left_out.unused(record, "no_comparison", NOT_COMPARED)
            task.advance()
    scored = Scored(list(records), rewards, refused=0, left_out=left_out)
    evaluation = evaluate_records(None, scored, split=split, source=source, read=read, progress=progress)
    return Evaluation({**evaluation.summary, "checks": reward.counts.to_json()}, evaluation.rows)
