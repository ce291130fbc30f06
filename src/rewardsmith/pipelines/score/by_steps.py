"""What a row gets from a model that judges the steps of a solution."""

from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.score.config import Config

if TYPE_CHECKING:
    from rewardsmith.model.heads.process import ProcessHead
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import RecordRewards

STEP_VALUES = "step_values"


def refuse_with_steps(config: Config, model: "RewardModel") -> None:
    """UsageError for a setting that has no meaning where a row is one solution with its steps."""
    from rewardsmith.model.heads.process import ProcessHead

    given = {"--best-of": config.best_of, "--per-token": config.per_token, "--calibrated": config.calibrated}
    flags = [flag for flag, is_given in given.items() if is_given]
    if flags and isinstance(model.head, ProcessHead):
        raise UsageError(f"{', '.join(flags)}: not used with a model trained with --head process; remove it")


def step_fields(head: "ProcessHead", values: "RecordRewards") -> dict[str, Any]:
    """`step_values`, the probability that each step is correct, and in `rewards` the one reward made of them."""
    from rewardsmith.evaluate.metrics import sigmoid

    return {"rewards": [head.reward(values)], STEP_VALUES: sigmoid(values).tolist()}
