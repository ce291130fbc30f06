"""`rewardsmith best-of-n`: the responses that a reward model ranks first, and training data made of them."""

from rewardsmith.pipelines.best_of_n.config import Config as Config
from rewardsmith.pipelines.best_of_n.pipeline import best_of_n
from rewardsmith.pipelines.best_of_n.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Score the candidates, choose, and write the folder; what a killed run finished is kept."""
    return best_of_n(config, progress)
