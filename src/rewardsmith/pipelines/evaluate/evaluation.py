"""Rewards of records as the arrays and files that evaluation, diagnosis and comparison read."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.errors import ContractError, DataError
from rewardsmith.evaluate.baselines import Baseline, TextPairs
from rewardsmith.evaluate.comparisons import Comparisons
from rewardsmith.evaluate.metrics import decided
from rewardsmith.evaluate.summary import Summary, summarize
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.pipelines.ensembles.margins import disagreement, members_of, rewards_and_columns
from rewardsmith.pipelines.evaluate.beside_training import beside_training, margins_of, sample_of
from rewardsmith.pipelines.evaluate.ranked_responses import Rewards, rankings_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.shortcuts.rule import shortcut_rule
from rewardsmith.quality.shortcuts.sample import Sample, features_of, row_of
from rewardsmith.quality.text.characters import length_in_words
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Comparison, Record
from rewardsmith.scoring.left_out import NOT_COMPARED, LeftOut

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.processes import Team

CATEGORY_FIELDS = ("category", "subset", "section", "topic")
LEARNED = 2_000
"""Comparisons that the rule of simple features is fitted on: a hundred times as many as it has coefficients."""
HEADLINE = ("n", "accuracy", "accuracy_ci", "auc", "nll", "ece", "ece_calibrated", "split", "source")


@dataclass(frozen=True)
class Row:
    """One comparison of one record, with the two responses it is about; `calibrated` are the rewards after calibration."""

    record: Record
    comparison: Comparison
    rewards: np.ndarray
    calibrated: np.ndarray | None = None

    @property
    def margin(self) -> float:
        """Reward of the preferred response minus that of the other."""
        return float(self.rewards[self.comparison.i] - self.rewards[self.comparison.j])

    @property
    def indices(self) -> tuple[int, int]:
        """Which two responses."""
        return self.comparison.i, self.comparison.j

    def text(self, index: int) -> str:
        """The words of one response."""
        return self.record.responses[index].text


@dataclass(frozen=True)
class Scored:
    """Records with their rewards; `refused` of them could not be rendered, `left_out` tells all that was not used whole.

    `members` are the rewards of an ensemble's members on one scale, (K, M) for each record; None for a single model.
    `columns` are what the model gives beside the rewards, K numbers by name for each record; None where it gives nothing.
    """

    records: Sequence[Record]
    rewards: Rewards
    refused: int
    left_out: LeftOut
    members: Rewards | None = None
    columns: Sequence[Mapping[str, np.ndarray]] | None = None


@dataclass(frozen=True)
class Evaluation:
    """What a model came to on some records: the summary, and one row per comparison for plots and error lists."""

    summary: Mapping[str, Any]
    rows: Sequence[Row]

    def save(self, folder: Path) -> None:
        """Write `evaluation.json` and `comparisons.jsonl` into `folder`."""
        write_json(folder / "evaluation.json", self.summary)
        write_jsonl(folder / "comparisons.jsonl", (row_json(row) for row in self.rows))

    def headline(self) -> dict[str, Any]:
        """The handful of figures that a training run repeats."""
        return {key: self.summary.get(key) for key in HEADLINE}


def score_all(
    model: "RewardModel", records: Sequence[Record], progress: Progress = SILENT, *, team: "Team | None" = None
) -> Scored:
    """Rewards of all records that the contract can render, each tokenized once and in order.

    The processes of a `team` all have to call this, and share the work.
    """
    from rewardsmith.model.runtime.allocator import kept_memory
    from rewardsmith.model.scorer import sequences_of

    kept, sequences, left_out = [], [], LeftOut()
    for record in records:
        try:
            encoded = model.encode(record)
        except ContractError as error:
            left_out.unused(record, "not_scorable", str(error))
            continue
        kept.append(record)
        sequences.append(sequences_of(record, encoded))
        if record.comparisons or record.by_steps:
            left_out.used(record, encoded)
        else:
            left_out.unused(record, "no_comparison", NOT_COMPARED)
    with kept_memory(model.network.device.type):
        rewards, columns = rewards_and_columns(model, sequences, progress, team)
    return Scored(kept, rewards, len(records) - len(kept), left_out, members_of(model, columns), columns)


def compared(records: Sequence[Record], rewards: Rewards) -> Iterator[Row]:
    """Every comparison with its record's rewards."""
    for record, values in zip(records, rewards, strict=True):
        for comparison in record.comparisons:
            yield Row(record, comparison, values)


COLUMNS: dict[str, type] = {
    "margin": np.float64,
    "preference": np.float64,
    "weight": np.float64,
    "cluster": np.int64,
    "language": str,
    "preferred_reward": np.float64,
    "other_reward": np.float64,
    "preferred_length": np.int64,
    "other_length": np.int64,
    "turns": np.int64,
    "label_strength": np.float64,
    "preferred_id": np.int64,
    "other_id": np.int64,
    "preferring": np.int64,
    "votes": np.int64,
}
"""The arrays of `Comparisons` that have a value for every comparison, in the order of `Numbering.values_of`."""


class Numbering:
    """Numbers of prompts and of texts in order of appearance, and what is measured of a text, once per text.

    500 responses to one prompt are 124,750 comparisons of the same texts.
    """

    def __init__(self) -> None:
        self.prompts: dict[str, int] = {}
        self.texts: dict[tuple[str, str], int] = {}
        self.length = functools.cache(length_in_words)
        self.languages: dict[str, str] = {}

    def values_of(self, row: Row) -> tuple[Any, ...]:
        """One value per column of COLUMNS."""
        record, comparison = row.record, row.comparison
        preferred, other = (row.text(index) for index in row.indices)
        for_preferred, for_other, _ = comparison.votes or (0, 0, 0)
        if record.id not in self.languages:
            self.languages[record.id] = language_of(words_of(record))
        return (
            row.margin,
            comparison.preference,
            comparison.weight,
            self.prompts.setdefault(record.prompt_id, len(self.prompts)),
            self.languages[record.id],
            float(row.rewards[comparison.i]),
            float(row.rewards[comparison.j]),
            self.length(preferred),
            self.length(other),
            len(record.prompt),
            strength_of(comparison),
            self.texts.setdefault((record.prompt_id, preferred), len(self.texts)),
            self.texts.setdefault((record.prompt_id, other), len(self.texts)),
            for_preferred,
            for_preferred + for_other,
        )


def comparisons_of(rows: Sequence[Row]) -> Comparisons:
    """Comparisons as arrays; prompts are numbered in order of appearance."""
    numbering = Numbering()
    values = [numbering.values_of(row) for row in rows]
    arrays: dict[str, Any] = {
        name: np.array([each[number] for each in values], dtype=kind)
        for number, (name, kind) in enumerate(COLUMNS.items())
    }
    categories = [category_of(row.record) for row in rows]
    return Comparisons(
        **arrays,
        category=np.array([name or "" for name in categories], dtype=str) if any(categories) else None,
        preferred_text=[row.text(row.comparison.i) for row in rows],
        other_text=[row.text(row.comparison.j) for row in rows],
    )


def words_of(record: Record) -> str:
    """Everything that a record says, prompt and responses."""
    texts = [message.content for message in record.prompt] + [response.text for response in record.responses]
    return "\n".join(texts)


def category_of(record: Record) -> str | None:
    """The value of the first field that names a category."""
    return next((str(record.fields[name]) for name in CATEGORY_FIELDS if name in record.fields), None)


def strength_of(comparison: Comparison) -> float:
    """How clear the label is: the source's margin, else the judges' lead as a share; NaN where it does not tell."""
    if comparison.margin is not None:
        return abs(comparison.margin)
    return 2 * comparison.preference - 1 if comparison.votes is not None else float("nan")


def training_texts(records: Sequence[Record]) -> TextPairs | None:
    """The response texts of decided training comparisons that have weight, for fitting the TF-IDF baseline on."""
    used = [(r, c) for r in records for c in r.comparisons if not c.is_tie and c.weight > 0]
    if not used:
        return None
    return TextPairs(
        [record.responses[c.i].text for record, c in used],
        [record.responses[c.j].text for record, c in used],
        np.array([c.weight for _, c in used], dtype=np.float64),
    )


def shortcuts_beside(rows: Sequence[Row], comparisons: Comparisons, train: Sequence[Record]) -> Baseline:
    """What all simple features together predict on these comparisons, which `prepare` measures on all of its data."""
    sample = Sample(limit=LEARNED)
    for record in train:
        sample.add(record)
    features = {number: features_of(record) for number, record in {id(row.record): row.record for row in rows}.items()}
    return shortcut_rule(
        [row_of(row.record, row.comparison, features[id(row.record)]) for row in rows],
        cluster=comparisons.cluster,
        decided=decided(comparisons.preference),
        training=sample if train else None,
    )


@dataclass(frozen=True)
class Known:
    """What temperature and baselines are fitted on; `left_out` counts the records that are not: their prompts are judged."""

    training: Sequence[Record]
    validation: Sequence[Row]
    left_out: Mapping[str, int]

    def told(self) -> str:
        """What was left out, in words; "" for nothing."""
        if not any(self.left_out.values()):
            return ""
        return (
            f"excluded from fitting the temperature and the baselines: {self.left_out['training']:,} training records and "
            f"{self.left_out['validation']:,} validation records, whose prompts are evaluated too"
        )


def known_besides(
    judged: Sequence[Record], train: Sequence[Record], validation: Scored | None, progress: Progress
) -> Known:
    """Training and validation without the prompts that are judged: else a rule would be fitted on its own test."""
    prompts = {record.prompt_id for record in judged}
    held = [] if validation is None else list(zip(validation.records, validation.rewards, strict=True))
    training = [record for record in train if record.prompt_id not in prompts]
    kept = [(record, rewards) for record, rewards in held if record.prompt_id not in prompts]
    rows = compared([record for record, _ in kept], [rewards for _, rewards in kept])
    left_out = {"training": len(train) - len(training), "validation": len(held) - len(kept)}
    known = Known(training, list(rows), left_out)
    if told := known.told():
        progress.note(told)
    return known


def evaluate_records(
    model: "RewardModel | None",
    records: Sequence[Record] | Scored,
    *,
    validation: Scored | None = None,
    train: Sequence[Record] = (),
    trained_on: Sequence[Record] | None = None,
    split: str,
    source: str = "",
    read: LeftOut | None = None,
    progress: Progress = SILENT,
    team: "Team | None" = None,
) -> Evaluation:
    """Score `records`, unless they come scored (with no model at all where checks gave the rewards), and judge the rewards.

    Temperature and length's direction are fitted on `validation`, the other baselines on `train` (what the model learned
    from); where one is not given, five-fold by prompt, and the summary says so. `read` holds the rows that were read before.
    The records are compared with those of `trained_on` (default: `train`), to which nothing is fitted.
    """
    if not isinstance(records, Scored):
        assert model is not None
        records = score_all(model, records, progress, team=team)
    scored, rows, left_out = records, list(compared(records.records, records.rewards)), read or LeftOut()
    left_out.add(scored.left_out)
    if not rows:
        raise DataError(f"no data to evaluate: {left_out.in_one_line() or 'there are no records'}")
    known = known_besides(scored.records, train, validation, progress)
    comparisons = comparisons_of(rows)
    summary: Summary = summarize(
        comparisons,
        validation=comparisons_of(known.validation) if known.validation else None,
        rankings=rankings_of(scored.records, scored.rewards),
        training=training_texts(known.training),
        more=[shortcuts_beside(rows, comparisons, known.training)],
    )
    facts = origin(split, source, scored, left_out, model)
    facts |= {
        "fit_left_out": dict(known.left_out),
        "training": training_beside(model, scored, train if trained_on is None else trained_on),
        **({"left_out_validation": validation.left_out.to_json()} if validation else {}),
    }
    facts |= disagreement(scored, validation)
    return Evaluation({**summary.to_json(), **facts}, rows)


def origin(split: str, source: str, scored: Scored, left_out: LeftOut, model: "RewardModel | None") -> dict[str, Any]:
    """What was judged, and what of it was not used whole."""
    return {
        "split": split,
        "source": source,
        "records": len(scored.records),
        "not_scorable": scored.refused,
        **{f"{text}s_cut": left_out.reason_count("cut", text) for text in ("prompt", "response")},
        "left_out": left_out.to_json(),
        "contract": "verifiable" if model is None else "inferred" if model.contract.inferred else "stored",
        "mismatch": (model and model.mismatch) or None,
    }


def training_beside(model: "RewardModel | None", judged: Scored, train: Sequence[Record]) -> dict[str, Any] | None:
    """What the training records tell about an evaluation; a sample of them is scored, by this process alone.

    None where none are known.
    """
    if not train or model is None:
        return None
    sample = score_all(model, sample_of(train))
    return beside_training(
        judged.records,
        margins_of(judged.records, judged.rewards),
        train,
        margins_of(sample.records, sample.rewards) if sample.records else None,
    )


def row_json(row: Row) -> dict[str, Any]:
    """One comparison as a line of `comparisons.jsonl`."""
    record, comparison = row.record, row.comparison
    i, j, after = comparison.i, comparison.j, row.calibrated
    return {
        "source": record.source,
        "line": record.line,
        "id": record.id,
        "prompt_id": record.prompt_id,
        "i": comparison.i,
        "j": comparison.j,
        "preference": comparison.preference,
        "weight": comparison.weight,
        "margin": row.margin,
        "reward_i": float(row.rewards[comparison.i]),
        "reward_j": float(row.rewards[comparison.j]),
        "length_i": length_in_words(row.text(comparison.i)),
        "length_j": length_in_words(row.text(comparison.j)),
        "prompt": "\n\n".join(f"{message.role}: {message.content}" for message in record.prompt),
        "text_i": row.text(comparison.i),
        "text_j": row.text(comparison.j),
        "category": category_of(record),
        **({} if after is None else {"calibrated_margin": float(after[i] - after[j])}),
    }
