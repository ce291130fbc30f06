"""What rewards are used for, from Python: choosing among responses, and what optimising against them does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.calls import ColumnNames, Data, columns, config_of, opened_model, public
from rewardsmith.commands import best_of_n as best_of_n_command
from rewardsmith.commands import monitor as monitor_command
from rewardsmith.commands import policy_bench as policy_bench_command
from rewardsmith.data.loading.objects import sources_of
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress
from rewardsmith.settings.in_memory import InMemory

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


@public(best_of_n_command.Config)
def best_of_n(
    model: "str | Path | RewardModel",
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> best_of_n_command.Result:
    """`rewardsmith best-of-n`: the responses that a reward model ranks first, and SFT and KTO data made of them.

    `model` is a folder, a name, a rewards file or an open model. The rows are written to the folder `output`; `to_json()`
    of the result has the counts and the curve over n.
    """
    kind = best_of_n_command.Config
    sources = sources_of(source, "source")
    if len(sources) != 1:
        raise UsageError(f"source: got {len(sources)} sources, expected one; call best_of_n for each of them")
    given = {"model": opened_model(model, kind, settings), "source": sources[0], "output": output, "map": columns(map)}
    assert progress is not None
    return best_of_n_command.run(config_of(kind, given, settings), progress)


@public(policy_bench_command.Config)
def policy_bench(
    output: str | Path,
    model: "str | Path | RewardModel | None" = None,
    *,
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> policy_bench_command.Result:
    """`rewardsmith policy-bench`: tiny policies optimised against a reward model where the gold reward is known.

    Without `model` the bench trains small reward models of its own. The logs and the page are written to `output`.
    """
    kind = policy_bench_command.Config
    given = {"output": output, "model": None if model is None else opened_model(model, kind, settings)}
    assert progress is not None
    return policy_bench_command.run(config_of(kind, given, settings), progress)


@public(monitor_command.Config)
def monitor(
    log: "str | Path | Sequence[Mapping[str, Any]]",
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> monitor_command.Result:
    """`rewardsmith monitor`: an alarm for reward hacking from the log of a run.

    `log` is a file, or rows as a training loop has them (a callback may pass `trainer.state.log_history`). `map` names
    the columns of signals: {"kl": "objective/kl"}.
    """
    kind = monitor_command.Config
    place = str(log) if isinstance(log, (str, Path)) else InMemory("rows in memory", list(log))
    renames = tuple(f"{name}={column}" for name, column in map.items()) if isinstance(map, Mapping) else tuple(map)
    assert progress is not None
    return monitor_command.run(config_of(kind, {"log": place, "map": renames}, settings), progress)
