"""`rewardsmith critique`: a critique of every response, from a local language model or an OpenAI-compatible API."""

from rewardsmith.pipelines.critique.writing import Config as Config
from rewardsmith.pipelines.critique.writing import Result as Result
from rewardsmith.pipelines.critique.writing import critique_source
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Write critiques of the responses of a source; the output appears whole or not at all, and finished ones are kept."""
    return critique_source(config, progress)
