"""Where a model lies: an embedded name, a folder, or a hub name to the folder that holds its files."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from rewardsmith.errors import ModelError, UsageError
from rewardsmith.files.manifest import read_manifest
from rewardsmith.files.places import expanded, models_folder, near_name

EMBEDDED = ("tiny", "smollm2-135m", "minilm-l6", "e5-multilingual")
HUB_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.py")


def locate(name: str) -> str:
    """The folder of an embedded model, a folder as it is, or the local copy of a hub model; anything else is refused."""
    if name in EMBEDDED:
        folder = models_folder() / name
        if not (folder / "config.json").is_file():
            raise ModelError(f"model {name!r} is not installed; run: rewardsmith models get {name}")
        return str(folder)
    folder = expanded(name)
    if folder.is_dir():
        inner = folder / "model"
        if not (folder / "config.json").is_file() and (inner / "config.json").is_file():
            return str(inner)
        return str(folder)
    if folder.is_file():
        raise ModelError(f"{name} is a file; pass the folder with config.json, weights and tokenizer")
    refuse_misspelt(name, folder)
    if may_be_on_hub(name):
        refuse_without_network(name)
        return fetch(name)
    raise ModelError(
        f"unknown model {name!r}: no such folder; known models: {', '.join(EMBEDDED)}, or a Hub name ORG/NAME"
    )


def may_be_on_hub(name: str) -> bool:
    """Whether a name that is no folder here can be one of the Hub: ORG/NAME."""
    return not expanded(name).exists() and name.count("/") == 1 and not name.startswith((".", "/", "~"))


def refuse_misspelt(name: str, folder: Path) -> None:
    """ModelError where a folder of almost the same name lies beside: then no hub is asked."""
    near = near_name(folder)
    if near is not None and near.is_dir():
        raise ModelError(f"no such folder {name!r}; did you mean {near}?")


def check_name(name: str) -> None:
    """UsageError for a plain word that is neither an embedded model nor a folder; paths and hub names are not looked up."""
    from rewardsmith.settings.values import nearest

    if name in EMBEDDED or "/" in name or expanded(name).exists():
        return
    raise UsageError(
        f"unknown model {name!r}: no such folder; known models: {', '.join(EMBEDDED)}, or a Hub name ORG/NAME."
        f"{nearest(name.lower(), EMBEDDED)}"
    )


def fetch(name: str) -> str:
    """The local copy of a hub model, downloaded where it is not cached: all that a reward model may come with.

    Of folders inside it only what its manifest lists: other people keep second copies of the weights there.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(name, allow_patterns=list(HUB_FILES), ignore_patterns=["*/*", "consolidated*"])
        if below := [file for file in read_manifest(Path(folder)) or () if "/" in file]:
            folder = snapshot_download(name, allow_patterns=below)
        return str(folder)
    except Exception as error:  # the hub raises many kinds, all of them about this name
        raise ModelError(unreachable(name, error)) from error


def refuse_without_network(name: str) -> None:
    """Say at once that the hub cannot be reached, instead of after half a minute of retries; a cached model passes."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    proxied = any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))
    if cached or proxied:
        return
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, None)
    except OSError as error:
        raise ModelError(unreachable(name, error)) from error


def unreachable(path: str, error: BaseException) -> str:
    """One line on why a model could not be opened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = (lines[0] if lines else type(error).__name__)[:200]
    if Path(path).is_dir():
        return f"cannot open the model in {path}: {cause}"
    return (
        f"no such folder {path!r}, and it cannot be downloaded from the Hub ({cause}); available offline: "
        "tiny, smollm2-135m, minilm-l6, e5-multilingual (rewardsmith models get NAME), or a folder"
    )
