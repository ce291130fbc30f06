"""Language models from Python: trained on preferences."""

from pathlib import Path
from typing import Any

from rewardsmith.calls import ColumnNames, Data, columns, config_of, public
from rewardsmith.commands import dpo as dpo_command
from rewardsmith.commands import pairs as pairs_command
from rewardsmith.commands import self_reward as self_reward_command
from rewardsmith.data.loading.objects import sources_of
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress


@public(dpo_command.Config)
def dpo(
    model: str | Path,
    pairs: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> dpo_command.Result:
    """`rewardsmith dpo`: train a language model on preference pairs; a DPO run with the model in its folder `model`."""
    given = {"model": str(model), "pairs": sources_of(pairs, "pairs"), "output": output, "map": columns(map)}
    assert progress is not None
    return dpo_command.run(config_of(dpo_command.Config, given, settings), progress)


@public(pairs_command.Config)
def pairs(
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> pairs_command.Result:
    """`rewardsmith pairs`: write preference pairs chosen among scored candidates, which `train` and `dpo` read."""
    sources = sources_of(source, "source")
    if len(sources) != 1:
        raise UsageError(f"source: got {len(sources)} sources, expected one; call pairs for each of them")
    given = {"source": sources[0], "output": output, "map": columns(map)}
    assert progress is not None
    return pairs_command.run(config_of(pairs_command.Config, given, settings), progress)


@public(self_reward_command.Config)
def self_reward(
    model: str | Path,
    prompts: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> self_reward_command.Result:
    """`rewardsmith self-reward`: iterations of generating, scoring, pairing and training, and their ledger."""
    sources = sources_of(prompts, "prompts")
    if len(sources) != 1:
        raise UsageError(f"prompts: got {len(sources)} sources, expected one; join them in one file")
    given = {"model": str(model), "prompts": sources[0], "output": output, "map": columns(map)}
    assert progress is not None
    return self_reward_command.run(config_of(self_reward_command.Config, given, settings), progress)
