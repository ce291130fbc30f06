"""Where a model and its data come from, as a checkpoint and its card may tell strangers: hub names, never paths."""

import re
from collections.abc import Sequence
from typing import Any

from rewardsmith.errors import UsageError
from rewardsmith.files.places import expanded

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def origin_of(model: str, dataset: Sequence[str]) -> dict[str, Any]:
    """`base_model` {name, hub, license} and `datasets` [{name, hub}]; hub and license are None where not known."""
    return {"base_model": model_origin(model), "datasets": [source_origin(source) for source in dataset]}


def model_origin(name: str) -> dict[str, Any]:
    """The origin of a model named as on the command line; an embedded one tells whose weights it holds."""
    from rewardsmith.model.loading.embedded import EMBEDDED_MODELS

    if name in EMBEDDED_MODELS:
        found = re.match(r"(\S+/\S+) \(([^)]+)\)", EMBEDDED_MODELS[name].origin)
        hub, license_name = found.groups() if found else (None, None)
        return {"name": name, "hub": hub, "license": license_name}
    return {**source_origin(name), "license": None}


def source_origin(name: str) -> dict[str, Any]:
    """The origin of a source: the name on the hub, or the last part of a path, which tells nobody's folders."""
    path = expanded(name)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and not path.exists():
        return {"name": name, "hub": name}
    return {"name": path.resolve().name if path.exists() else path.name, "hub": None}


def check_hub_name(name: str | None, flag: str) -> None:
    """UsageError unless the name can be that of a repository on the hub (None: none was given)."""
    if name is None:
        return
    if not HUB_NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith((".git", ".", "-")):
        raise UsageError(f"{flag} {name}: expected ORG/NAME, in letters, digits, '-', '_' and '.'")
