"""`rewardsmith version`: versions of rewardsmith and what it runs on."""

import platform
from dataclasses import dataclass
from typing import Any

from rewardsmith.progress import SILENT, Progress

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy", "scikit-learn", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith version`."""

    verbose: bool = False
    """Also the versions of the libraries, for bug reports."""


@dataclass(frozen=True)
class Result:
    """Version by name."""

    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Version by name."""
        return dict(self.versions)

    def to_text(self) -> str:
        """A line a name."""
        return "\n".join(f"{name} {version}" for name, version in self.versions.items())


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Look up the versions; nothing is imported for it."""
    from importlib.metadata import PackageNotFoundError, version

    from rewardsmith.version import VERSION

    versions = {"rewardsmith": VERSION}
    if config.verbose:
        versions |= {"python": platform.python_version(), "platform": platform.platform()}
        for package in PACKAGES:
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                versions[package] = "not installed"
    return Result(versions)
