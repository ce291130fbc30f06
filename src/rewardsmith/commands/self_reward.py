"""`rewardsmith self-reward`: a language model that is trained on its own responses, judged by itself or by a reward."""

from rewardsmith.pipelines.self_reward.config import Config as Config
from rewardsmith.pipelines.self_reward.pipeline import self_reward
from rewardsmith.pipelines.self_reward.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Run the loop, or go on with one that was stopped."""
    return self_reward(config, progress)
