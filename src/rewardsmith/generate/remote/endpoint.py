"""Where an API is, and how hard it may be asked."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rewardsmith.errors import DataError, UsageError
from rewardsmith.launch.redaction import redacted

MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An API and the model asked of it.

    `url` ends before `/chat/completions`. `key_name` names the environment variable with the key, which is read when a
    request is sent and kept nowhere. At most `concurrency` requests are under way, `per_minute` are started a minute (None:
    no limit), each ends after `timeout` seconds in all, and is tried again up to `retries` times. `logprobs` asks for those
    of the generated tokens, which not every API gives.
    """

    url: str
    model: str
    key_name: str = "OPENAI_API_KEY"
    concurrency: int = 8
    per_minute: float | None = None
    timeout: float = 300.0
    retries: int = 5
    logprobs: bool = False

    def __post_init__(self) -> None:
        refuse_address(self.url)
        positive = (self.concurrency, self.timeout, 1 if self.per_minute is None else self.per_minute, self.retries + 1)
        if min(positive) <= 0:
            raise UsageError(
                f"concurrency {self.concurrency}, retries {self.retries}, timeout {self.timeout:g}, requests per minute "
                f"{self.per_minute}: expected numbers above 0 (retries: at least 0)"
            )

    @property
    def address(self) -> str:
        """Where requests go."""
        return f"{self.url.rstrip('/').removesuffix('/chat/completions')}/chat/completions"

    def headers(self) -> dict[str, str]:
        """Those of a request, with the key where the environment has one; DataError where it cannot be sent."""
        return bearer(os.environ.get(self.key_name, ""), self.key_name)


def bearer(key: str, where: str) -> dict[str, str]:
    """The header that sends a key, white space around it removed, none for an empty one; DataError, which does not quote it,
    for one that cannot be sent. `where` says where it is from."""
    key = key.strip()
    if not key:
        return {}
    if not key.isascii() or not key.isprintable():
        raise DataError(f"the key in {where} contains characters that are not allowed in a header; set it again")
    return {"Authorization": " ".join(("Bearer", key))}


def key_in(file: Path) -> str:
    """The key in a file, white space around it removed; UsageError for a file that is no text."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"--key-file {file} is not UTF-8 text; expected a file with nothing but the key") from error


def refuse_address(url: str) -> None:
    """UsageError for what is no address, or one with a secret in it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{redacted(url)} is not the address of an API; expected, for example, http://localhost:8000/v1"
        )
    if parts.username or parts.password or parts.query:
        raise UsageError(
            "the address of the API contains a password or a query; pass the key in an environment variable "
            "(--api-key-env NAME)"
        )


def is_address(name: str) -> bool:
    """Whether a model's name is the address of an API."""
    return name.startswith(("http://", "https://"))
