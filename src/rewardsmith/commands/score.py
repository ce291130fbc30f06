"""`rewardsmith score`: rewards for pairs, rankings or bare responses; each input row comes back with its rewards."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.commands.sources import input_files
from rewardsmith.errors import DataError, OutputError
from rewardsmith.files import refuse_inside, write_jsonl
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.data.loading import Read
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.records import Record
    from rewardsmith.scoring.tokens import Cuts


WINDOW = 1024  # rows looked at together; bounds memory


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith score`."""

    model: str
    """Reward model: a folder, a run folder, or a hub name."""
    source: str
    """File, folder or synthetic:N to score."""
    output: Path
    """JSON lines to write: each input row with its `rewards`, one per response in the row's order."""
    map: tuple[str, ...] = ()
    """Columns under other names, as in prompt=instruction; the output keeps the row's own names."""
    best_of: bool = False
    """Add `best`, the index of the response with the highest reward."""
    tokens_per_batch: int | None = None
    """Tokens per forward pass (default by device)."""
    dtype: str = "fp32"
    """Precision below the head: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Score even if the model's probes no longer give the stored rewards."""
    strict: bool = False
    """Stop at the first row that cannot be read."""
    overwrite: bool = False
    """Replace --output if it is there."""
    trust_remote_code: bool = False
    """Run code that comes with a hub model."""


@dataclass(frozen=True)
class Result:
    """What was scored."""

    rows: int
    responses: int
    not_scored: int
    overlong: int
    output: str
    contract: str

    def to_json(self) -> dict[str, Any]:
        """rows, output, and counts of what was not plain."""
        return dict(self.__dict__)

    def to_text(self) -> str:
        """One or two lines."""
        text = f"scored {self.responses} responses of {self.rows} rows → {self.output} (contract: {self.contract})"
        if self.not_scored or self.overlong:
            text += (
                f"\n{self.not_scored} rows could not be scored (they have an `error`); {self.overlong} were cut to fit"
            )
        return text


@dataclass
class Counts:
    """Tallies while streaming."""

    rows: int = 0
    responses: int = 0
    not_scored: int = 0
    overlong: int = 0


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Score a source as a stream; the output appears whole or not at all."""
    refuse_inside(config.output, [config.model, *input_files([config.source])])
    if config.output.exists() and not config.overwrite:
        raise OutputError(f"{config.output} exists; choose another output or pass --overwrite")
    from rewardsmith.model.reward_model import RewardModel

    model = RewardModel.load(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    if model.understood:
        progress.note(model.understood)
    counts = Counts()
    with progress.task("scoring", None, "rows") as task:
        write_jsonl(config.output, watched(scored_rows(config, model, counts), task))
    if counts.rows == 0:
        raise DataError(f"{config.source} holds nothing to score")
    return Result(
        **counts.__dict__,
        output=str(config.output),
        contract="inferred" if model.contract.inferred else "stored",
    )


def watched(rows: Iterator[dict[str, Any]], task: Any) -> Iterator[dict[str, Any]]:
    """Pass rows on, reporting each."""
    for row in rows:
        task.advance()
        yield row


def scored_rows(config: Config, model: "RewardModel", counts: Counts) -> Iterator[dict[str, Any]]:
    """Output rows in input order: the input row with its rewards, or with an error in their place."""
    from itertools import islice

    rows = input_rows(config)
    while window := list(islice(rows, WINDOW)):
        yield from score_window(config, model, window, counts)


def input_rows(config: Config) -> "Iterator[Read]":
    """The source's rows as they were given, each with what it was understood as."""
    from rewardsmith.data.loading import iterate_rows
    from rewardsmith.data.renaming import parse_renames

    return iterate_rows(config.source, strict=config.strict, columns=parse_renames(config.map))


def score_window(
    config: Config, model: "RewardModel", window: "list[Read]", counts: Counts
) -> Iterator[dict[str, Any]]:
    """Score a stretch of rows; what cannot be scored gets an `error` in its place."""
    from rewardsmith.errors import ContractError
    from rewardsmith.model.reward_model import sequences_of
    from rewardsmith.model.scorer import Sequences, score
    from rewardsmith.records import Record

    rows: list[dict[str, Any]] = []
    waiting: list[tuple[dict[str, Any], list[int], Sequences]] = []
    for given, item, hashed_order in window:
        row = dict(given or {})
        rows.append(row)
        if not isinstance(item, Record):
            place = getattr(item, "file", None) or getattr(item, "source", "")
            fail(row, f"{place}:{item.line}", getattr(item, "reason", "plain text has no response to score"), counts)
            continue
        try:
            encoded = model.encode(item)
        except ContractError as error:
            fail(row, item.place, str(error), counts)
            continue
        written = {"rewards": True, "best": config.best_of, "cut": encoded.cuts.any}
        refuse_taken(row, item.place, [name for name, used in written.items() if used])
        if encoded.cuts.any:
            row["cut"] = cuts_json(encoded.cuts)
        counts.overlong += encoded.overlong
        order = source_order(item, hashed_order=hashed_order)
        waiting.append((row, order, sequences_of(item, encoded)))
    rewards = score(model.network, [sequences for _, _, sequences in waiting], budget=config.tokens_per_batch)
    for (row, order, _), values in zip(waiting, rewards, strict=True):
        row["rewards"] = [float(values[index]) for index in order]
        counts.responses += len(values)
        if config.best_of:
            row["best"] = max(range(len(values)), key=row["rewards"].__getitem__)
    counts.rows += len(rows)
    yield from rows


def fail(row: dict[str, Any], place: str, reason: str, counts: Counts) -> None:
    """Give a row that cannot be scored its `error`, and count it."""
    refuse_taken(row, place, ["error"])
    row["error"] = f"{place}: {reason}"
    counts.not_scored += 1


def refuse_taken(row: Mapping[str, Any], place: str, written: Iterable[str]) -> None:
    """DataError where the input row has a column of its own by the name of one that is about to be written."""
    for name in written:
        if name in row:
            raise DataError(
                f"{place} has a column {name!r} already, which score would overwrite; rename it in the input"
            )


def source_order(record: "Record", *, hashed_order: bool) -> list[int]:
    """Indices of the responses in the order in which the input row names them.

    A row with preferred and rejected answers gives the rewards of the preferred ones first (records order such answers
    by hash, so that no model can learn the label from the index); every other row lists its responses itself.
    """
    if not hashed_order:
        return list(range(len(record.responses)))
    preferred = dict.fromkeys(comparison.i for comparison in record.comparisons)
    return [*preferred, *dict.fromkeys(comparison.j for comparison in record.comparisons)]


def cuts_json(cuts: "Cuts") -> dict[str, Any]:
    """What was cut from a row, in tokens."""
    return {
        "prompt_turns": cuts.prompt_turns,
        "prompt_tokens": cuts.prompt_tokens,
        "response_tokens": list(cuts.response_tokens),
    }
