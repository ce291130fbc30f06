"""What a model is worth, from Python: rewards, figures, verdicts and comparisons."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import orjson

from rewardsmith.calls import ColumnNames, Data, columns, config_of, opened_model, public, with_data
from rewardsmith.commands import audit as audit_command
from rewardsmith.commands import compare as compare_command
from rewardsmith.commands import diagnose as diagnose_command
from rewardsmith.commands import evaluate as evaluate_command
from rewardsmith.commands import judge as judge_command
from rewardsmith.commands import score as score_command
from rewardsmith.commands import verify as verify_command
from rewardsmith.data.loading.objects import is_splits, one_split, sources_of, together
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


@public(evaluate_command.Config)
def evaluate(
    model: "str | Path | RewardModel",
    sources: Data = (),
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> evaluate_command.Result:
    """`rewardsmith evaluate`: how good a reward model is on some data, with intervals and baselines.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test. With
    `benchmark` the sources are its files, and may be left out where it is on the hub.
    """
    kind = evaluate_command.Config
    given, settings = of_model_on_data(kind, model, sources, map, with_data(kind, settings))
    assert progress is not None
    return evaluate_command.run(config_of(kind, given, settings), progress)


@public(audit_command.Config)
def audit(
    model: "str | Path | RewardModel",
    sources: Data = (),
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> audit_command.Result:
    """`rewardsmith audit`: what a reward model rewards besides quality, and whether rewards depend on how they are computed.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test; without `sources`
    conformance alone is checked. Nothing is written without `output`, unless `model` is a run folder.
    """
    kind = audit_command.Config
    given, settings = of_model_on_data(kind, model, sources, map, settings)
    assert progress is not None
    return audit_command.run(config_of(kind, given, settings), progress)


def of_model_on_data(
    kind: type, model: Any, sources: Data, map: ColumnNames, settings: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(model, sources and map as their settings, the other settings); of splits, the one named by `split` is taken."""
    if is_splits(sources):
        sources = one_split(cast(Mapping[str, Any], sources), settings.pop("split", None))
    named = () if isinstance(sources, tuple) and not sources else sources_of(sources, "sources")
    return {"model": opened_model(model, kind, settings), "sources": named, "map": columns(map)}, settings


@overload
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]]: ...


@overload
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> score_command.Result: ...


@public(score_command.Config)
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: str | Path | None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]] | score_command.Result:
    """`rewardsmith score`: rewards for pairs, rankings or single responses.

    Without `output`, returns each row with its `rewards`, as the lines of the file would be, in the order of the source.
    """
    kind = score_command.Config
    sources = sources_of(source, "source")
    if len(sources) != 1 and not is_splits(source):
        raise UsageError(f"source: got {len(sources)} sources, expected one; call score for each of them")
    given = {
        "model": opened_model(model, kind, settings),
        "source": sources[0] if len(sources) == 1 else together(sources),
        "map": columns(map),
    }
    assert progress is not None
    if output is not None:
        return score_command.run(config_of(kind, given, settings, {"output": output}), progress)
    with tempfile.TemporaryDirectory(prefix="rewardsmith-score-") as folder:
        written = Path(folder) / "scored.jsonl"
        score_command.run(config_of(kind, given, settings, {"output": written}), progress)
        return [orjson.loads(line) for line in written.read_bytes().splitlines()]


@public(judge_command.Config)
def judge(
    judge: str | Path,
    sources: Data,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> judge_command.Result:
    """`rewardsmith judge`: what a language model says of responses, how consistent and how right it is, and preference data.

    `judge` is a judge file. With `output` each record is written with all answers, with `label` as preference data.
    """
    given = {"judge": judge, "sources": sources_of(sources, "sources"), "map": columns(map)}
    assert progress is not None
    return judge_command.run(config_of(judge_command.Config, given, settings), progress)


@public(diagnose_command.Config)
def diagnose(
    run: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> diagnose_command.Result:
    """`rewardsmith diagnose`: the verdict on a run folder, and its report."""
    assert progress is not None
    return diagnose_command.run(config_of(diagnose_command.Config, {"run": run}, settings), progress)


@public(compare_command.Config)
def compare(
    a: str | Path, b: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> compare_command.Result:
    """`rewardsmith compare`: a paired test between two evaluated runs."""
    assert progress is not None
    return compare_command.run(config_of(compare_command.Config, {"a": a, "b": b}, settings), progress)


@public(verify_command.Config)
def verify(
    place: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> verify_command.Result:
    """`rewardsmith verify`: whether a run or a model is unchanged since it was written."""
    assert progress is not None
    return verify_command.run(config_of(verify_command.Config, {"place": place}, settings), progress)
