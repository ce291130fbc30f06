"""`rewardsmith generate`: N responses to each prompt, from a local language model or an OpenAI-compatible API."""

from rewardsmith.pipelines.generate.config import Config as Config
from rewardsmith.pipelines.generate.pipeline import generate_source
from rewardsmith.pipelines.generate.result import Result as Result
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Generate candidates for every prompt; the output appears whole or not at all, and finished samples are kept."""
    return generate_source(config, progress)
