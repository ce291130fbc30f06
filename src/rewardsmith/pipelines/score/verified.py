"""Scoring with a rewards file in the place of a model: rows → the same rows with what their checks give."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.loading.load import source_order
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError, UsageError
from rewardsmith.files import check_output_file, refuse_inside, write_jsonl
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.pipelines.score.config import Config
from rewardsmith.pipelines.score.counts import RowCounts
from rewardsmith.pipelines.score.pipeline import Result, field_of, highest, open_model
from rewardsmith.pipelines.score.reading import fail, refuse_taken, row_of, windows, without_response
from rewardsmith.progress import Progress
from rewardsmith.records import Quarantined, Record
from rewardsmith.verifiable.checks import TIMED_OUT, UNPARSABLE
from rewardsmith.verifiable.definition import KIND, read_definition
from rewardsmith.verifiable.reward import CheckCounts, VerifiableReward, Verified

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read

NEEDS_A_MODEL: Mapping[str, Any] = {
    "per_token": False,
    "combine": CombineSettings(),
    "calibrated": False,
    "engine": "local",
    "tokens_per_batch": None,
}
"""Settings that need a reward model, with their defaults."""
NAMED = 3


@dataclass(frozen=True)
class VerifiedResult(Result):
    """What was checked, beside what `score` counts: what the checks found, and the rows without a usable gold answer.

    Such a row has an `error`, and the command ends with `exit_code` 1. `contract` is "verifiable".
    """

    checks: CheckCounts = field(default_factory=CheckCounts)
    bad_gold: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where a gold answer is unusable."""
        return int(bool(self.bad_gold))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, the counts of the checks beside them."""
        own = {name: value for name, value in super().to_json().items() if name not in ("checks", "bad_gold")}
        return {**own, "bad_gold": len(self.bad_gold), **self.checks.to_json()}

    def to_text(self) -> str:
        """How many responses, what each check gave on average, and what could not be judged."""
        checks = self.checks
        lines = [f"checked {self.responses} responses of {self.rows} rows → {self.output}"]
        lines += [f"{name}: mean {value:.4f}" for name, value in checks.to_json()["means"].items()]
        lines += [problem(name, kind, count) for (name, kind), count in sorted(checks.problems.items())]
        if checks.truncated:
            lines.append(f"{checks.truncated} responses are truncated (finish_reasons: length)")
        if checks.gated:
            lines.append(f"{checks.gated} responses failed a gate")
        if self.not_scored:
            lines.append(f"{self.not_scored} rows could not be scored and have an `error`")
        lines += self.bad_gold[:NAMED]
        if len(self.bad_gold) > NAMED:
            lines.append(f"and {len(self.bad_gold) - NAMED} more rows without a usable ground truth")
        return "\n".join(lines)


def problem(name: str, kind: str, count: int) -> str:
    """What a check could not judge, in a sentence."""
    if kind == UNPARSABLE:
        return f"{name}: {count} responses contain nothing that this check reads"
    if kind == TIMED_OUT:
        return f"{name}: {count} responses took too long to check"
    return f"{name}: {count} responses are empty"


def verified_rows(config: Config, progress: Progress) -> VerifiedResult:
    """Score a source with the checks of a rewards file; its output is claimed, and appears whole or not at all."""
    refuse_inside(config.output, [config.model, *input_files([config.source])])
    check_output_file(config.output, overwrite=config.overwrite)
    for name, default in NEEDS_A_MODEL.items():
        if getattr(config, name) != default:
            raise UsageError(f"--{name.replace('_', '-')} needs a reward model, and {config.model} is a rewards file")
    scorer = RowVerifier(config, progress)
    with progress.task("scoring", None, "rows") as task:

        def rows() -> Iterator[dict[str, Any]]:
            for window in windows(config, progress.note):
                yield from scorer.window(window)
                task.advance(len(window))

        written = rows()
        first = next(written, None)
        if first is None:
            raise DataError(f"{config.source} contains nothing to score")
        write_jsonl(config.output, chain([first], written))
    counts = scorer.counts
    return VerifiedResult(
        counts.rows,
        counts.responses,
        counts.not_scored,
        str(config.output),
        KIND,
        counts.left_out,
        checks=scorer.reward.counts,
        bad_gold=tuple(scorer.bad_gold),
    )


class RowVerifier:
    """A rewards file at work on rows, with the models that it names."""

    def __init__(self, config: Config, progress: Progress) -> None:
        self.config = config
        self.reward = VerifiableReward(read_definition(Path(config.model)))
        self.models = {entry.name: opened(config, str(entry.model)) for entry in self.reward.definition.models}
        for model in self.models.values():
            for remark in model.remarks():
                progress.note(remark)
        self.counts, self.bad_gold = RowCounts(), list[str]()

    def window(self, window: "Sequence[Read]") -> Iterator[dict[str, Any]]:
        """Some rows with their rewards, or with an error in their place."""
        rows = [row_of(read) for read in window]
        usable = [read.item for read in window if isinstance(read.item, Record)]
        learned = {name: iter(rewards_of(model, usable)) for name, model in self.models.items()}
        for row, read in zip(rows, window, strict=True):
            self.counts.rows += 1
            self.counts.left_out.read(1, () if isinstance(read.item, Record) else [unread(read)])
            if isinstance(read.item, Record):
                self._score(row, read, {name: next(each) for name, each in learned.items()})
            else:
                refused = unread(read)
                fail(row, f"{refused.file}:{refused.line}", refused.reason, self.counts)
            yield row

    def _score(self, row: dict[str, Any], read: "Read", learned: dict[str, Sequence[float]]) -> None:
        record: Any = read.item
        try:
            found = self.reward.rewards_of(record, dict(row), learned)
        except DataError as error:
            if self.config.strict:
                raise
            self.bad_gold.append(str(error))
            fail(row, record.place, str(error).removeprefix(f"{record.place}: "), self.counts)
            return
        order = source_order(record, hashed_order=read.hashed_order)
        write(row, record.place, [found[index] for index in order], best_of=self.config.best_of)
        self.counts.responses += len(found)


def write(row: dict[str, Any], place: str, found: Sequence[Verified], *, best_of: bool) -> None:
    """Give a row its rewards, and the value of each part beside them."""
    written: dict[str, Any] = {"rewards": [each.reward for each in found]}
    if best_of:
        written["best"] = highest(written["rewards"])
    written |= {field_of(name): [each.parts[name] for each in found] for name in found[0].parts}
    refuse_taken(row, place, written)
    row |= written


def opened(config: Config, model: str) -> Any:
    """A reward model that the file names; relative places are those of the current folder."""
    return open_model(replace(config, model=model))


def rewards_of(model: Any, records: Sequence[Record]) -> list[Sequence[float]]:
    """The rewards of a model for some records."""
    return [[float(value) for value in rewards] for rewards in model.score_records(records)]


def unread(read: "Read") -> Quarantined:
    """A row that cannot be scored."""
    return read.item if isinstance(read.item, Quarantined) else without_response(read.item)
