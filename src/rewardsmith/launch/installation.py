"""How this package was installed, and so which command adds one of its extras.

`pip install 'rewardsmith[lora]'` is right only where the package came from an index. Installed from a folder, a wheel or a
repository, pip would look for another rewardsmith; so the command names the very source. Installers record it in
`direct_url.json` beside the package's metadata (PEP 610, the "Direct URL Origin" specification of PyPA).
"""

import json
import os
import shlex
import shutil
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "rewardsmith"
CODE = Path(__file__).parents[1]


def install_command(extra: str) -> str:
    """The command that adds an extra of this package to the Python that runs."""
    return shlex.join([*installer(), *requirement(extra, checkout_of(CODE), installed())])


def installer() -> list[str]:
    """The words that call pip: its name where that is the pip of this Python, else a form that is."""
    if find_spec("pip") is None and shutil.which("uv"):
        return ["uv", "pip", "install", "--python", sys.executable]
    pip = shutil.which("pip")
    beside = pip is not None and Path(pip).parent == Path(sys.executable).parent
    return ["pip", "install"] if beside else [sys.executable, "-m", "pip", "install"]


def requirement(extra: str, checkout: Path | None, origin: Distribution | None) -> list[str]:
    """The words behind `pip install`.

    `checkout` is the folder of the project where its code runs from there; `origin` is what the package is installed as.
    """
    if checkout is not None:
        return ["-e", folder_with(extra, checkout)]
    url = direct_url(origin)
    if url is None:
        return [f"{NAME}[{extra}]"]
    place = local_path(url["url"])
    if place is None:
        return [f"{NAME}[{extra}] @ {address_of(url)}"]
    if not place.exists():  # deleted after the installation: what the extra consists of, then
        return packages_of(extra, origin)
    editable = ["-e"] if url.get("dir_info", {}).get("editable") else []
    return [*editable, folder_with(extra, place)]


def checkout_of(code: Path) -> Path | None:
    """The folder of the project whose `src` holds this very code; None where it runs from an installed copy."""
    root = code.parents[1]
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    here = code.parent.name == "src" and project.get("project", {}).get("name") == NAME
    return root if here else None


def installed() -> Distribution | None:
    """The metadata that this package was installed with; None where it was not installed."""
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        return None


def direct_url(origin: Distribution | None) -> dict[str, Any] | None:
    """The content of `direct_url.json`; None where the package came from an index, or where the file is damaged."""
    try:
        found = json.loads((origin.read_text("direct_url.json") if origin else None) or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else None


def local_path(url: str) -> Path | None:
    """The path of a `file:` address; None for any other."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def address_of(url: dict[str, Any]) -> str:
    """The address of an archive or of a repository at the commit that is installed, as pip takes it behind `@`."""
    vcs = url.get("vcs_info")
    address = f"{vcs['vcs']}+{url['url']}@{vcs['commit_id']}" if vcs else str(url["url"])
    folder = url.get("subdirectory")
    return f"{address}#subdirectory={folder}" if folder else address


def folder_with(extra: str, place: Path) -> str:
    """A folder or wheel with the extra behind it: `.[lora]` for the current folder."""
    is_here = place.is_dir() and os.path.realpath(place) == os.path.realpath(os.curdir)
    return f"{'.' if is_here else place}[{extra}]"


def packages_of(extra: str, origin: Distribution | None) -> list[str]:
    """The packages that an extra asks for, those of the extras that it includes too."""
    found: list[str] = []
    for line in (origin.requires if origin else None) or ():
        wanted, _, marker = line.partition(";")
        if f"extra == '{extra}'" not in marker.replace('"', "'"):
            continue
        inner = wanted.strip().removeprefix(f"{NAME}[").removesuffix("]")
        included = inner.split(",") if wanted.startswith(f"{NAME}[") else []
        found += [each for name in included for each in packages_of(name, origin)] or [wanted.strip()]
    return found
