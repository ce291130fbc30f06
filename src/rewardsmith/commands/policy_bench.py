"""`rewardsmith policy-bench`: what becomes of the gold reward when a policy is optimised against a reward model."""

from rewardsmith.pipelines.policy_bench.config import Config as Config
from rewardsmith.pipelines.policy_bench.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Train tiny policies against the reward model and report; finished runs of an interrupted bench are kept."""
    from rewardsmith.pipelines.policy_bench.pipeline import policy_bench

    return policy_bench(config, progress)
