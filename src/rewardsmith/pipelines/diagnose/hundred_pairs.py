"""Can this model learn anything at all from this data? A fresh one is trained on a hundred pairs, until it knows them."""

import contextlib
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rewardsmith.diagnose.checks.signals import TINY
from rewardsmith.errors import RewardsmithError
from rewardsmith.evaluate.metrics import accuracy, nll
from rewardsmith.pipelines.diagnose.bench import CannotMeasure, Workbench
from rewardsmith.pipelines.diagnose.stopwatch import Stopwatch
from rewardsmith.pipelines.evaluate.beside_training import margins_of, sample_of
from rewardsmith.pipelines.evaluate.evaluation import score_all
from rewardsmith.pipelines.run_data import reachable, settings_of_run
from rewardsmith.pipelines.train.head import HeadSettings
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.progress import Progress, Silent, Task
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.forward.network import RewardNetwork
    from rewardsmith.pipelines.train.setup import Start
    from rewardsmith.train.examples import Example
    from rewardsmith.train.loop import FitSettings

PAIRS = 100
BATCH, STEPS = 10, 400
"""At most 400 steps on 100 pairs, at the usual learning rate of the kind of training."""

KNOWN = 0.1
"""Mean loss over an epoch under which the pairs are known, and no further step is taken."""

FIRST = 10
"""Steps from which the time of all is told."""

WORTH = 3e8
"""Parameters above which a second training run is not started unasked."""


def first_pairs(records: Sequence[Record]) -> list[Record]:
    """The first records that hold PAIRS comparisons together."""
    chosen: list[Record] = []
    count = 0
    for record in records:
        if count >= PAIRS:
            break
        chosen.append(record)
        count += len(record.comparisons)
    return chosen


def hundred_pairs(bench: Workbench) -> Mapping[str, Any]:
    """Train the run's starting model, at the usual learning rate, on PAIRS training pairs; accuracy and loss on them.

    A head alone, on layers that stay as they are, is fitted exactly instead: what some hundred steps reach tells how the
    features are scaled, and not what the head can do with them.
    CannotMeasure where the starting model is not there, or all steps would take longer than the bench may.
    """
    from rewardsmith.pipelines.train.members import MembersSettings
    from rewardsmith.pipelines.train.setup import open_model
    from rewardsmith.train.examples import encode_examples
    from rewardsmith.train.optimizer import count_parameters

    if bench.run is None:
        raise CannotMeasure("the model does not lie in a run folder")
    records = first_pairs(sample_of(bench.data.splits.train))
    given = settings_of_run(bench.run)
    name = given.model if given.model in ("tiny",) else reachable(given.model, [], bench.run)
    fresh = replace(given, model=name, head_start="random", members=MembersSettings(), quantize=None)
    config = replace(fresh, head=HeadSettings(), loss=LossSettings())
    try:
        start = open_model(config)
    except RewardsmithError as error:
        raise CannotMeasure(f"the model that training began with cannot be opened: {error}") from error
    network = start.model.network
    if (size := count_parameters(network).all) > WORTH:
        raise CannotMeasure(f"training a model of {size:,} parameters again would take too long")
    examples = encode_examples(records, start.model.encoder, share=network.packed).examples
    if not examples:
        raise CannotMeasure("no training pair can be used")
    if start.kind == "head":
        return {"hundred": fitted_exactly(network, examples, bench.progress)}
    return {"hundred": trained_for_steps(start, examples, records, size, bench.seconds)}


def fitted_exactly(network: "RewardNetwork", examples: "Sequence[Example]", progress: Progress) -> dict[str, Any]:
    """The figures of the best linear head for these comparisons, on themselves."""
    from rewardsmith.model.scorer import DEFAULT_BUDGET
    from rewardsmith.train.fitting.linear import fit_separating
    from rewardsmith.train.fitting.probe import pair_features

    budget = DEFAULT_BUDGET.get(network.device.type, DEFAULT_BUDGET["cpu"])
    known = pair_features(network, examples, budget, progress)
    margins = known.margins(fit_separating(known))
    right, loss = (measure(margins, known.preference, weight=known.weight) for measure in (accuracy, nll))
    return {"pairs": len(known.preferred), "steps": 0, "exact": True, "accuracy": right, "loss": loss}


def trained_for_steps(
    start: "Start", examples: "Sequence[Example]", records: Sequence[Record], size: int, seconds: float
) -> dict[str, Any]:
    """The figures of the model on these comparisons, once it knows them, and after STEPS steps at the latest."""
    from rewardsmith.train.loop import Fit

    network = start.model.network
    settings = usual_settings(start.kind, size, len(examples), network.device.type)
    with tempfile.TemporaryDirectory(prefix="rewardsmith-hundred-") as folder:
        fit = Fit(network, settings, train=examples, validation=(), folder=Path(folder), fingerprint={})
        with contextlib.suppress(PairsKnown):
            fit.run(progress=UntilKnown(fit.total, fit.per_epoch, seconds))
    network.eval()
    if start.model.adapter is not None:
        start.model.merge_adapter()
    scored = score_all(start.model, records)
    figures = margins_of(scored.records, scored.rewards).figures()
    told = {"pairs": figures["n"], "steps": fit.state.step, "lr": settings.lr}
    return {**told, "accuracy": figures["accuracy"], "loss": figures["nll"]}


class PairsKnown(Exception):
    """Ends the training: the pairs of a whole epoch were told apart, on average clearly."""


class UntilKnown(Silent):
    """Ends a training of `steps` steps, `per_epoch` of them an epoch.

    With PairsKnown once the mean loss of an epoch is under KNOWN, with CannotMeasure where by the first steps all of them
    would take longer than `seconds`.
    """

    def __init__(self, steps: int, per_epoch: int, seconds: float) -> None:
        self.steps, self.seconds, self.done, self.watch = steps, seconds, 0.0, Stopwatch()
        self.losses: deque[float] = deque(maxlen=per_epoch)

    @contextlib.contextmanager
    def task(self, label: str, total: float | None, unit: str) -> Iterator[Task]:
        """Itself, which is told of every step."""
        yield self

    def advance(self, amount: float = 1, **figures: float) -> None:
        """Count steps; the first ones tell how long all will take, the losses whether the pairs are known."""
        self.done += amount
        if "loss" in figures:
            self.losses.append(figures["loss"])
        if len(self.losses) == self.losses.maxlen and fmean(self.losses) < KNOWN:
            raise PairsKnown
        if not FIRST <= self.done < self.steps:
            return
        needed = self.watch.seconds / self.done * self.steps
        if needed > self.seconds:
            raise CannotMeasure(
                f"{self.steps} steps would take about {needed:,.0f} seconds here, more than --time-limit"
            )


def usual_settings(kind: str, size: int, examples: int, device: str) -> "FitSettings":
    """STEPS steps on that many examples, at the usual rate of the kind of training for a model of that size."""
    from rewardsmith.model.scorer import DEFAULT_BUDGET
    from rewardsmith.train.loop import FitSettings
    from rewardsmith.train.schedule import LEARNING_RATES

    return FitSettings(
        epochs=-(-STEPS // -(-examples // BATCH)),
        batch=BATCH,
        lr=LEARNING_RATES["tiny" if kind == "full" and size <= TINY else kind],
        weight_decay=0.0,
        warmup=0.1,
        clip=1.0,
        dropout=0.0,
        loss="bradley-terry",
        seed=0,
        tokens_per_microbatch=DEFAULT_BUDGET.get(device, DEFAULT_BUDGET["cpu"]),
        eval_every=10 * STEPS,
        patience=0,
        keep=1,
    )
