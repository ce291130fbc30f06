"""The one function that opens whatever stands in the place of MODEL."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.judge.wording.prompts import KINDS as JUDGE_KINDS
from rewardsmith.model.loading.folders import is_cloud
from rewardsmith.model.loading.locating import locate, may_be_on_hub
from rewardsmith.rewards.checked import CheckRewards
from rewardsmith.rewards.critiqued import CritiquedRewards
from rewardsmith.rewards.learned import ModelRewards
from rewardsmith.rewards.source import RewardSource, SourceKind
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.yaml_file import plain_values
from rewardsmith.verifiable.definition import KIND, is_definition, read_definition

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

KINDS: dict[str, SourceKind] = {KIND: "verifiable", **dict.fromkeys(JUDGE_KINDS, "judge")}
"""What a YAML file is, by its `kind`."""


def kind_of(name: str | Path) -> SourceKind:
    """What stands in the place of MODEL: a rewards file or a judge file by its `kind`, a folder of a model that writes
    critiques, everything else a model.

    UsageError for a YAML file of another kind. Nothing is opened but the file itself.
    """
    if isinstance(name, InMemory):
        return "critiqued" if hasattr(name.value, "critiqued") else "model"
    if not is_definition(str(name)):
        return "critiqued" if is_cloud(str(name)) else "model"
    path = Path(name)
    kind = plain_values(path.read_bytes(), path).get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{path}: kind is {kind!r}; expected {', '.join(KINDS)}")
    return KINDS[kind]


def check_place(name: str) -> None:
    """UsageError or ModelError for what cannot be opened, as far as that is known before anything is loaded: a wrong file, a
    name or folder that is not there. A Hub name is not looked up."""
    kind = kind_of(name)
    if kind == "judge":
        from rewardsmith.judge.definition import read_judge

        read_judge(Path(name))
    elif kind == "verifiable":
        read_definition(Path(name))
    elif not may_be_on_hub(name):
        locate(name)


def open_rewards(
    name: str | Path,
    *,
    device: str = "auto",
    dtype: str = "fp32",
    allow_mismatch: bool = False,
    trust_remote_code: bool = False,
    adjusted: "Callable[[RewardModel], RewardModel] | None" = None,
) -> RewardSource:
    """Open a model (a folder, a run, a name, an ensemble, one with critiques, one in memory), a rewards file, or a
    judge file.

    `adjusted` gets every reward model that is opened, and gives the one to use: an ensemble under another rule. ModelError,
    ContractError or UsageError where it cannot be opened.
    """

    given: dict[str, Any] = {"device": device, "dtype": dtype, "allow_mismatch": allow_mismatch}

    def model(place: str) -> RewardSource:
        if isinstance(place, InMemory) and kind_of(place) == "critiqued":
            return CritiquedRewards(place.value)
        if is_cloud(place):
            from rewardsmith.critique.model import CritiqueModel

            return CritiquedRewards(CritiqueModel.load(place, trust_remote_code=trust_remote_code, **given))
        from rewardsmith.model.reward_model import RewardModel

        opened = RewardModel.load(
            place, device=device, dtype=dtype, allow_mismatch=allow_mismatch, trust_remote_code=trust_remote_code
        )
        return ModelRewards(opened if adjusted is None else adjusted(opened))

    kind = kind_of(name)
    if kind in ("model", "critiqued"):
        return model(str(name) if isinstance(name, Path) else name)
    if kind == "judge":
        from rewardsmith.judge.definition import read_judge
        from rewardsmith.judge.judge import open_judge
        from rewardsmith.rewards.judged import JudgeRewards

        definition = read_judge(Path(name))
        return JudgeRewards(open_judge(definition, device=device, dtype=dtype, trust_remote_code=trust_remote_code))
    return CheckRewards(read_definition(Path(name)), model)
