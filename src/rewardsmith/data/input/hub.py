"""A data set by its name on the Hugging Face hub: the only place in data intake that may use the network."""

import os
import re
import socket
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rewardsmith.errors import DataError, MissingExtraError
from rewardsmith.launch.installation import install_command

NAME = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?::(?P<config>[\w.+-]*)(?::(?P<split>[\w.+-]+))?)?")
CAUSE_CHARS = 400
OTHER_WAYS = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


class HubName(NamedTuple):
    """A data set on the hub: `owner/name`, its configuration (None: its only or default one), and its split."""

    name: str
    config: str | None = None
    split: str = "train"


def parse_hub_name(text: str) -> HubName | None:
    """`owner/name`, `owner/name:config` or `owner/name:config:split`; an empty config is the default one."""
    found = NAME.fullmatch(text)
    return None if found is None else HubName(found["name"], found["config"] or None, found["split"] or "train")


def open_hub(name: str) -> Any:
    """The data set behind such a name, streamed; DataError in one line where it cannot be had."""
    wanted = parse_hub_name(name)
    if wanted is None:
        raise DataError(f"{name!r} is not the name of a data set; expected owner/name:config:split")
    refuse_unreachable(name)
    return stream(wanted, name)


def stream(wanted: HubName, label: str) -> Any:
    """The rows of one split, as `datasets` streams them; `label` is the name for messages."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise MissingExtraError(
            f"{label} is not a local file or folder; reading it from the Hugging Face Hub needs the package datasets; "
            f"install it with: {install_command('hub')}"
        ) from None
    try:
        return load_dataset(wanted.name, wanted.config, split=wanted.split, streaming=True)
    except Exception as error:  # the hub's client raises many kinds, and each means the same to the user
        cause = " ".join(str(error).split())[:CAUSE_CHARS] or type(error).__name__
        if re.search(r"unknown split|bad split|config name is missing|builderconfig", cause, flags=re.IGNORECASE):
            raise DataError(
                f"{label}: {cause}; give the configuration and the split as {wanted.name}:CONFIG:SPLIT (requested: "
                f"{wanted.config or 'the default'} and {wanted.split})"
            ) from error
        raise unreachable(label, cause) from error


def unreachable(label: str, cause: str) -> DataError:
    """The refusal of a name that is nothing here and cannot be had from the hub."""
    return DataError(
        f"{label} is neither a local file or folder nor a reachable data set on the Hub ({cause}); check the path, or "
        "download the data on a machine with network access and pass the file"
    )


def refuse_unreachable(label: str) -> None:
    """DataError at once where the hub's host has no address: its client would try for half a minute.

    Behind a proxy the address is the proxy's affair, and offline there is the client's cache.
    """
    if any(name in os.environ for name in OTHER_WAYS):
        return
    host = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname or ""
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        raise unreachable(label, f"{host}: {error.strerror or error}") from error


def looks_like_hub_name(source: str) -> bool:
    """Whether a name could be a data set on the hub: owner/name…, no data file's ending, nothing on this disk."""
    from rewardsmith.data.input.readers import reader_of

    wanted = parse_hub_name(source)
    if wanted is None or reader_of(Path(wanted.name)) is not None:
        return False
    return not Path(source).exists() and (source == wanted.name or not Path(wanted.name).exists())
