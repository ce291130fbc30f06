"""Where rewardsmith keeps what it need not make again: installed models, and caches beside them; what `~` stands for."""

import contextlib
import difflib
import os
from pathlib import Path

NOWHERE = Path(os.devnull)
"""Where nothing is and nothing can be kept."""


def models_folder() -> Path:
    """Where `rewardsmith models get` keeps models: `$REWARDSMITH_HOME/models`, else the user's cache."""
    home = os.environ.get("REWARDSMITH_HOME")
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else (Path(cache) if cache else (user_home() or NOWHERE) / ".cache") / "rewardsmith"
    return base / "models"


def user_home() -> Path | None:
    """The user's home; None for a user without one, as a container may run with."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def expanded(name: str) -> Path:
    """A path with `~` for a home, as it is where something has that name, or nobody has such a home."""
    path = Path(name)
    with contextlib.suppress(RuntimeError):
        return path if path.exists() else path.expanduser()
    return path


def near_name(path: Path) -> Path | None:
    """What lies in the same folder as a path that is not there, under almost the same name; None where nothing does."""
    try:
        names = os.listdir(path.parent)
    except (OSError, ValueError):
        return None
    found = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return path.parent / found[0] if found else None
