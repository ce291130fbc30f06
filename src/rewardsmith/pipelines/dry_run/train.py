"""What `train` would do: its data and tokens, its steps, and from a micro-batch that is really computed, time and memory.

The model is opened and learns one micro-batch, then it is thrown away. A model whose weights take longer to read than a dry
run may take is not opened: its data and steps are told without tokens, time and memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith import launch
from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.loading.mixing import Mix
from rewardsmith.data.splits.sources import Splits, WithoutNotes, is_prepared
from rewardsmith.data.splits.splitter import SPLITS
from rewardsmith.errors import UsageError
from rewardsmith.files.places import expanded, models_folder
from rewardsmith.model.loading.locating import EMBEDDED
from rewardsmith.pipelines.dry_run.measuring import Measured, measured
from rewardsmith.pipelines.dry_run.sampling import refuse_downloads, sampled, share_to_read
from rewardsmith.pipelines.dry_run.words import GIB, about, duration
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.head import attribute_plan
from rewardsmith.pipelines.train.loss import ON_RATINGS
from rewardsmith.pipelines.train.pipeline import check_run
from rewardsmith.pipelines.train.setup import Start, load_data, open_model
from rewardsmith.progress import Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.heads.attributes import AttributePlan
    from rewardsmith.train.examples import Encoding

MOST_WEIGHTS = 4 * 10**9
"""Bytes of weights up to which a model is opened: more take longer to read than a dry run should."""
TOKENIZED = 400
"""Training records that are tokenized."""


@dataclass(frozen=True)
class Tokens:
    """The training conversations that were tokenized: how many `of` the records read, their tokens, what was left out."""

    records: int
    of: int
    used: int
    tokens: int
    left_out: dict[str, Any]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class TrainPlan:
    """The plan: `records` and `comparisons` by split, estimates where `share`, the part of the rows read, is below 1.

    `tokens`, `measured`, `seconds` are None where the model was not opened; `why` says why.
    """

    output: str
    rows: int
    share: float
    unusable: dict[str, int]
    understood: tuple[str, ...]
    records: dict[str, int]
    comparisons: dict[str, int]
    steps: int
    epochs: int
    batch: int
    tokens: Tokens | None = None
    measured: Measured | None = None
    seconds: float | None = None
    why: str = ""
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """`dry_run`, rows, share_read, unusable, records, comparisons, steps, tokens, left_out, time and memory."""
        found: dict[str, Any] = {"dry_run": True, "output": self.output, "rows": self.rows, "share_read": self.share}
        found |= {"unusable": self.unusable, "understood": list(self.understood), "records": self.records}
        found |= {"comparisons": self.comparisons, "steps": self.steps, "epochs": self.epochs, "batch": self.batch}
        tokens, measured = self.tokens, self.measured
        found["tokens_per_record"] = None if tokens is None else tokens.tokens / max(1, tokens.used)
        found["tokenized_records"] = None if tokens is None else tokens.records
        found["left_out"] = None if tokens is None else tokens.left_out
        found["seconds"] = self.seconds
        found["memory"] = None if measured is None else measured.to_json()
        found["not_measured_because"] = self.why or None
        return found

    def to_text(self) -> str:
        """What a person reads."""
        exact = self.share >= 1
        lines = ["dry run: nothing was written", *self.understood, f"rows: {about(self.rows, exact=exact)}"]
        if not exact:
            lines.append(f"{self.share:.1%} of the rows were read; the figures for all rows are estimates")
        if self.unusable:
            lines.append("unusable rows: " + ", ".join(f"{code} {count:,}" for code, count in self.unusable.items()))
        for name in SPLITS:
            lines.append(
                f"{name}: {about(self.records[name], exact=exact)} records, "
                f"{about(self.comparisons[name], exact=exact)} comparisons"
            )
        lines.append(f"steps: {about(self.steps, exact=exact)} ({self.batch} records per step, epochs: {self.epochs})")
        return "\n".join([*lines, *self.notes, *self.estimates()])

    def estimates(self) -> list[str]:
        """The lines about tokens, time and memory."""
        if self.tokens is None or self.measured is None or self.seconds is None:
            return [f"tokens, time and memory were not measured: {self.why}"]
        tokens, seen = self.tokens, self.measured
        lines = [
            f"tokens: {tokens.tokens / max(1, tokens.used):,.0f} per record (measured on {tokens.records:,} of "
            f"{tokens.of:,} training records)",
            *(tokens.lines or ("none of these records is cut or excluded",)),
            f"time: about {duration(self.seconds)} for training and its evaluations (measured on a micro-batch of "
            f"{seen.tokens:,} tokens, {seen.tokens_per_second:,.0f} tokens/s on {seen.device})",
            f"parameters: {seen.trainable:,} of {seen.parameters:,} trainable",
        ]
        if seen.peak_bytes:
            place = "GPU memory" if seen.on_gpu else "memory of the process"
            lines.append(f"peak {place}: about {seen.peak_bytes / GIB:.1f} GiB of {seen.all_bytes / GIB:.1f} GiB")
        return lines


@dataclass
class KeptNotes:
    """A progress that keeps the notes."""

    texts: list[str]
    bars: Progress

    def note(self, text: str) -> None:
        """Keep it."""
        self.texts.append(text)

    def task(self, label: str, total: float | None, unit: str) -> Any:
        """A bar of the progress behind."""
        return self.bars.task(label, total, unit)


def plan_training(config: Config, progress: Progress) -> TrainPlan:
    """Read the data or a sample, tokenize some of it, compute a micro-batch; UsageError as `train` itself refuses."""
    if launch.place() is not None:
        raise UsageError("--dry-run runs in a single process; start it without torchrun or accelerate")
    if config.resume:
        raise UsageError("--dry-run plans a run from its start; remove --resume")
    check_run(config, processes=1)
    named = [*config.dataset, *config.validation, *config.test]
    refuse_downloads(named)
    share = share_to_read(named)
    notes = KeptNotes([], progress)
    if share >= 1:
        rows, splits = 0, load_data(config, notes)
    else:
        reading, rows = in_sample(config, share, notes)
        splits = load_data(reading, WithoutNotes(progress))  # which would tell of data in memory
    plan = counted(config, splits, share, rows, tuple(notes.texts))
    why = why_closed(config.model)
    if why:
        return replace(plan, why=why)
    attributes = attribute_plan(config.head, config.attribute, splits)
    return estimated(config, plan, splits, open_model(config, plan=attributes), attributes)


def in_sample(config: Config, share: float, notes: KeptNotes) -> tuple[Config, int]:
    """The same settings with a sample for each source, and the number of all rows."""
    mix, columns = Mix(config.seed, config.max_per_source), parse_renames(config.map)
    sources = sources_of(config)
    samples = {name: sampled(named, share, columns=columns, mix=mix) for name, named in sources.items() if named}
    notes.texts += [text for sample in samples.values() for text in sample.understood]
    found: dict[str, Any] = {name: sample.sources for name, sample in samples.items()}
    rows = sum(sample.rows for sample in samples.values())
    return replace(config, **found, map=(), max_per_source=None), rows


def sources_of(config: Config) -> dict[str, tuple[str, ...]]:
    """The sources by their settings; for a folder that `prepare` wrote, its splits where no others are given."""
    sources = {"dataset": config.dataset, "validation": config.validation, "test": config.test}
    folder = Path(config.dataset[0])
    if len(config.dataset) > 1 or not is_prepared(folder):
        return sources
    inside = {"dataset": "train", "validation": "validation", "test": "test"}
    return {name: (name != "dataset" and sources[name]) or written(folder, split) for name, split in inside.items()}


def written(folder: Path, split: str) -> tuple[str, ...]:
    """The file of a split that `prepare` wrote; none where it is empty."""
    path = folder / f"{split}.jsonl"
    return (str(path),) if path.is_file() and path.stat().st_size else ()


def counted(config: Config, splits: Splits, share: float, rows: int, notes: Sequence[str]) -> TrainPlan:
    """The plan without the model."""
    unusable: dict[str, int] = {}
    for row in splits.quarantined:
        unusable[row.code] = unusable.get(row.code, 0) + 1
    read = sum(part.rows for part in splits.read.values())
    records: dict[str, int] = {name: round(len(getattr(splits, name)) / share) for name in SPLITS}
    comparisons: dict[str, int] = {name: round(comparisons_in(getattr(splits, name)) / share) for name in SPLITS}
    return TrainPlan(
        output=str(config.output),
        rows=rows or read,
        share=share,
        unusable=unusable,
        understood=tuple(notes),
        records=records,
        comparisons=comparisons,
        steps=steps_of(config, records["train"]),
        epochs=config.epochs,
        batch=config.batch,
    )


def steps_of(config: Config, records: int) -> int:
    """Optimizer steps, as `fit_settings` has them."""
    per_epoch = -(-max(1, round(config.frac * records)) // config.batch)
    return min(per_epoch * config.epochs, config.max_steps or per_epoch * config.epochs)


def comparisons_in(records: Sequence[Record]) -> int:
    """Comparisons of some records."""
    return sum(len(record.comparisons) for record in records)


def why_closed(model: str) -> str:
    """Why a model is not opened; empty where it is: it is on this disk, and not too large."""
    if model == "tiny":
        return ""
    folder = models_folder() / model if model in EMBEDDED else expanded(model)
    if not folder.is_dir():
        return f"{model} is not on this disk"
    weights = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if weights > MOST_WEIGHTS:
        most = f"{MOST_WEIGHTS / GIB:.1f} GiB"
        return f"the weights of {model} take {weights / GIB:.1f} GiB; a dry run opens models up to {most}"
    return ""


def estimated(
    config: Config, plan: TrainPlan, splits: Splits, start: Start, attributes: "AttributePlan | None"
) -> TrainPlan:
    """The plan with tokens, time and memory."""
    from rewardsmith.train.examples import encode_examples

    every = splits.judged.get("train") or splits.train
    some = every[:: max(1, len(every) // TOKENIZED)]
    rated = config.loss.name in ON_RATINGS
    encoding = encode_examples(
        some, start.model.encoder, share=start.model.network.packed, rated=rated, plan=attributes
    )
    tokens = tokens_of(encoding, len(some), len(splits.train))
    if not encoding.examples:
        return replace(plan, why=f"no training data: {encoding.left_out.in_one_line()}", notes=tuple(start.summary()))
    seen = measured(config, start, encoding.examples)
    usable = round(plan.records["train"] * len(encoding.examples) / len(some))
    plan = replace(plan, steps=0 if start.exact else steps_of(config, usable))
    seconds = seconds_for(config, plan, start, seen, usable)
    return replace(plan, tokens=tokens, measured=seen, seconds=seconds, notes=tuple(start.summary()))


def tokens_of(encoding: "Encoding", records: int, of: int) -> Tokens:
    """What tokenizing came to."""
    left = encoding.left_out
    return Tokens(
        *(records, of, len(encoding.examples), encoding.tokens, left.to_json()), tuple(left.lines("training data"))
    )


def seconds_for(config: Config, plan: TrainPlan, start: Start, seen: Measured, usable: int) -> float:
    """Steps, validation passes and the test, in seconds. A pass without gradients takes a third of one with them.

    Where only the head learns, every text goes through the backbone once.
    """
    each = seen.cost_per_record * seen.seconds_per_token
    held = plan.records["validation"] + (plan.records["test"] if config.report else 0)
    if start.kind == "head":
        return each * (usable * config.frac + held)
    passes = min(plan.steps, config.evals * config.epochs)
    trained = plan.steps * (min(config.batch, usable) * each + seen.seconds_per_update)
    evaluated = passes * plan.records["validation"] + held
    return trained + evaluated * each / 3
