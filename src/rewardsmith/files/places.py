"""Where rewardsmith keeps what it need not make again: installed models, and caches beside them."""

import os
from pathlib import Path


def models_folder() -> Path:
    """Where `rewardsmith models get` keeps models: `$REWARDSMITH_HOME/models`, else the user's cache."""
    home = os.environ.get("REWARDSMITH_HOME")
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else (Path(cache) if cache else Path.home() / ".cache") / "rewardsmith"
    return base / "models"
