"""`rewardsmith parity`: whether a running endpoint gives the rewards of a checkpoint, and if not, why."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.language import say
from rewardsmith.launch.redaction import redacted
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.hardware import check_device

if TYPE_CHECKING:
    from rewardsmith.pipelines.parity.pipeline import WayResult


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith parity`."""

    model: str
    """Reward model that the endpoint should serve: a folder, a run folder, or a Hub name."""
    url: str
    """Address of the endpoint, such as http://localhost:8000."""
    server: Literal["rewardsmith", "vllm", "sglang", "tei"] | None = None
    """Kind of server: rewardsmith, vllm, sglang, tei (default: found out from what it says of itself)."""
    served_model: str | None = None
    """Name of the model at the endpoint (default: its first one)."""
    key_file: Path | None = None
    """File with the API key of the endpoint (default: the environment variable REWARDSMITH_API_KEY)."""
    timeout: float = 60.0
    """Seconds that one request may take."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if not 0 < self.timeout < float("inf"):
            raise UsageError(f"--timeout {self.timeout}: expected a number above 0")


@dataclass(frozen=True)
class Result:
    """Each way to ask the endpoint; the command ends with 1 where one of them does not give the rewards of the model."""

    server: str
    ways: "tuple[WayResult, ...]"

    @property
    def exit_code(self) -> int:
        """0 where all agree."""
        return int(not all(way.agrees for way in self.ways))

    def to_json(self) -> Mapping[str, Any]:
        """`server` and `ways`."""
        return {"server": self.server, "ways": [way.to_json() for way in self.ways]}

    def to_text(self) -> str:
        """A line or two for each way."""
        lines = [say(f"server: {self.server}")]
        for way in self.ways:
            asked = f"{way.path} ({say(way.way)})"
            if way.error:
                lines.append(say(f"{asked}: no rewards: {way.error}"))
            elif way.agrees:
                lines.append(say(f"{asked}: same rewards, largest difference {way.difference:.2g}, n = {way.n}"))
            else:
                lines.append(say(f"{asked}: other rewards, largest difference {way.difference:.3g}, n = {way.n}"))
                lines.append("  " + say(f"likely cause: {way.cause}"))
        return "\n".join(lines)


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Ask, and compare."""
    from rewardsmith.client.exchange import KEY_VARIABLE
    from rewardsmith.generate.remote.endpoint import bearer, key_in
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.parity.asking import Asking
    from rewardsmith.pipelines.parity.pipeline import compare_endpoint

    if not config.url.startswith(("http://", "https://")):
        raise UsageError(f"{redacted(config.url)!r} is not an address; expected http://HOST:PORT or https://HOST:PORT")
    key = key_in(config.key_file) if config.key_file else os.environ.get(KEY_VARIABLE, "")
    headers = bearer(key, str(config.key_file or KEY_VARIABLE))
    asking = Asking(config.url, config.server, headers=headers, model=config.served_model, timeout=config.timeout)
    try:
        model = RewardModel.load(config.model, device=config.device, trust_remote_code=config.trust_remote_code)
        for remark in model.remarks():
            progress.note(remark)
        return Result(asking.kind, tuple(compare_endpoint(model, asking, progress)))
    finally:
        asking.close()
