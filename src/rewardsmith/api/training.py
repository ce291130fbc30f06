"""Training from Python: one run, a search of its settings, or how a run gains from more data."""

from pathlib import Path
from typing import Any

from rewardsmith.calls import ColumnNames, Data, config_of, public, training_config
from rewardsmith.commands import learning_curve as learning_curve_command
from rewardsmith.commands import train as train_command
from rewardsmith.commands import tune as tune_command
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress


@public(train_command.Config)
def train(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> train_command.Result:
    """`rewardsmith train`: train a reward model, evaluate and diagnose it.

    A mapping of splits (a DatasetDict) as `dataset` brings its train, validation and test splits.
    """
    if hasattr(model, "score_records"):
        raise UsageError(
            "model: got a model that is open, and training starts from files, which a resumed run opens again; write it "
            "with model.save(folder) and pass the folder"
        )
    assert progress is not None
    return train_command.train_all(
        training_config(train_command.Config, model, dataset, output, map, settings), progress
    )


@public(tune_command.Config)
def tune(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> tune_command.Result:
    """`rewardsmith tune`: search the settings of `train`; `find_learning_rate` is its --lr-only.

    Every option of `train` holds in all trials. A mapping of splits (a DatasetDict) as `dataset` brings its splits.
    """
    assert progress is not None
    return tune_command.tune(training_config(tune_command.Config, model, dataset, output, map, settings), progress)


@public(train_command.Config)
def find_learning_rate(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> tune_command.RatesResult:
    """`rewardsmith tune --lr-only`: a learning rate from a range test; the model on disk is only read."""
    assert progress is not None
    return tune_command.find_rate(
        training_config(train_command.Config, model, dataset, output, map, settings), progress
    )


@public(learning_curve_command.Config)
def learning_curve(
    run: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> learning_curve_command.Result:
    """`rewardsmith learning-curve`: what more training data would give; trains runs on fractions of the data of `run`.

    `curve` of the result is what learning_curve.json holds. A second call with the same settings continues.
    """
    assert progress is not None
    return learning_curve_command.run(config_of(learning_curve_command.Config, {"run": run}, settings), progress)
