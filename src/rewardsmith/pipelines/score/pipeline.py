"""Rows → the same rows with their rewards, window by window; finished parts survive a kill."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError
from rewardsmith.files import check_output_file, claimed, refuse_inside
from rewardsmith.pipelines.score.by_steps import STEP_VALUES, refuse_with_steps, step_fields
from rewardsmith.pipelines.score.calibrated import FIELDS, CalibratedFields, calibration_of
from rewardsmith.pipelines.score.config import Config
from rewardsmith.pipelines.score.counts import RowCounts
from rewardsmith.pipelines.score.parts import Parts, counts_of, fingerprint, part
from rewardsmith.pipelines.score.per_token import COLUMN, outputs_and_tokens
from rewardsmith.pipelines.score.reading import fail, refuse_taken, row_of, windows, without_response
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Outputs, RecordRewards, Sequences
    from rewardsmith.scoring.left_out import LeftOut
    from rewardsmith.scoring.truncation import Cuts


WAVE = 64
"""Windows that are sent to Ray at a time; bounds memory."""
DECIDING = ("map", "best_of", "per_token", "combine", "tokens_per_batch", "dtype", "device")
"""Settings that may change a part."""


@dataclass(frozen=True)
class Result:
    """What was scored.

    `not_scored` rows have an `error`; `prompts_cut` responses stand behind a shortened prompt, `responses_cut` lost their
    end; `left_out` tells all that was not used whole, by reason.
    """

    rows: int
    responses: int
    not_scored: int
    output: str
    contract: str
    left_out: "LeftOut"
    mismatch: str = ""

    @property
    def prompts_cut(self) -> int:
        """How many responses stand behind a shortened prompt."""
        return self.left_out.reason_count("cut", "prompt")

    @property
    def responses_cut(self) -> int:
        """How many responses lost their end."""
        return self.left_out.reason_count("cut", "response")

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        cut = {"prompts_cut": self.prompts_cut, "responses_cut": self.responses_cut}
        return {**self.__dict__, **cut, "left_out": self.left_out.to_json()}

    def to_text(self) -> str:
        """How many rows, and what was not scored as it was given."""
        text = (
            f"scored {self.responses} responses of {self.rows} rows → {self.output} (scoring contract, i.e. how "
            f"conversations become tokens: {self.contract})"
        )
        lines = [text, *self.left_out.lines()]
        if self.not_scored:
            lines.append(f"{self.not_scored} rows could not be scored and have an `error`")
        if self.mismatch:
            lines.append("these are not the rewards of the saved model: every row has `mismatch`")
        return "\n".join(lines)


def score_source(config: Config, progress: Progress = SILENT) -> Result:
    """Score a source as a stream; the output appears whole or not at all, and what a killed run finished is kept."""
    with claimed(config.output):
        return scored_rows(config, progress)


def scored_rows(config: Config, progress: Progress) -> Result:
    """The work of `score`; its output is claimed."""
    refuse_inside(config.output, [config.model, *input_files([config.source])])
    check_output_file(config.output, overwrite=config.overwrite)
    model = open_model(config)
    for remark in model.remarks():
        progress.note(remark)
    contract = "inferred" if model.contract.inferred else "stored"
    deciding = {name: getattr(config, name) for name in DECIDING}
    if model.mismatch:  # told in the rows; parts of others keep their names
        deciding["mismatch"] = True
    if config.calibrated:
        deciding["calibration"] = calibration_of(model, config.model).to_json()
    parts = Parts(config.output, fingerprint(model, deciding))
    counts, paths, kept = RowCounts(), [], 0
    with progress.task("scoring", None, "rows") as task, scored(config, model, parts, progress.note) as finished:
        for path, was_there in finished:
            paths.append(path)
            found = counts_of(path)
            counts.add(found)
            kept += was_there
            task.advance(found.rows)
    if counts.rows == 0:
        raise DataError(f"{config.source} contains nothing to score")
    if kept:
        progress.note(f"{kept} of {len(paths)} parts were already scored by an earlier run of this command")
    parts.join(paths)
    return Result(
        counts.rows, counts.responses, counts.not_scored, str(config.output), contract, counts.left_out, model.mismatch
    )


def open_model(config: Config) -> "RewardModel":
    """The reward model as the settings say; ModelError where its tokens have no values and these are asked for."""
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.token_values import refuse_without_values

    model = RewardModel.load(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    refuse_with_steps(config, model)
    if config.per_token:
        refuse_without_values(model.network, "--per-token")
    return config.combine.applied(model)


@contextlib.contextmanager
def scored(
    config: Config, model: "RewardModel", parts: Parts, note: Callable[[str], None]
) -> "Iterator[Iterator[tuple[Path, bool]]]":
    """The path of every part, in order, once it is written, and whether an earlier run had written it."""
    from rewardsmith.model.runtime.allocator import kept_memory

    if config.engine == "local":
        with kept_memory(model.network.device.type):
            yield scored_here(config, model, parts, note)
        return
    from rewardsmith.parallel.processes import usable_cores
    from rewardsmith.parallel.ray_session import ray_session

    with ray_session(config.workers or usable_cores()) as ray:
        yield scored_on_ray(config, ray, parts, note)


def scored_here(
    config: Config, model: "RewardModel", parts: Parts, note: Callable[[str], None]
) -> "Iterator[tuple[Path, bool]]":
    """Part after part in this process."""
    for number, window in enumerate(windows(config, note)):
        path = parts.path(number, window)
        kept = path.is_file()
        if not kept:
            parts.write(path, part_of(config, model, window))
        yield path, kept


def scored_on_ray(config: Config, ray: Any, parts: Parts, note: Callable[[str], None]) -> "Iterator[tuple[Path, bool]]":
    """Parts by the workers of a Ray session, which read the model from where this process found it."""
    from rewardsmith.parallel.ray_mapping import in_order_on_ray

    place = str(Path(config.model).resolve()) if Path(config.model).exists() else config.model
    gpus = int(config.device != "cpu" and ray.cluster_resources().get("GPU", 0) > 0)
    pieces = (Piece(parts.path(number, window), window) for number, window in enumerate(windows(config, note)))
    tasks = (piece.without_rows() if piece.path.is_file() else piece for piece in pieces)
    found = in_order_on_ray(ray, score_on_worker, replace(config, model=place), tasks, wave=WAVE, gpus=gpus)
    for piece, content in found:
        if content is not None:
            parts.write(piece.path, content)
        yield piece.path, content is None


@dataclass(frozen=True)
class Piece:
    """Rows that some worker scores, and where their part belongs; no rows where it is there."""

    path: Path
    window: "Sequence[Read] | None"

    def without_rows(self) -> "Piece":
        """The piece of a part that is there."""
        return replace(self, window=None)


opened: dict[Config, "RewardModel"] = {}
"""In a worker: the model that it scores with."""


def score_on_worker(config: Config, piece: Piece) -> bytes | None:
    """The part of some rows, in a process that lives for one run and keeps its model."""
    if piece.window is None:
        return None
    if config not in opened:
        opened[config] = open_model(config)
    return part_of(config, opened[config], piece.window)


def part_of(config: Config, model: "RewardModel", window: "Sequence[Read]") -> bytes:
    """Some rows with their rewards, or with an error in their place, and the counts of them."""
    counts = RowCounts()
    rows = list(score_window(config, model, window, counts))
    return part(counts, rows)


def score_window(
    config: Config, model: "RewardModel", window: "Sequence[Read]", counts: RowCounts
) -> Iterator[dict[str, Any]]:
    """Score a stretch of rows; what cannot be scored gets an `error` in its place."""
    from rewardsmith.model.heads.process import ProcessHead

    rows: list[dict[str, Any]] = []
    waiting: list[tuple[dict[str, Any], Any, list[int], Sequences]] = []
    added = CalibratedFields(model, config.model) if config.calibrated else None
    for read in window:
        row = row_of(read)
        rows.append(row)
        encoded = encoded_row(config, model, row, read, counts)
        if encoded is not None:
            waiting.append((row, read.item, *encoded))
    found = found_of(config, model, [w[3] for w in waiting])
    for (row, record, order, _), (values, tokens) in zip(waiting, found, strict=True):
        if isinstance(model.head, ProcessHead):
            row.update(step_fields(model.head, values.rewards))
            counts.responses += 1
            continue
        row.update(fields_of(values, tokens, order))
        if added is not None:
            row |= added.of(record, values.rewards, order)
        counts.responses += len(values.rewards)
        if config.best_of:
            row["best"] = highest(row["rewards"])
    counts.rows += len(rows)
    yield from rows


def field_of(column: str) -> str:
    """The field of a row that holds a column of the model: `reward_std`, `reward_cost`."""
    return f"reward_{column}"


def fields_of(
    values: "Outputs", tokens: list[dict[str, Any]] | None, order: Sequence[int]
) -> Iterator[tuple[str, list[Any]]]:
    """What a row gets, one entry for each of its responses in its order."""
    yield "rewards", [float(values.rewards[index]) for index in order]
    yield from columns_json(values.columns, order).items()
    if tokens is not None:
        yield COLUMN, [tokens[index] for index in order]


def highest(rewards: Sequence[float]) -> int:
    """The index of the highest reward, the first of equal ones."""
    return max(range(len(rewards)), key=rewards.__getitem__)


def columns_json(columns: "Mapping[str, RecordRewards]", order: Sequence[int]) -> dict[str, list[Any]]:
    """The columns of a row, one value per response in the row's order; beside a cost, whether it is below 0."""
    from rewardsmith.model.heads.helpful_cost import COST, SAFE

    found: dict[str, list[Any]] = {
        field_of(name): [float(values[index]) for index in order] for name, values in columns.items()
    }
    if COST in columns:
        found[SAFE] = [bool(columns[COST][index] < 0) for index in order]
    return found


def fields_of_columns(columns: Sequence[str]) -> list[str]:
    """All fields that the columns of a model give: beside a cost, whether it is below 0."""
    from rewardsmith.model.heads.helpful_cost import COST, SAFE

    return [*map(field_of, columns), *([SAFE] if COST in columns else [])]


def encoded_row(
    config: Config, model: "RewardModel", row: dict[str, Any], read: "Read", counts: RowCounts
) -> "tuple[list[int], Sequences] | None":
    """The order in which the row names its responses, and what is scored of them; None, and an `error` in the row, where
    nothing can be."""
    from rewardsmith.data.loading.load import source_order
    from rewardsmith.errors import ContractError
    from rewardsmith.model.scorer import sequences_of
    from rewardsmith.records import Quarantined, Record

    item = read.item
    if not isinstance(item, Record):
        unread = item if isinstance(item, Quarantined) else without_response(item)
        counts.left_out.read(1, [unread])
        fail(row, f"{unread.file}:{unread.line}", unread.reason, counts)
        return None
    counts.left_out.read(1, ())
    try:
        encoded = model.encoder_of(item, answers=config.per_token).encode(item)
    except ContractError as error:
        counts.left_out.unused(item, "not_scorable", str(error))
        fail(row, item.place, str(error), counts)
        return None
    order = source_order(item, hashed_order=read.hashed_order)
    cut, mismatch = encoded.cuts.any, bool(model.mismatch)
    used = {
        "rewards": True,
        STEP_VALUES: item.by_steps,
        "best": config.best_of,
        COLUMN: config.per_token,
        "cut": cut,
        "mismatch": mismatch,
    }
    used |= dict.fromkeys(FIELDS, config.calibrated)
    fields = [name for name, writes in used.items() if writes]
    refuse_taken(row, item.place, [*fields, *fields_of_columns(model.columns)])
    if cut:
        row["cut"] = cuts_json(encoded.cuts, order)
    if mismatch:
        row["mismatch"] = True
    counts.left_out.used(item, encoded)
    return order, sequences_of(item, encoded)


def found_of(
    config: Config, model: "RewardModel", sequences: "Sequence[Sequences]"
) -> "Iterator[tuple[Outputs, list[dict[str, Any]] | None]]":
    """What the model gives for each record, and its tokens where they are asked for."""
    from rewardsmith.model.scorer import outputs

    budget = config.tokens_per_batch
    if config.per_token:
        yield from outputs_and_tokens(model, sequences, budget)
        return
    for found in outputs(model.network, sequences, model.head, budget=budget):
        yield found, None


def cuts_json(cuts: "Cuts", order: Sequence[int]) -> dict[str, list[int]]:
    """What was cut from a row, one number per response in the row's order."""
    return {name: [values[index] for index in order] for name, values in vars(cuts).items()}
