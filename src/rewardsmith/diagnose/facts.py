"""What is known about a run: numbers, curves and compared pairs, gathered before anything is judged.

Everything is optional. A field that is None (or empty) was not measured, and the verdict then says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.finding import Said
from rewardsmith.diagnose.intervals import Interval95, wilson
from rewardsmith.diagnose.measured import Figures, MeasuredFacts, Rule, ShareOfWrong
from rewardsmith.scoring.left_out import LeftOut

CHANCE_LOSS = math.log(2)
"""The Bradley-Terry loss of a model that gives every response the same reward: -log(1/2)."""


@dataclass(frozen=True, slots=True)
class BaselineFacts:
    """A rule without a reward model: its accuracy in [0, 1], and the model's minus its own on the same pairs.

    `fitted_on` says on what, as in evaluation.json; `direction` is "longer" or "shorter" of the rule by length. `leads` and
    `misleads` are the model's figures where the rule is right and wrong, `agreement` how often both prefer the same.
    """

    name: str
    accuracy: float | None = None
    interval: Interval95 | None = None
    difference: float | None = None
    difference_interval: Interval95 | None = None
    fitted_on: str = ""
    direction: str | None = None
    leads: Figures | None = None
    misleads: Figures | None = None
    agreement: float | None = None

    @property
    def rule(self) -> str:
        """What the rule is based on: longer, shorter, tfidf, shortcuts, constant."""
        return self.direction or self.name


@dataclass(frozen=True, slots=True)
class CeilingFacts:
    """The highest accuracy that the labels allow is in [low, high]; two annotators agree on `agreement` of n comparisons."""

    agreement: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The accuracy in [0, 1] on `n` comparisons that share a label (a category, a length bin)."""

    label: str
    n: int
    accuracy: float
    interval: Interval95 | None = None


@dataclass(frozen=True, slots=True)
class ReliabilityFacts:
    """Mean confidence and share correct of `n` comparisons; both in [0, 1]."""

    confidence: float
    accuracy: float
    n: int
    interval: Interval95 | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One row of the curve. None: not written; NaN: written, but it was not a finite number."""

    step: int
    epoch: float | None = None
    loss: float | None = None
    accuracy: float | None = None
    margin: float | None = None
    reward_std: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None


@dataclass(frozen=True, slots=True)
class DataFinding:
    """What the data doctor counted: `count` rows hit by `check`, which it takes for a "warning" or an "info"."""

    check: str
    count: int
    severity: str = "warning"


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What `prepare` counted: input rows, rows that could not be read, rows taken out, and findings per check.

    `rule` is what simple features together predict of the labels, `wrong` the share of wrong labels.
    """

    rows: int | None = None
    quarantined: int | None = None
    removed: int | None = None
    findings: tuple[DataFinding, ...] = ()
    rule: Rule | None = None
    wrong: ShareOfWrong | None = None


@dataclass(frozen=True, slots=True)
class AuditEffect:
    """One effect of audit.json: `status` found, excluded or cannot_tell; `size` in standard deviations of the reward.

    `words` are the title in English and Chinese, where the file has one.
    """

    name: str
    family: str
    status: str
    size: float | None
    interval: Interval95 | None
    n: int
    flipped: float | None
    words: Said | None = None

    @property
    def title(self) -> Said:
        """The title, else the name, in both languages."""
        return self.words or Said(self.name, self.name)


@dataclass(frozen=True, slots=True)
class MoreData:
    """What learning_curve.json says of more training records: from `now` to `then`, the accuracy gains `gain`.

    `status` is found, excluded (less than `bound`) or cannot_tell; `gain` is None where nothing was extrapolated.
    """

    now: int
    then: int | None = None
    gain: float | None = None
    interval: Interval95 | None = None
    status: str = "cannot_tell"
    bound: float = 0.0


@dataclass(frozen=True, eq=False)
class Facts:
    """Everything the verdict may use. Losses are in nats, accuracies and error rates in [0, 1].

    `attribute` is the one that was judged. `mismatch` says in what the model was not the one that was saved, where it was
    evaluated all the same.
    `loss` and `accuracy` are measured on held-out comparisons (`split` says which, `n` how many without label ties);
    `prompts_needed` are the prompts for an accuracy to within each half width;
    `train_loss` is the mean over the whole training run; `kendall_tau_n` counts the rankings of `kendall_tau`.
    `curve` holds training rows, `passes` validation rows; `clashing_steps` counts steps that the log holds twice, at
    different learning rates.
    `left_out` tells by data (training, validation, evaluated) what was not used as it was given.
    `measured` was measured beside; `audit` are the effects of audit.json, None without one, `more_data` is what a
    learning curve shows. `place` is the folder that is
    judged and `model` that of the model, "" where not known; `died` says that it holds a run that did not end, and `ended`
    with which error, "" where it could not tell. `disagreements` are places where two files of the folder contradict each
    other.
    `notes` lists what could not be read, `unread` the names in the input that nothing here knows.
    """

    name: str = ""
    split: str | None = None
    attribute: str = ""
    mismatch: str | None = None
    n: int | None = None
    label_ties: int | None = None
    accuracy: float | None = None
    accuracy_interval: Interval95 | None = None
    loss: float | None = None
    loss_interval: Interval95 | None = None
    tie_rate: float | None = None
    auc: float | None = None
    brier: float | None = None
    ece: float | None = None
    ece_calibrated: float | None = None
    ece_noise_floor: float | None = None
    ece_limit: float | None = None
    ece_calibrated_noise_floor: float | None = None
    ece_calibrated_limit: float | None = None
    temperature: float | None = None
    kendall_tau: float | None = None
    kendall_tau_n: int | None = None
    noise_ceiling: CeilingFacts | None = None
    prompts_needed: Mapping[str, int] = field(default_factory=dict)
    clusters: int | None = None
    too_few_prompts: bool | None = None
    reward_std: float | None = None
    baselines: tuple[BaselineFacts, ...] = ()
    by_category: tuple[GroupFacts, ...] = ()
    by_difficulty: Mapping[str, tuple[GroupFacts, ...]] = field(default_factory=dict)
    reliability: tuple[ReliabilityFacts, ...] = ()
    reliability_calibrated: tuple[ReliabilityFacts, ...] = ()
    train_loss: float | None = None
    train_pairs: int | None = None
    epochs: float | None = None
    steps: int | None = None
    best_step: int | None = None
    stopped_early: bool | None = None
    curve: tuple[CurvePoint, ...] = ()
    passes: tuple[CurvePoint, ...] = ()
    clashing_steps: int = 0
    compared: Compared | None = None
    data: DataFacts | None = None
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    measured: MeasuredFacts = field(default_factory=MeasuredFacts)
    audit: tuple[AuditEffect, ...] | None = None
    more_data: MoreData | None = None
    place: str = ""
    model: str = ""
    died: bool = False
    ended: str = ""
    disagreements: tuple[Said, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def interval(self) -> Interval95 | None:
        """The 95 % interval of the accuracy: the measured one, else Wilson's from n; None without n."""
        if self.accuracy_interval is not None:
            return self.accuracy_interval
        return None if self.accuracy is None or not self.n else wilson(self.accuracy, self.n)

    def numbers(self) -> dict[str, Any]:
        """The plain figures (no curves, no texts) for the report, absent ones as None."""
        plain = (int, float, str, bool, type(None))
        figures: dict[str, Any] = {name: value for name, value in vars(self).items() if isinstance(value, plain)}
        figures["accuracy_ci"] = self.interval and [self.interval.low, self.interval.high]
        figures["loss_at_chance"] = CHANCE_LOSS
        return figures
