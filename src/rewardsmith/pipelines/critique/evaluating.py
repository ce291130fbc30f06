"""Any opened model on records: rewards, and the evaluation of them; a critiqued one writes its critiques first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rewardsmith.critique.model import CritiqueModel
from rewardsmith.model.loading.folders import is_cloud
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.evaluate import by_source
from rewardsmith.pipelines.evaluate.evaluation import Evaluation, Scored, evaluate_records, score_all
from rewardsmith.pipelines.evaluate.judged_columns import with_columns
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.critiqued import CritiquedRewards

if TYPE_CHECKING:
    from rewardsmith.model.runtime.processes import Team


def reward_network_of(path: str, *, device: str) -> RewardModel:
    """Any model, opened with the checks of its folder; of one that writes critiques what reads the reward behind them."""
    return CritiqueModel.load(path, device=device).inner if is_cloud(path) else RewardModel.load(path, device=device)


def scored_by(
    model: RewardModel | CritiqueModel,
    records: Sequence[Record],
    progress: Progress = SILENT,
    *,
    team: "Team | None" = None,
) -> Scored:
    """Rewards of all records that the contract can render; how many critiques were cut is noted."""
    if isinstance(model, RewardModel):
        return score_all(model, records, progress, team=team)
    source = CritiquedRewards(model)
    scored = by_source.scored_by(source, records, progress)
    for line in source.lines():
        progress.note(line)
    return scored


def evaluated_by(
    model: RewardModel | CritiqueModel,
    records: Sequence[Record],
    *,
    judged: Sequence[Record],
    progress: Progress,
    team: "Team | None" = None,
    **given: Any,
) -> Evaluation:
    """`evaluate_records`, with the columns of a model that has such on the records as they were `judged`.

    No training records are scored beside where each would need its critiques: what they tell is left out.
    """
    if isinstance(model, CritiqueModel):
        scored = scored_by(model, records, progress)
        return evaluate_records(model.inner, scored, **{**given, "trained_on": ()}, progress=progress)
    scored = score_all(model, records, progress, team=team)
    found = evaluate_records(model, scored, **given, progress=progress, team=team)
    return with_columns(found, scored, records, judged)
