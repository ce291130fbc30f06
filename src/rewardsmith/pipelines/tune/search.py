"""What of a search runs when: trials that a killed process left first, then new ones, until the budget is used."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.files.reading import read_object
from rewardsmith.parallel.processes import usable_cores
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.pipelines.tune.config import TRIALS, Config
from rewardsmith.pipelines.tune.crew import Seat, TrialCrew
from rewardsmith.pipelines.tune.messages import Done, FailedTrial, Pruned, TrialJob
from rewardsmith.pipelines.tune.space import Parameter, Value, defaults_in, grid, kind_of
from rewardsmith.pipelines.tune.study import AskedTrial, Study
from rewardsmith.pipelines.tune.trials import Metric, Trial, Trials, figures_at, four
from rewardsmith.progress import Progress, Task
from rewardsmith.settings.fields import build, values_of

if TYPE_CHECKING:
    from rewardsmith.pipelines.tune.crew import Message
    from rewardsmith.train.held_out import ValidationPass

DEFAULTS = 0
"""The number of the trial with the settings as they are without a search; it is never stopped early."""
ALL_FAILED = 3
"""So many trials that failed, and none that did not, end the search."""
NOT_OF_THE_TRIAL = ("UsageError", "DataError", "ContractError", "ModelError", "OutputError", "MissingExtraError")
"""Errors of the first trial that every other one would have too."""
OF_MEMORY = ("OutOfMemoryError", "MemoryError")
MEASURED = ("data_train", "data_validation")
"""Hashes in a run's settings.json that are the same in every trial."""


class TrialSearch:
    """The trials of one folder and the processes that train them."""

    def __init__(self, config: Config, space: Sequence[Parameter], study: Study, trials: Trials) -> None:
        self.config, self.space, self.study, self.trials = config, space, study, trials
        self.metric: Metric = config.chosen_metric()
        self.crew = TrialCrew(config.jobs)
        self.limit = limit_of(config, space)
        self.started = time.monotonic()
        self.begun: dict[int, float] = {}
        self.left: list[AskedTrial] = []

    def run(self, progress: Progress) -> None:
        """Train until the budget is used; an interrupt lets every training write a checkpoint first."""
        self.left = [asked for asked in self.study.unfinished() if not self.settle(asked.number)]
        try:
            with progress.task("trials", self.limit, "trials") as task:
                task.advance(len(self.trials.found) - len(self.left))
                while self.hand_out(task, progress) or self.crew.busy:
                    for seat, message in self.crew.listen():
                        self.heard(seat, message, task, progress)
        finally:
            self.crew.end()

    def settle(self, number: int) -> bool:
        """Give back a trial that was written down as finished just before the process died."""
        trial = self.trials.found.get(number)
        if trial is None or trial.state == "running":
            return False
        self.study.finish(number, trial.state, trial.value(self.metric))
        return True

    def hand_out(self, task: Task, progress: Progress) -> bool:
        """Give every free seat a trial while the budget lasts; whether there was any to give."""
        given = False
        while (seat := self.crew.free) is not None and (asked := self.next_trial()) is not None:
            given = True
            trial = self.trials.found.setdefault(asked.number, Trial(asked.number, dict(asked.values)))
            self.begun[trial.number] = time.monotonic() - trial.seconds
            self.trials.save()
            try:
                config = trial_config(self.config, self.trials.place(trial.number), trial)
            except UsageError as error:  # values that exclude each other
                self.close(trial, FailedTrial("UsageError", str(error), error), task, progress)
                continue
            self.crew.give(seat, trial.number, TrialJob(config, resume=True, device=seat.place))
        return given

    def next_trial(self) -> AskedTrial | None:
        """One that was left unfinished, the defaults, or what the sampler draws; None where the budget is used."""
        if self.left:
            return self.left.pop(0)
        minutes = (time.monotonic() - self.started) / 60
        if self.config.minutes is not None and minutes >= self.config.minutes and self.trials.found:
            return None
        if self.limit is not None and self.study.count >= self.limit:
            return None
        outside = self.study.count == DEFAULTS and default_values(self.config, self.space) is None
        return self.study.ask(defaults=outside)

    def heard(self, seat: Seat, message: "Message", task: Task, progress: Progress) -> None:
        """Take one message of a trial."""
        assert seat.number is not None
        trial = self.trials.found[seat.number]
        trial.seconds = time.monotonic() - self.begun[trial.number]
        if isinstance(message, Done | FailedTrial | Pruned):
            seat.number = None
            if isinstance(message, FailedTrial) and message.kind in OF_MEMORY and seat.worker is not None:
                self.crew.dismiss(seat)  # what fills its memory goes with it
            self.close(trial, message, task, progress)
        else:
            self.crew.answer(seat, self.passed(trial, message))

    def close(self, trial: Trial, message: "Done | FailedTrial | Pruned", task: Task, progress: Progress) -> None:
        """A trial came to its end, whatever end."""
        self.ended(trial, message)
        task.advance()
        progress.note(self.told(trial))
        self.go_on_or_raise(trial, message)

    def passed(self, trial: Trial, passed: "ValidationPass") -> bool:
        """A validation pass: write down what it found; whether the trial goes on."""
        if trial.take(passed):
            self.trials.keep_margins(trial.number, passed)
        self.trials.save()
        value = passed.figures["eval_accuracy" if self.metric == "accuracy" else "eval_loss"]
        worse = self.study.report(trial.number, trial.passes, value)
        return trial.number == DEFAULTS or not worse

    def ended(self, trial: Trial, message: "Done | FailedTrial | Pruned") -> None:
        """Write down how a trial ended: first in our file, then in the study."""
        if isinstance(message, FailedTrial):
            trial.state, trial.reason, trial.trace = "failed", message.reason, message.trace
        elif isinstance(message, Pruned):
            trial.state = "pruned"
        else:
            self.completed(trial, message)
        self.trials.save()
        self.study.finish(trial.number, trial.state, trial.value(self.metric))  # type: ignore[arg-type]
        if self.config.keep_trials is not None:
            best = self.trials.ranked(self.metric)[: self.config.keep_trials]
            self.trials.drop_weights([DEFAULTS, *(one.number for one in best)])

    def completed(self, trial: Trial, done: Done) -> None:
        """The figures of the weights that were kept, from the run's own files: a pass may have been told to nobody."""
        trial.state, trial.step = "complete", done.summary["best_step"]
        found = None if trial.step is None else figures_at(self.trials.place(trial.number), trial.step)
        if found is None or found.get(f"eval_{self.metric}") is None:
            trial.state, trial.reason = "failed", f"no validation {self.metric} was measured"
            return
        trial.accuracy, trial.loss = found.get("eval_accuracy"), found["eval_loss"]
        first = next((one for one in self.trials.of_state("complete") if one is not trial), None)
        if first is not None and self.data_of(first) != self.data_of(trial):
            trial.state, trial.reason = "failed", "the data changed since the search began, so it cannot be compared"

    def data_of(self, trial: Trial) -> list[str]:
        """What the trial was trained and validated on, as hashes."""
        settings = read_object(self.trials.place(trial.number) / "settings.json")
        return [str(settings.get(name)) for name in MEASURED]

    def go_on_or_raise(self, trial: Trial, message: "Message") -> None:
        """Raise what would go wrong in every trial."""
        if trial.state != "failed" or self.trials.of_state("complete") or self.trials.of_state("pruned"):
            return
        if trial.number == DEFAULTS and isinstance(message, FailedTrial) and message.kind in NOT_OF_THE_TRIAL:
            raise message.error or TrainingError(message.reason)
        failed = self.trials.of_state("failed")
        if len(failed) >= ALL_FAILED:
            raise TrainingError(f"the first {len(failed)} trials failed, the last one with: {trial.reason}")

    def told(self, trial: Trial) -> str:
        """How a trial ended, in one line."""
        number, values = trial.number, trial.told()
        if trial.state == "failed":
            return f"trial {number} failed: {trial.reason} ({values})"
        loss, right = four(trial.loss), four(trial.accuracy)
        if trial.state == "pruned":
            return f"trial {number} stopped after {trial.passes} validation passes, loss {loss}, accuracy {right} ({values})"
        if self.trials.ranked(self.metric)[0] is trial:
            return f"trial {number} is the best so far: validation loss {loss}, accuracy {right} ({values})"
        return f"trial {number}: validation loss {loss}, accuracy {right} ({values})"


def limit_of(config: Config, space: Sequence[Parameter]) -> int | None:
    """The number of trials, the one with the defaults counted; None where only time bounds the search."""
    if config.trials is not None:
        return config.trials
    if config.sampler == "grid":
        combinations, defaults = grid(space), default_values(config, space)
        return len(combinations) + (defaults is None or defaults not in combinations)
    return None if config.minutes is not None else TRIALS


def default_values(config: Config, space: Sequence[Parameter]) -> dict[str, Value] | None:
    """What the searched settings are without a search; None where the space does not hold it."""
    from rewardsmith.train.schedule import LEARNING_RATES

    kind = kind_of(config)
    return defaults_in(space, config.training(), LEARNING_RATES["head" if kind == "probe" else kind])


def trial_config(config: Config, place: Path, trial: Trial) -> TrainConfig:
    """The settings of one trial: an ordinary run without a look at the test split."""
    settings = with_values(config, trial.values)
    threads = config.threads or (max(1, usable_cores() // config.jobs) if config.jobs > 1 else None)
    name = f"{config.output.resolve().name}-{trial.number:03d}" if config.track else None
    return replace(settings, output=place, resume=False, overwrite=False, report=False, threads=threads, run_name=name)


def with_values(config: Config, values: "dict[str, Value]") -> TrainConfig:
    """The settings of `train` with some of them replaced; UsageError where they exclude each other."""
    return build(TrainConfig, values_of(config.training()) | values)
