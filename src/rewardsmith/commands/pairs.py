"""`rewardsmith pairs`: preference pairs from scored candidates, for `train` and `dpo`."""

from rewardsmith.pipelines.pairs.config import Config as Config
from rewardsmith.pipelines.pairs.pipeline import pair_source
from rewardsmith.pipelines.pairs.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Choose pairs among the responses of every prompt; the output appears whole or not at all."""
    return pair_source(config, progress)
