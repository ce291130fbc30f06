"""`rewardsmith models`: the embedded models; `models get NAME` is the only command that installs one."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from rewardsmith.language import say
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith models`."""

    action: Literal["list", "get"] = "list"
    """list what there is, or get one."""
    name: str | None = None
    """Which model to get: smollm2-135m or minilm-l6."""
    overwrite: bool = False
    """Install it again if it is there."""


@dataclass(frozen=True)
class Entry:
    """One embedded model: where its weights come from, and where it lies if it is installed."""

    name: str
    origin: str
    folder: str | None


@dataclass(frozen=True)
class Result:
    """All embedded models."""

    models: tuple[Entry, ...]

    def to_json(self) -> dict[str, Any]:
        """`models`: name, origin, folder (null where not installed)."""
        return {"models": [asdict(entry) for entry in self.models]}

    def to_text(self) -> str:
        """A line a model."""
        return "\n".join(
            f"{entry.name:14} {say(entry.folder or 'not installed')}\n{'':14} {say(entry.origin)}"
            for entry in self.models
        )


def run(config: Config, progress: Progress = SILENT) -> Result:
    """List the embedded models, installing one first if asked to."""
    from rewardsmith.errors import UsageError
    from rewardsmith.model.embedded import EMBEDDED_MODELS, install

    if config.action == "get":
        if config.name is None:
            raise UsageError(f"models get needs a name: {', '.join(EMBEDDED_MODELS)}")
        progress.note(f"installing {config.name} (about 100 MB to download, converted once)")
        progress.note(f"installed in {install(config.name, overwrite=config.overwrite)}")
    return Result(tuple(entries()))


def entries() -> list[Entry]:
    """Every embedded model and whether it is there."""
    from rewardsmith.model.embedded import EMBEDDED_MODELS
    from rewardsmith.model.locating import models_folder

    found = [Entry("tiny", "made from a config, nothing to install", "built in")]
    for name, entry in EMBEDDED_MODELS.items():
        folder = models_folder() / name
        found.append(Entry(name, entry.origin, str(folder) if (folder / "config.json").is_file() else None))
    return found
