"""A trained model's margins for `--label-noise`: a linear head on the frozen features of an installed model.

The head is fitted on the training labels of other rows (out of fold), so no label is judged by what was learned from it.
By default a model is taken that is installed already, where its features can be had in about a minute; nothing is fetched.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rewardsmith.data.splits.splitter import Split
from rewardsmith.errors import ContractError, RewardsmithError, UsageError
from rewardsmith.evaluate.folds import fold_count, folds_of_clusters
from rewardsmith.pipelines.prepare.label_noise import TRAIN, DecidedLabel, Labels, ModelMargins
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Sequences
    from rewardsmith.train.fitting.linear import Differences, Weights

AUTO, OFF = "auto", "off"
CANDIDATES = ("minilm-l6", "smollm2-135m")
"""Installed models that are taken unasked, the faster one first."""

LONGEST = 320
"""Tokens of a conversation that are read at most."""

SHORTEST = 48
"""With fewer tokens of each conversation than this nothing worth knowing is read."""

OPERATIONS = 4e12
"""Floating-point operations of all features for which a model is taken unasked: about a minute of two cores."""

MOST_FITTED = 20_000
"""Comparisons that a head is fitted on at most."""


FeatureRows = Mapping[tuple[Split, int], "np.ndarray | None"]
"""The features of each record's responses, shape (K, H), by split and number of the record; None where it has none."""


@dataclass(frozen=True, eq=False)
class FrozenTexts:
    """Features of the labels' texts by the model `name`, or why there are none (`name` is None then)."""

    name: str | None
    rows: FeatureRows
    why: str


def model_margins(
    setting: str, labels: Labels, unit: Int[np.ndarray, " N"], *, progress: Progress = SILENT
) -> ModelMargins:
    """The margins of the model that `setting` names: auto, off, or a model's name or folder.

    `unit` numbers what was judged together among the labels of the training split; a fold takes it whole.
    """
    texts = frozen_texts(setting, labels, progress)
    margins = {} if texts.name is None else head_margins(labels, texts.rows, unit)
    return ModelMargins(texts.name, margins, texts.why)


def check_label_model(setting: str) -> None:
    """ModelError for a model that is not there, before any row is read; a Hub name is looked up when it is used."""
    from rewardsmith.files.places import expanded
    from rewardsmith.model.loading.locating import EMBEDDED, locate

    if setting in (AUTO, OFF, "tiny") or (setting.count("/") == 1 and not expanded(setting).exists()):
        return
    if setting in EMBEDDED or not expanded(setting).is_dir():
        locate(setting)


def frozen_texts(setting: str, labels: Labels, progress: Progress = SILENT) -> FrozenTexts:
    """The features of the labels' texts by the model that `setting` names."""
    if setting == OFF:
        return FrozenTexts(None, {}, "")
    if setting != AUTO:
        return read_by(setting, labels, progress, limit=None)
    installed = [name for name in CANDIDATES if is_installed(name)]
    if not installed:
        return FrozenTexts(
            None,
            {},
            f"no model was used: none of {', '.join(CANDIDATES)} is installed; install one with rewardsmith models get "
            f"{CANDIDATES[0]}",
        )
    found = [FrozenTexts(None, {}, "")]
    for name in installed:
        try:
            found.append(read_by(name, labels, progress, limit=OPERATIONS))
        except RewardsmithError as error:  # nobody asked for this model, so it must not stop the work
            found.append(FrozenTexts(None, {}, f"no model was used: {name} cannot be used: {error}"))
        if found[-1].name is not None:
            break
    return found[-1]


def is_installed(name: str) -> bool:
    """Whether an embedded model lies in the models' folder; nothing is fetched."""
    from rewardsmith.files.places import models_folder

    return (models_folder() / name / "config.json").is_file()


def read_by(name: str, labels: Labels, progress: Progress, *, limit: float | None) -> FrozenTexts:
    """Features by this model; none where they would take more than `limit` operations."""
    model = open_frozen(name)
    records = {(label.split, label.record_number): label.record for part in labels.values() for label in part}
    encoded = encode(model, list(records.values()), LONGEST)
    length = affordable(encoded, limit, per_token=operations_of(model))
    if length < SHORTEST:
        texts = len({text.key for one in encoded if one for text in one.texts()})
        return FrozenTexts(
            None,
            {},
            f"no model was used: computing features of {texts:,} texts with {name} takes more than a minute; pass "
            f"--label-model {name} to compute them anyway",
        )
    if length < LONGEST:
        encoded = encode(model, list(records.values()), length)
    rows = features_of(model, encoded, progress)
    layers = ", ".join(map(str, model.network.readout.layers)) if model.network.readout else "all"
    why = (
        f"detectors: TF-IDF and a linear head on frozen features of {name} (layers {layers}, up to {length} tokens per "
        "text), both fitted on the labels of other rows"
    )
    return FrozenTexts(f"frozen {name}", dict(zip(records, rows, strict=True)), why)


def open_frozen(name: str) -> "RewardModel":
    """The lower two thirds of a model, read at a third and at two thirds of its layers: last token and mean of the answer.

    Layers in the middle tell more than the last (docs/data-quality.md), which was trained for another task. UsageError
    for a model with a trained head, whose rewards can be had as they are.
    """
    from rewardsmith.model.forward.readout import LAST, MEAN, Readout
    from rewardsmith.model.inferred import new_contract
    from rewardsmith.model.loading.backbones import layer_count, open_backbone
    from rewardsmith.model.reward_model import RewardModel

    whole = open_backbone(name)
    if not whole.head_is_new:
        raise UsageError(
            f"--label-model {name}: the model has a trained reward head; score the rows with it and pass the file as "
            "--margins"
        )
    count = layer_count(whole.hf)
    layers = tuple(sorted({max(1, count // 3), max(1, 2 * count // 3)}))
    kept = None if name == "tiny" else layers[-1]
    backbone = open_backbone(name, layers=kept, reading=lambda _: Readout(layers, (LAST, MEAN)))
    longest = min(LONGEST, backbone.longest or LONGEST)
    contract = new_contract(backbone, max_length=longest, date=datetime.date(2025, 1, 1))
    return RewardModel.build(backbone, contract)


def operations_of(model: "RewardModel") -> float:
    """Floating-point operations for each token: two for each weight of the layers."""
    from rewardsmith.model.forward.network import layer_stack

    layers = layer_stack(model.network.hf.base_model)
    return 2.0 * sum(weight.numel() for layer in layers for weight in layer.parameters())


def encode(model: "RewardModel", records: Sequence[Record], length: int) -> "list[Sequences | None]":
    """The records' token sequences, cut to `length`; None for one that the template refuses."""
    from rewardsmith.model.scorer import Sequences
    from rewardsmith.scoring.tokens import Encoder

    length = min(length, model.contract.max_length)
    contract = replace(model.contract, max_length=length, response_reserve=length // 2)
    encoder = Encoder(model.tokenizer, contract, answers=True)
    found: list[Sequences | None] = []
    for record in records:
        try:
            one = encoder.encode(record)
        except ContractError:
            found.append(None)
            continue
        found.append(Sequences(record.prompt_id, one.sequences, one.answers))
    return found


def affordable(encoded: "Sequence[Sequences | None]", limit: float | None, *, per_token: float) -> int:
    """The length to cut conversations to so that all of them take `limit` operations at most; LONGEST without a limit."""
    if limit is None:
        return LONGEST
    texts = {text.key: len(text.ids) for one in encoded if one is not None for text in one.texts()}
    sizes = np.array(list(texts.values()), dtype=np.int64)
    lengths = range(LONGEST, 0, -16)
    return next((n for n in lengths if np.minimum(sizes, n).sum() * per_token <= limit), 0)


def features_of(
    model: "RewardModel", encoded: "Sequence[Sequences | None]", progress: Progress
) -> list[Float[np.ndarray, "K H"] | None]:
    """The features of every record's responses; None where it has no tokens. Kept on disk, as those for training are."""
    from rewardsmith.model.frozen.feature_cache import fill_store, key_of, open_store
    from rewardsmith.pipelines.train.frozen_cache import features_folder

    known = [one for one in encoded if one is not None]
    store = open_store(features_folder(), model.network, sum(len(one.ids) for one in known))
    fill_store(store, model.network, known, progress=progress)
    found: list[np.ndarray | None] = []
    for one in encoded:
        rows = None if one is None else store.rows(key_of(text) for text in one.texts())
        found.append(None if rows is None else rows.numpy())
    return found


def head_margins(
    labels: Labels, places: FeatureRows, unit: Int[np.ndarray, " N"]
) -> dict[Split, Float[np.ndarray, " N"]]:
    """Margins of a linear head: of training labels by heads fitted on the other folds, of others by one fitted on all."""
    differences = {name: differences_of(part, places) for name, part in labels.items() if part}
    rows = differences[TRAIN]
    known = np.flatnonzero(~np.isnan(rows[:, 0]))
    margins = {name: np.full(len(part), np.nan) for name, part in differences.items()}
    fitted = Fitting.of(rows[known], labels_known(labels[TRAIN], known), unit[known])
    if fitted is None:
        return margins
    fold = folds_of_clusters(unit[known], seed=0, folds=fold_count(unit[known]))
    for number in np.unique(fold):
        weights = fitted.weights(fold != number)
        margins[TRAIN][known[fold == number]] = rows[known[fold == number]] @ weights
    whole = fitted.weights(np.ones(len(known), dtype=bool))
    return {name: margins[name] if name == TRAIN else differences[name] @ whole for name in differences}


def differences_of(labels: Sequence[DecidedLabel], places: FeatureRows) -> Float[np.ndarray, "N H"]:
    """Features of the preferred response minus those of the other; NaN for a record without."""
    found = [
        None
        if (rows := places[label.split, label.record_number]) is None
        else rows[[label.comparison.i, label.comparison.j]]
        for label in labels
    ]
    width = next((one.shape[1] for one in found if one is not None), 1)
    return np.stack([np.full(width, np.nan, np.float32) if one is None else one[0] - one[1] for one in found])


class Judged(NamedTuple):
    """What judges said of some comparisons."""

    preference: Float[np.ndarray, " N"]
    weight: Float[np.ndarray, " N"]


def labels_known(labels: Sequence[DecidedLabel], rows: Int[np.ndarray, " M"]) -> Judged:
    """What judges said of some of the labels."""
    comparisons = [labels[row].comparison for row in rows]
    return Judged(np.array([c.preference for c in comparisons]), np.array([c.weight for c in comparisons]))


@dataclass(frozen=True, eq=False)
class Fitting:
    """Comparisons to fit heads on, in units of their features' spread, and the penalty that cross-validation chose."""

    data: "Differences"
    spread: Float[np.ndarray, " H"]
    penalty: float

    @classmethod
    def of(cls, rows: Float[np.ndarray, "N H"], judged: Judged, unit: Int[np.ndarray, " N"]) -> "Fitting | None":
        """None where there are too few comparisons to leave any out."""
        from rewardsmith.train.fitting.linear import Differences, chosen_penalty

        if fold_count(unit) < 2:
            return None
        # The sign of a difference says which response was listed as the preferred one, so the mean is not taken off.
        spread = np.sqrt((rows.astype(np.float64) ** 2).mean(axis=0)).astype(np.float32)
        spread = np.where(spread > 0, spread, 1.0).astype(np.float32)
        data = Differences(rows / spread, judged.preference, judged.weight, unit)
        return cls(data, spread, chosen_penalty(data.part(first(unit)), seed=0))

    def weights(self, rows: np.ndarray) -> "Weights":
        """A head's weights, fitted on these rows (at most MOST_FITTED of them)."""
        from rewardsmith.train.fitting.linear import fit_linear

        data = self.data.part(rows)
        return np.asarray(fit_linear(data.part(first(data.cluster)), self.penalty) / self.spread)


def first(unit: Int[np.ndarray, " N"]) -> np.ndarray:
    """Which rows a head is fitted on: whole units, MOST_FITTED rows at most, taken alike from everywhere."""
    parts = -(-len(unit) // MOST_FITTED)
    return np.asarray(folds_of_clusters(unit, seed=1, folds=parts) == 0)
