"""Trained models from Python: open, score a policy's tokens, join, average, calibrate, export."""

from collections.abc import Mapping, Sequence
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from rewardsmith.calls import ColumnNames, Data, columns, config_of, public, with_data
from rewardsmith.commands import calibrate as calibrate_command
from rewardsmith.commands import ensemble as ensemble_command
from rewardsmith.commands import export as export_command
from rewardsmith.commands import merge as merge_command
from rewardsmith.data.loading.objects import SPLIT_OF, is_splits, one_split, sources_of
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress
from rewardsmith.records import Message, Turns
from rewardsmith.settings.keywords import check_types
from rewardsmith.settings.values import shown

if TYPE_CHECKING:
    from rewardsmith.critique.model import CritiqueModel
    from rewardsmith.model.reward_model import RewardModel


class TokenIds(Protocol):
    """Token ids in one dimension: a tensor or an array."""

    def tolist(self) -> Any:
        """The ids as a list."""


@public()
def load_reward_model(path: str | Path, *, device: str = "auto") -> "RewardModel":
    """Open a reward model for scoring: a run folder, its model folder, or a hub name.

    One that was trained with `head="cloud"` is opened by `CritiqueModel.load`.
    """
    from rewardsmith.model.reward_model import RewardModel

    check_types({"path": (path, str), "device": (device, str)})
    return RewardModel.load(path, device=device)


@public()
def compute_reward(
    rm: "RewardModel | CritiqueModel",
    tok: Any,
    prompt: Turns,
    response_ids: Sequence[int] | TokenIds,
    device: str | None = None,
) -> float:
    """The raw reward of one generated response, for an RL loop.

    `tok` is the policy's tokenizer: it turns `response_ids` (a list or a one-dimensional tensor) into text, which is
    scored under the reward model's own contract, so policy and reward model may have different vocabularies. `prompt`
    is text or messages. `device` moves the reward model first if it lies elsewhere.
    """
    from rewardsmith.model.conversations import as_messages
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.devices import choose_device

    check_types({"device": (device, str | None)})
    if isinstance(response_ids, str):
        raise UsageError(f"response_ids: got {shown(response_ids)}, expected a list or a one-dimensional tensor of ids")
    if device is not None:
        (rm if isinstance(rm, RewardModel) else rm.inner).network.to(choose_device(device))
    ids = response_ids.tolist() if hasattr(response_ids, "tolist") else list(response_ids)
    text = tok.decode(ids, skip_special_tokens=True)
    return float(rm.score([(*as_messages(prompt, role="user"), Message("assistant", text))])[0])


@public(calibrate_command.Config)
def calibrate(
    model: str | Path,
    sources: Data = (),
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> calibrate_command.Result:
    """`rewardsmith calibrate`: probabilities, and rewards without their trend in length, fitted on held-out data.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default validation. The
    calibration is stored in a copy with `output`, in the model itself with `update`; with neither it is only measured.
    """
    if is_splits(sources):
        splits = cast(Mapping[str, Any], sources)
        default = "validation" if "validation" in roles_of(splits) else None
        sources = one_split(splits, settings.pop("split", None) or default)
    given = {"model": folder_of(model), "sources": sources_of(sources, "sources"), "map": columns(map)}
    assert progress is not None
    return calibrate_command.run(config_of(calibrate_command.Config, given, settings), progress)


def folder_of(model: Any) -> Any:
    """Where a model lies; UsageError for one that is open, since its files are needed."""
    if hasattr(model, "score_records"):
        raise UsageError(
            "model: got a model that is open, and its files are needed; write it with model.save(folder) and pass the folder"
        )
    return model


def roles_of(splits: Mapping[str, Any]) -> set[str]:
    """The splits that the names of a mapping stand for."""
    return {SPLIT_OF[name] for name in splits if name in SPLIT_OF}


@public(ensemble_command.Config)
def ensemble(
    members: Sequence[str | Path],
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> ensemble_command.Result:
    """`rewardsmith ensemble`: several reward models as one; `members` stay where they are.

    `combine` is the name of a rule, or a mapping: {"name": "mean-std", "std_weight": 2}.
    """
    kind = ensemble_command.Config
    given = {"members": places_of(members), "output": output, "map": columns(map)}
    assert progress is not None
    return ensemble_command.run(config_of(kind, given, with_data(kind, settings)), progress)


@public(merge_command.Config)
def merge(
    members: Sequence[str | Path],
    output: str | Path,
    *,
    data: Data = (),
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> merge_command.Result:
    """`rewardsmith merge`: one model with the average weights of `members`, measured beside them on `data`."""
    kind = merge_command.Config
    given = {"members": places_of(members), "output": output, "data": sources_of(data, "data"), "map": columns(map)}
    assert progress is not None
    return merge_command.run(config_of(kind, given, with_data(kind, settings)), progress)


def places_of(members: Any) -> Any:
    """The members as texts; one that stands alone is a list of one. What is neither is left to the check of types."""
    alone = [members] if isinstance(members, (str, Path)) else members
    return [fspath(one) if isinstance(one, Path) else one for one in alone] if isinstance(alone, Sequence) else alone


@public(export_command.Config)
def export(
    model: str | Path,
    output: str | Path,
    *,
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> export_command.Result:
    """`rewardsmith export`: write a model in the layout of another program, its values compared first."""
    given = {"model": folder_of(model), "output": output}
    assert progress is not None
    return export_command.run(config_of(export_command.Config, given, settings), progress)
