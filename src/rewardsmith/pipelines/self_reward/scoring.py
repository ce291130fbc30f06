"""Rewards of candidates, of samples and of labelled data, from whatever the loop is told to ask."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.inference.clustered import clustered_mean
from rewardsmith.evaluate.metrics import correctness
from rewardsmith.files import write_jsonl
from rewardsmith.pipelines.dpo.measured import ends
from rewardsmith.pipelines.self_reward.config import SELF, Config
from rewardsmith.progress import Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.rewards.source import RewardSource


@dataclass(frozen=True)
class ScoredRow:
    """A row of candidates as it was written, its record (None where nothing was answered), and its rewards (NaN: none)."""

    row: dict[str, Any]
    record: Record | None
    rewards: Float[np.ndarray, " K"]


def source_for(config: Config, model: str) -> "RewardSource":
    """What scores the candidates of an iteration, whose model is `model`."""
    if config.rewards == SELF:
        return implicit(config, model)
    return opened(config, config.rewards)


def opened(config: Config, name: str) -> "RewardSource":
    """A reward model, an ensemble, a rewards file, or a judge file."""
    from rewardsmith.rewards.opening import open_rewards

    return open_rewards(name, device=config.device, trust_remote_code=config.trust_remote_code)


def implicit(config: Config, model: str) -> "RewardSource":
    """A model of the loop as its own reward."""
    from rewardsmith.align.dpo.implicit import ImplicitRewards

    return ImplicitRewards(
        model,
        config.model,
        device=config.device,
        dtype="fp32",
        max_length=config.max_length,
        thinking=config.thinking,
        trust_remote_code=config.trust_remote_code,
    )


def read_rows(path: Path) -> list[ScoredRow]:
    """Candidates as `generate` wrote them, with the rewards that the rows have."""
    from rewardsmith.data.loading.load import iterate_rows

    found = []
    for read in iterate_rows(str(path)):
        row = dict(read.row or {})
        record = read.item if isinstance(read.item, Record) else None
        count = 0 if record is None else len(record.responses)
        told = row.get("rewards") or [None] * count
        found.append(
            ScoredRow(row, record, np.array([math.nan if each is None else each for each in told], dtype=np.float64))
        )
    return found


def score_file(source: "RewardSource", path: Path, output: Path, progress: Progress) -> None:
    """Write the rows of a file of candidates with their rewards, null for a response that has none."""
    rows = read_rows(path)
    found = iter(rewards_of(source, rows, progress))
    written = []
    for one in rows:
        if one.record is None:
            written.append(one.row)
            continue
        values = next(found)
        written.append({**one.row, "rewards": [None if np.isnan(value) else float(value) for value in values]})
    write_jsonl(output, written)


def rewards_of(source: "RewardSource", rows: Sequence[ScoredRow], progress: Progress) -> list[Float[np.ndarray, " K"]]:
    """The rewards of the rows that have a record, in order."""
    answered = [one for one in rows if one.record is not None]
    records = [one.record for one in answered if one.record is not None]
    found = source.score(records, rows=[one.row for one in answered], progress=progress)
    return [np.asarray(each.rewards, dtype=np.float64) for each in found]


def judge_accuracy(
    config: Config, source: "RewardSource", labelled: Sequence[Record], progress: Progress
) -> dict[str, Any] | None:
    """How often the reward prefers what people preferred, on the frozen labelled data; None without such data.

    Comparisons with a response that has no reward are left aside, and counted.
    """
    if not labelled:
        return None
    found = source.score(labelled, progress=progress)
    right, prompts, unscored = [], [], 0
    for record, each in zip(labelled, found, strict=True):
        for comparison in record.comparisons:
            margin = float(each.rewards[comparison.i] - each.rewards[comparison.j])
            if comparison.is_tie:
                continue
            if math.isnan(margin):
                unscored += 1
                continue
            right.append(float(correctness(np.array([margin]))[0]))
            prompts.append(record.prompt_id)
    cluster = np.unique(prompts, return_inverse=True)[1] if prompts else np.zeros(0, dtype=np.int64)
    measured = clustered_mean(np.array(right, dtype=np.float64), np.ones(len(right)), cluster=cluster)
    accuracy = None if math.isnan(measured.value) else measured.value
    return {"n": len(right), "unscored": unscored, "accuracy": accuracy, "accuracy_ci": ends(measured.interval())}
