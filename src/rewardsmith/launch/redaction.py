"""What nobody may read in a message, a log or a report: tokens, keys and passwords, wherever they came from.

Known are the values of variables whose names say so (HF_TOKEN, WANDB_API_KEY, MLFLOW_TRACKING_PASSWORD), and by their form
what stands before the host of an address, parameters that are named like a secret, and the tokens of some services.
"""

import os
import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

HIDDEN = "…"
SECRET_NAME = r"(?:token|secret|passw(?:or)?d|key|credentials?|signature|sig|auth)"
VARIABLE = re.compile(rf"(?:(?:^|_){SECRET_NAME}|passw(?:or)?d)$", re.IGNORECASE)
LEAST = 6
"""Shorter values (`true`, `0`) stand in many messages and are no secrets."""

TOKEN = (
    r"(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|"
    r"dapi[0-9a-f]{16,}|pypi-[\w-]{16,}|xox[abp]-[\w-]{8,}|AKIA[A-Z0-9]{16}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
)
FORMS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/?#'\"]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(rf"([?&;#](?:[\w-]*[_-])?{SECRET_NAME}=)[^\s&;#'\"]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b((?:bearer|basic) )(?=\S*[0-9=])[A-Za-z0-9+/_.=~-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(rf"(?<![A-Za-z0-9]){TOKEN}"), HIDDEN),
)
RANDOM = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9_-]{20,}|[0-9a-f]{32,}")
"""A part of a path that no person chose."""

WITH_USERS = ("sqlite", "postgresql", "mysql", "mssql", "oracle", "file", "")
"""What an address of these kinds says beside a password is a database's user and options, or a path on this disk."""


def redacted(text: str) -> str:
    """The text without its secrets."""
    for value in secrets():
        text = text.replace(value, HIDDEN)
    for form, instead in FORMS:
        text = form.sub(instead, text)
    return text


def secrets(environment: Mapping[str, str] | None = None) -> list[str]:
    """Values of the environment that nobody may read, as they are and as they stand in an address; the longest first."""
    values = {
        value
        for name, value in (os.environ if environment is None else environment).items()
        if VARIABLE.search(name) and len(value) >= LEAST and not os.path.exists(value)
    }
    return sorted(values | {quote(value, safe="") for value in values}, key=len, reverse=True)


def holds_secret(address: str) -> bool:
    """Whether an address holds what may be a secret: beside its host, in a parameter, or as a random part of its path."""
    try:
        parts = urlsplit(address)
        user, password = parts.username, parts.password
    except ValueError:  # what is not understood is not kept either
        return True
    bare = address.replace(f"{user}@", "", 1)
    if password is not None or redacted(bare) != bare:
        return True
    if parts.scheme.partition("+")[0] in WITH_USERS:
        return False
    beside = user is not None or bool(parts.query) or bool(parts.fragment)
    return beside or any(RANDOM.fullmatch(part) for part in parts.path.split("/"))


def shown(address: str) -> str:
    """The address as it may be shown: whole, or where it holds a secret its scheme and host."""
    if not holds_secret(address):
        return address
    scheme, found, rest = address.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host}/{HIDDEN}" if found else HIDDEN
