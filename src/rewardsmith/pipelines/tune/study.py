"""The search as Optuna keeps it: which trial comes next, what was reported, which trial to stop, in `study.db`.

Only this module knows Optuna. A trial is taken with `ask` and given back with `finish`; one that was taken by a process
that is gone is found by `unfinished`. The sampler is seeded anew for every trial by its number, so that a search that was
killed and continued draws what it would have drawn.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rewardsmith.errors import DataError, MissingExtraError
from rewardsmith.launch.installation import install_command
from rewardsmith.pipelines.tune.space import Parameter, Value, word_of

if TYPE_CHECKING:
    import optuna

NAME = "rewardsmith"
FILE = "study.db"
RANDOM_TRIALS = 5
"""Trials that are drawn at random before the estimator is asked, and that must be done before one is pruned."""
ENOUGH = 4
"""Completed trials from which on an importance is estimated."""

Sampler = Literal["tpe", "random", "grid"]
Pruner = Literal["median", "hyperband", "none"]
State = Literal["complete", "pruned", "failed"]


def require_optuna() -> None:
    """MissingExtraError where Optuna is not installed."""
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise MissingExtraError(f"tune needs the package optuna; install it with: {install_command('tune')}")


@dataclass(frozen=True)
class AskedTrial:
    """A trial to train: its number, and the values of the searched settings ({}: the defaults, which lie outside)."""

    number: int
    values: Mapping[str, Value]


class Study:
    """A study in a folder; `passes` are the validation passes of a trial that is not pruned."""

    def __init__(
        self,
        folder: Path,
        space: Sequence[Parameter],
        *,
        sampler: Sampler,
        pruner: Pruner,
        seed: int,
        maximize: bool,
        passes: int,
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space, self.sampler, self.seed = tuple(space), sampler, seed
        self.path = folder / FILE
        self.study = opened(
            optuna.create_study,
            self.path,
            study_name=NAME,
            storage=f"sqlite:///{self.path.resolve()}",
            direction="maximize" if maximize else "minimize",
            pruner=pruner_of(pruner, passes),
            load_if_exists=True,
        )
        self.distributions = {parameter.key: distribution_of(parameter) for parameter in self.space}
        self.taken: dict[int, optuna.Trial] = {}

    def enqueue(self, combinations: Sequence[Mapping[str, Value]]) -> None:
        """Let these come next, in this order."""
        for values in combinations:
            self.study.enqueue_trial({key: stored(value) for key, value in values.items()})

    def ask(self, *, defaults: bool = False) -> AskedTrial:
        """Take the next trial; with `defaults` one without values, whose settings lie outside the space."""
        self.study.sampler = sampler_of(self.sampler, self.seed + len(self.study.get_trials(deepcopy=False)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a feature of Optuna may change
            trial = self.study.ask() if defaults else self.study.ask(self.distributions)
        self.taken[trial.number] = trial
        return AskedTrial(trial.number, self.values_of(trial.params))

    def unfinished(self) -> list[AskedTrial]:
        """The trials that were taken and not given back, taken again."""
        import optuna

        found = self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        for frozen in found:
            self.taken[frozen.number] = optuna.Trial(self.study, frozen._trial_id)
        return [AskedTrial(frozen.number, self.values_of(frozen.params)) for frozen in found]

    def values_of(self, params: Mapping[str, Any]) -> dict[str, Value]:
        """Optuna's parameters as values of the settings."""
        found = {}
        for parameter in self.space:
            if parameter.key in params:
                back = {stored(choice): choice for choice in parameter.choices}
                value = params[parameter.key]
                found[parameter.key] = back[value] if parameter.choices else parameter.typed(value)
        return found

    def report(self, number: int, step: int, value: float) -> bool:
        """Report a validation pass; whether the trial is worse than others were at that point and shall stop."""
        trial = self.taken[number]
        if step not in self.study.get_trials(deepcopy=False)[number].intermediate_values:
            trial.report(value, step)  # a resumed run may pass here a second time
        return trial.should_prune()

    def finish(self, number: int, state: State, value: float | None) -> None:
        """Give a trial back. One that failed counts as pruned for Optuna, which then keeps away from its settings."""
        from optuna.trial import TrialState

        trial = self.taken.pop(number)
        self.study.tell(
            trial,
            values=value if state == "complete" else None,
            state=TrialState.COMPLETE if state == "complete" else TrialState.PRUNED,
        )

    @property
    def count(self) -> int:
        """Trials that were taken so far."""
        from optuna.trial import TrialState

        return sum(trial.state != TrialState.WAITING for trial in self.study.get_trials(deepcopy=False))

    def importance(self) -> dict[str, float]:
        """The share of each searched setting in the variance of the value over the completed trials; sums to 1.

        fANOVA: a random forest over the settings, its variance taken apart into main effects (Hutter, Hoos and
        Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter Importance"). Empty where fewer than ENOUGH
        trials were completed, or their values are equal.
        """
        import optuna
        from optuna.importance import FanovaImportanceEvaluator

        done = self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        varied = varied_keys([trial.params for trial in done if trial.params])
        if not varied or len({trial.value for trial in done}) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(
                self.study, evaluator=FanovaImportanceEvaluator(seed=self.seed), params=varied
            )
        return {key: float(share) for key, share in found.items()}


def varied_keys(drawn: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that had more than one value; none where fewer than ENOUGH trials tell."""
    if len(drawn) < ENOUGH:
        return []
    return [key for key in drawn[0] if len({str(params[key]) for params in drawn}) > 1]


def opened(create: Any, path: Path, **settings: Any) -> "optuna.Study":
    """The study, new or as it was left; DataError where its file is damaged."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        study: optuna.Study = create(**settings)
    except SQLAlchemyError as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}); start the search again with --overwrite"
        ) from error
    return study


def stored(value: Value) -> Any:
    """A choice as Optuna keeps it: lists as one word."""
    return word_of(value) if isinstance(value, tuple) else value


def distribution_of(parameter: Parameter) -> "optuna.distributions.BaseDistribution":
    """What Optuna draws from for a setting."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.choices:
        return CategoricalDistribution([stored(choice) for choice in parameter.choices])
    if parameter.whole:
        step = 1 if parameter.step is None else round(parameter.step)
        return IntDistribution(round(parameter.low), round(parameter.high), log=parameter.log, step=step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def sampler_of(name: Sampler, seed: int) -> "optuna.samplers.BaseSampler":
    """The sampler; the combinations of a grid are enqueued, so that it draws only what lies beyond them."""
    from optuna.samplers import RandomSampler, TPESampler

    if name == "tpe":
        return TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
    return RandomSampler(seed=seed)


def pruner_of(name: Pruner, passes: int) -> "optuna.pruners.BasePruner":
    """The pruner; a resource is a validation pass."""
    from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

    if name == "median":
        return MedianPruner(n_startup_trials=RANDOM_TRIALS)
    if name == "hyperband":
        return HyperbandPruner(min_resource=1, max_resource=max(2, passes))
    return NopPruner()
