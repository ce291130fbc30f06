"""Records that an ensemble has scored → its comparisons as arrays, and what its members' disagreement says of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from rewardsmith.evaluate.members.measures import MemberMargins, disagreement_of
from rewardsmith.progress import Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.model.scorer import Sequences


def rewards_and_columns(
    model: "RewardModel", sequences: "Sequence[Sequences]", progress: Progress, team: "Team | None"
) -> "tuple[list[np.ndarray], list[Mapping[str, np.ndarray]] | None]":
    """The rewards of all records, and the columns that the model gives beside them; None for a model without columns."""
    from rewardsmith.model.runtime.processes import ALONE
    from rewardsmith.model.scorer import outputs, score

    team, total = team or ALONE, len(sequences)
    if not model.columns:
        return list(score(model.network, sequences, total=total, progress=progress, team=team)), None
    with progress.task("scoring", total, "records") as task:
        found = []
        for one in outputs(model.network, sequences, model.head, team=team):
            task.advance()
            found.append(one)
    return [one.rewards for one in found], [one.columns for one in found]


def members_of(model: "RewardModel", columns: "Sequence[Mapping[str, np.ndarray]] | None") -> list[np.ndarray] | None:
    """(K, M) of an ensemble's members for each record; None for a single model."""
    if model.ensemble is None or columns is None:
        return None
    return [np.stack([one[name] for name in model.columns if name != "std"], axis=1) for one in columns]


@runtime_checkable
class ScoredRecords(Protocol):
    """Records with their rewards, and (K, M) of the members on one scale for each."""

    @property
    def records(self) -> Sequence[Record]:
        """The records."""

    @property
    def rewards(self) -> Sequence[np.ndarray]:
        """K rewards of each."""

    @property
    def members(self) -> Sequence[np.ndarray] | None:
        """The members' rewards; None for a single model."""


def disagreement(scored: ScoredRecords, validation: ScoredRecords | None) -> dict[str, Any]:
    """What `evaluation.json` says of the members under `disagreement`; {} for a single model."""
    if scored.members is None:
        return {}
    held = None if validation is None or validation.members is None else member_margins(validation)
    return {"disagreement": disagreement_of(member_margins(scored), validation=held).to_json()}


def member_margins(scored: ScoredRecords) -> MemberMargins:
    """All comparisons, in order."""
    margins, columns, labels, cluster = [], [], [], []
    prompts: dict[str, int] = {}
    for record, values, members in zip(scored.records, scored.rewards, scored.members or (), strict=True):
        for one in record.comparisons:
            margins.append(values[one.i] - values[one.j])
            columns.append(members[one.i] - members[one.j])
            labels.append((one.preference, one.weight))
            cluster.append(prompts.setdefault(record.prompt_id, len(prompts)))
    preference, weight = np.array(labels, dtype=np.float64).reshape(-1, 2).T
    return MemberMargins(
        np.array(margins, dtype=np.float64),
        np.array(columns, dtype=np.float64).reshape(len(margins), -1),
        preference,
        weight,
        np.array(cluster, dtype=np.int64),
    )
