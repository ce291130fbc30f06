"""`rewardsmith serve`: a reward server for its own clients and for those of other programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.errors import MissingExtraError
from rewardsmith.language import say
from rewardsmith.launch.installation import install_command
from rewardsmith.pipelines.serving.config import Config as Config
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True)
class Result:
    """What was served: requests by status, and texts by model."""

    requests: Mapping[str, int]
    texts: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Both counts."""
        return {"requests": dict(self.requests), "texts": dict(self.texts)}

    def to_text(self) -> str:
        """One line for both."""
        by_status = ", ".join(f"{status} × {count}" for status, count in sorted(self.requests.items()))
        scored = say(f"stopped; texts scored: {sum(self.texts.values())}")
        return scored + (say(f"; requests by status: {by_status}") if by_status else "")


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Serve until a signal."""
    try:
        from rewardsmith.pipelines.serving.pipeline import served_until_signal
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "uvicorn", "starlette", "pydantic", "h11"):
            raise
        raise MissingExtraError(
            f"serving needs the package {error.name}; install it with: {install_command('serve')}"
        ) from error
    found = served_until_signal(config, progress)
    return Result(found.requests, found.texts)
