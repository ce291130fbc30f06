"""The training loop, on one page: steps, validation, best weights, checkpoints, resume.

Several processes go through it together; the first alone writes files and notes.
"""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from signal import Signals
from typing import Any

import numpy as np
import orjson
import torch

from rewardsmith.errors import TrainingError
from rewardsmith.files import write_bytes
from rewardsmith.launch.signals import Interrupted, deferred
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.runtime.allocator import kept_memory
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.train import resume
from rewardsmith.train.engines.engine import Parallel
from rewardsmith.train.engines.select import start_engine
from rewardsmith.train.examples import Example, steps_of_epoch
from rewardsmith.train.fitting.probe import ProbeFigures, fit_head
from rewardsmith.train.held_out import ValidationPass, Watch, loss_at_equal_rewards, told_loss, validate
from rewardsmith.train.losses import LN_2, Loss, choose
from rewardsmith.train.masks import Dropout, seed_of
from rewardsmith.train.optimizer import make_optimizer
from rewardsmith.train.resume import lines_up_to
from rewardsmith.train.schedule import learning_rate
from rewardsmith.train.step import StepFigures, add_gradient, measured

COUNTED = {"comparisons", "tokens"}
"""Figures of a step that a bar does not show."""

EXPLODED = 10.0 / LN_2
"""Times the loss at equal rewards (at least ln 2), over EXPLODED_STEPS steps: margins of -10 under Bradley-Terry."""
EXPLODED_STEPS = 10


@dataclass(frozen=True)
class FitSettings:
    """How to train: `batch` counts records per optimizer step, `tokens_per_microbatch` bounds one forward pass.

    Validation runs every `eval_every` steps and at the end; training stops after `patience` passes without a better
    validation loss (0 = never). `keep` checkpoints to resume from stay on disk. `max_steps` ends the run, and its
    schedule, before the epochs do (0: nothing but the head's start). `head_start` "probe" fits the head to the untrained
    backbone first (see `train.probe`), as the mean of `heads` where they are several; "random" and "own" leave it as it is.
    `members` heads learn together by steps. `loss_options` are those given for the loss (None: its defaults).
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    warmup: float
    clip: float
    dropout: float
    loss: str
    seed: int
    tokens_per_microbatch: int
    eval_every: int
    patience: int
    keep: int
    head_start: str = "random"
    max_steps: int | None = None
    heads: int = 1
    members: int = 1
    loss_options: Mapping[str, float] | None = None

    def total(self, per_epoch: int) -> int:
        """Optimizer steps of the whole run."""
        return per_epoch * self.epochs if self.max_steps is None else min(per_epoch * self.epochs, self.max_steps)


@dataclass
class FitState:
    """Where the loop stands; goes into every checkpoint, so that a resumed run cannot tell that it was stopped."""

    step: int = 0
    comparisons: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_step: int | None = None
    best_loss: float = float("inf")
    without_gain: int = 0
    loss_sum: float = 0.0
    train_loss: float | None = None
    recent: tuple[float, ...] = ()
    stopped_early: bool = False


@dataclass(frozen=True)
class FitResult:
    """`head`: how it was fitted; `equal`: loss at equal rewards; `peer`: of a second network; `before`: earlier stages."""

    state: FitState
    total_steps: int
    resumed_from: int | None
    head: ProbeFigures | None = None
    equal: float | None = None
    peer: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None


class Fit:
    """One run of training; `folder` gets `metrics.jsonl` and `checkpoints/`. A `loss` replaces that of the settings."""

    def __init__(
        self,
        network: RewardNetwork,
        settings: FitSettings,
        *,
        train: Sequence[Example],
        validation: Sequence[Example],
        folder: Path,
        fingerprint: Mapping[str, Any],
        team: Team = ALONE,
        parallel: Parallel = "ddp",
        zero: Mapping[str, Any] | None = None,
        watch: Watch | None = None,
        loss: Loss | None = None,
    ) -> None:
        self.network = network
        self.team = team
        self.loss = loss or choose(settings.loss, settings.loss_options, members=settings.members)
        self.chance = loss_at_equal_rewards(self.loss, train, network)  # before any weight is cut over processes
        self.engine = start_engine(network, team, parallel, example=train[0], zero=zero, clip=settings.clip)
        self.settings = settings
        self.train = train
        self.validation = validation
        self.checkpoints = folder / "checkpoints"
        self.metrics = folder / "metrics.jsonl"
        self.fingerprint = dict(fingerprint)
        optimizer = make_optimizer(network, lr=settings.lr, weight_decay=settings.weight_decay)
        self.optimizer = self.engine.start(optimizer)
        half = network.autocast is torch.float16
        self.scaler = torch.amp.GradScaler(network.device.type, enabled=half)
        self.per_epoch = -(-len(train) // settings.batch)
        self.total = settings.total(self.per_epoch)
        self.warmup = max(1, round(settings.warmup * self.total))
        self.state = FitState()
        self.head: ProbeFigures | None = None
        self.note: Callable[[str], None] = SILENT.note
        self.kept: dict[str, Any] = {}  # what a loop built on this one has to find again after a resume
        self.watch = watch
        self.passed: ValidationPass | None = None

    def run(self, *, resuming: bool = False, progress: Progress = SILENT) -> FitResult:
        """Train to the end (or early stop), leave the best weights in the network, and tell how it went.

        SIGINT, SIGTERM and SIGHUP finish the step, write a checkpoint and raise Interrupted.
        """
        self.note = progress.note
        resumed = self._restore() if resuming else None
        self.network.train()
        if self.settings.head_start == "probe" and self.state.step == 0:
            self._fit_head(progress)
            self._tell_watch()
        with (
            kept_memory(self.network.device.type),
            deferred() as stop,
            progress.task("training", self.total, "steps") as task,
        ):
            task.advance(self.state.step)
            for epoch, indices in self._remaining():
                self._one_step(epoch, [self.train[index] for index in indices], task)
                if self._due():
                    self._validate(progress)
                    self._checkpoint()
                    self._tell_watch()
                if number := max(self.team.gather(stop.signal or 0)):
                    self._interrupted(number)
                if self.state.stopped_early:
                    break
        self.engine.close()
        resume.load_best(self.network, self.checkpoints, self.state.best_step)
        return FitResult(self.state, self.total, resumed, self.head, self.chance)

    def _fit_head(self, progress: Progress) -> None:
        """Begin with a fitted head; its validation is the curve's point at step 0, and may turn out the best.

        Where no step follows, the fit is the training, and its figures are the run's.
        """
        settings, started = self.settings, time.perf_counter()
        figures = fit_head(
            self.network,
            self.train,
            self.validation,
            budget=settings.tokens_per_microbatch,
            seed=settings.seed,
            heads=settings.heads,
            progress=progress,
            team=self.team,
        )
        self.head = figures
        if self.total == 0:
            self.state.train_loss, self.state.comparisons = figures.loss, figures.comparisons
            self.state.seconds = time.perf_counter() - started
        told = [f"head fitted on {figures.comparisons} comparisons, penalty {figures.penalty:g}"]
        if figures.eval_accuracy is not None:
            told.append(f"validation accuracy {figures.eval_accuracy:.4f}")
        progress.note("; ".join(told))
        if figures.agreement is not None:
            progress.note(figures.agreement.told())
        self._validate(progress)

    def _remaining(self) -> Iterator[tuple[int, list[int]]]:
        """The steps that are still to do, as (epoch, example indices)."""
        if self.state.stopped_early:
            return
        for epoch in range(self.state.step // self.per_epoch, self.settings.epochs):
            for indices in islice(self._steps(epoch), self.state.step - epoch * self.per_epoch, None):
                if self.state.step == self.total:
                    return
                yield epoch, indices

    def _steps(self, epoch: int) -> Iterator[list[int]]:
        """The example indices of each step of an epoch."""
        yield from steps_of_epoch(self.train, epoch=epoch, seed=self.settings.seed, batch=self.settings.batch)

    def _one_step(self, epoch: int, examples: Sequence[Example], task: Task) -> None:
        started = time.perf_counter()
        rate = learning_rate(self.state.step, self.total, peak=self.settings.lr, warmup=self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.team.size > 1:  # the model's own dropout: every process has masks of its own, also after a resume
            torch.manual_seed(seed_of(self.settings.seed, self.state.step, self.team.rank))
        dropout = Dropout(self.settings.dropout, self.settings.seed, epoch)
        seen = add_gradient(
            self.network,
            examples,
            self.loss,
            dropout=dropout,
            budget=self.settings.tokens_per_microbatch,
            scale=self.scaler.scale,
            engine=self.engine,
        )
        clipped = self.engine.clip(self.optimizer, self.scaler, self.settings.clip)
        try:  # the only time in a step that the host waits for the device
            figures, (norm,) = seen.read(self.team, clipped)
        except TrainingError as error:
            self._log_stop(rate)
            raise TrainingError(f"step {self.state.step + 1}: {error}; {self._advice()}") from error
        norm = self.engine.update(self.optimizer, self.scaler, norm)
        if not (np.isfinite(norm) or self.scaler.is_enabled()):
            self._log_stop(rate)
            places = ", ".join(sorted({example.place for example in examples}))
            raise TrainingError(
                f"step {self.state.step + 1}: the gradient is not finite, rows {places}; {self._advice()}"
            )
        self._record(epoch, figures, rate, norm, time.perf_counter() - started)
        shown = {name: value for name, value in asdict(figures).items() if name not in COUNTED}
        task.advance(1, **measured(shown), pairs_per_second=self.pairs_per_second)

    def _record(self, epoch: int, figures: StepFigures, rate: float, norm: float, seconds: float) -> None:
        state = self.state
        state.step += 1
        state.comparisons += figures.comparisons
        state.tokens += figures.tokens
        state.seconds += seconds
        state.loss_sum += figures.loss
        state.train_loss = state.loss_sum / state.step
        state.recent = (*state.recent[-EXPLODED_STEPS + 1 :], figures.loss)
        row = {
            "step": state.step,
            "epoch": state.step / self.per_epoch,
            **measured(asdict(figures)),
            "learning_rate": rate,
            "grad_norm": norm,
            "pairs_per_second": figures.comparisons / seconds,
        }
        self._log(row)
        mean = sum(state.recent) / EXPLODED_STEPS
        if len(state.recent) == EXPLODED_STEPS and mean > EXPLODED * max(LN_2, self.chance):
            raise TrainingError(
                f"the loss diverged: mean {mean:.1f} over steps {state.step - EXPLODED_STEPS + 1} to {state.step} (at "
                f"equal rewards: {self.chance:.2f}); {self._advice()}"
            )

    def _due(self) -> bool:
        step = self.state.step
        return step % self.settings.eval_every == 0 or step == self.total

    def _validate(self, progress: Progress) -> None:
        """Score the validation set, keep the weights if they are the best so far, count towards early stopping."""
        state = self.state
        if not self.validation:
            return
        budget, epoch = self.settings.tokens_per_microbatch, state.step / self.per_epoch
        self.passed = validate(
            self.network, self.validation, budget, loss=self.loss, step=state.step, epoch=epoch, team=self.team
        )
        figures = {**self.passed.figures, **self.more_figures(self.passed)}
        self._log({"step": state.step, "epoch": epoch, **figures})
        right = figures["eval_accuracy"]
        progress.note(
            f"step {state.step}/{self.total}: validation loss {told_loss(figures):.4f}, "
            f"accuracy {'–' if math.isnan(right) else f'{right:.4f}'}"
        )
        reached = figures.get("eval_objective", figures["eval_loss"])
        if reached < state.best_loss:
            state.best_loss, state.best_step, state.without_gain = reached, state.step, 0
            resume.save_best(
                self.checkpoints / resume.BEST, self.network, {"step": state.step, **figures}, team=self.team
            )
        else:
            state.without_gain += 1
            state.stopped_early = 0 < self.settings.patience <= state.without_gain

    def more_figures(self, passed: ValidationPass) -> Mapping[str, float]:
        """What a loop built on this one adds to the figures of a validation pass."""
        return {}

    def _tell_watch(self) -> None:
        if self.watch is not None and self.passed is not None:
            self.watch(self.passed)

    def _checkpoint(self) -> None:
        beside = {"fingerprint": self.fingerprint, "scaler": self.scaler.state_dict()}
        state = {**asdict(self.state), **beside, **({"kept": self.kept} if self.kept else {})}
        folder = resume.folder_of_step(self.checkpoints, self.state.step)
        resume.save_checkpoint(folder, self.network, self.optimizer, state, team=self.team)
        if self.team.leads:
            resume.prune(self.checkpoints, keep=self.settings.keep)

    def _interrupted(self, number: int) -> None:
        if not self._due():
            self._checkpoint()
        raise Interrupted(number, f"stopped after step {self.state.step} by {Signals(number).name}")

    def _restore(self, step: int | None = None) -> int | None:
        """Go on from the last checkpoint, or from that of a step; the step it was written after, None for none."""
        restored = resume.restore(self.checkpoints, self.network, self.optimizer, self.note, step=step)
        if restored is None:
            resume.refuse_lost(self.checkpoints, self.metrics, first=min(self.settings.eval_every, self.total))
            if self.team.leads:
                shutil.rmtree(self.checkpoints / resume.BEST, ignore_errors=True)
            self._trim_metrics(-1)  # the head may be fitted again, at step 0
            self.note("no checkpoint has been written yet; training starts from the beginning")
            return None
        state = resume.since_the_start(restored.state, self.metrics)
        refuse_changes(state.pop("fingerprint"), self.fingerprint)
        self.kept = state.pop("kept", self.kept)
        if scaler := state.pop("scaler"):
            self.scaler.load_state_dict(scaler)
        # JSON has no infinity: a run without a validation pass so far stores null.
        best = float("inf") if state["best_loss"] is None else state["best_loss"]
        self.state = FitState(**{**state, "recent": tuple(state["recent"]), "best_loss": best})
        if self.team.leads and self.state.best_step is not None:
            step, reached = self.state.best_step, self.state.step
            resume.mend_best(self.checkpoints, best_step=step, reached=reached, note=self.note)
        self.team.wait()
        self._trim_metrics(self.state.step)
        self.note(f"resuming from the checkpoint after step {self.state.step} of {self.total}")
        return self.state.step

    def _log(self, row: Mapping[str, Any]) -> None:
        if not self.team.leads:
            return
        with self.metrics.open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")

    def _log_stop(self, rate: float) -> None:
        """The step that ended the run, as a row without a loss: the diagnosis tells from it why there is no end."""
        step = self.state.step + 1
        self._log(
            {"step": step, "epoch": step / self.per_epoch, "loss": None, "learning_rate": rate, "grad_norm": None}
        )

    def _trim_metrics(self, step: int) -> None:
        """Drop rows that were written after the checkpoint, so that no step is logged twice."""
        if self.team.leads and self.metrics.is_file():
            write_bytes(self.metrics, b"".join(lines_up_to(self.metrics, step)))

    def _advice(self) -> str:
        saved = sorted(self.checkpoints.glob("step-*"))
        last = f"the last valid checkpoint is {saved[-1]}" if saved else "no checkpoint has been written yet"
        return f"{last}; try a lower --lr, a longer --warmup, or --dtype fp32"

    @property
    def pairs_per_second(self) -> float:
        """Comparisons trained per second so far, validation not counted."""
        return self.state.comparisons / self.state.seconds if self.state.seconds else 0.0


def refuse_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A run may only be resumed with what it began with; the message lists what differs."""
    changed = [f"{key}: {before.get(key)!r} → {now.get(key)!r}" for key in sorted(before.keys() | now.keys())
               if before.get(key) != now.get(key)]  # fmt: skip
    if changed:
        raise TrainingError(f"this run cannot be resumed because its settings or data changed: {'; '.join(changed)}")
