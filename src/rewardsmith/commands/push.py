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
    """Run folder of train, or a model folder."""
    name: str
    """Hub repository ORG/NAME; created if it does not exist."""
    public: bool = False
    """Make the repository public."""
    report: bool = False
    """Also upload the report of the run, which quotes texts of the test data."""
    message: str = MESSAGE
    """Commit message on the Hub."""

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
