"""`rewardsmith push`: upload a model with its card to the Hugging Face hub, privately unless asked otherwise."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.pipelines.publish.hub_names import check_hub_name
from rewardsmith.pipelines.publish.push import MESSAGE, Uploaded, push
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith push`."""

    model: Path
    """Run folder of train, or a model's folder."""
    name: str
    """Name on the hub, ORG/NAME; made if it is not there."""
    public: bool = False
    """Let everybody read it."""
    report: bool = False
    """Also upload the run's report, which quotes texts of the test data."""
    message: str = MESSAGE
    """Message of the commit on the hub."""

    def __post_init__(self) -> None:
        check_hub_name(self.name, "name")


Result = Uploaded


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Upload the model's folder; OutputError in one line where the hub does not take it, and nothing here is changed."""
    return push(
        config.model,
        config.name,
        public=config.public,
        report=config.report,
        message=config.message,
        progress=progress,
    )
