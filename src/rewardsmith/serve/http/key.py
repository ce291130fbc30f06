"""Who may ask: a key, from the environment or a file, compared in constant time on every route but health."""

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from rewardsmith.errors import UsageError
from rewardsmith.generate.remote.endpoint import key_in
from rewardsmith.serve.http.errors import HttpError, response_of

VARIABLE = "REWARDSMITH_API_KEY"
FEWEST = 16
"""Characters of a key; a shorter one can be guessed."""
OPEN = ("/health/live", "/health/ready")
"""Routes that a supervisor asks without a key."""


def read_key(file: Path | None) -> str | None:
    """The key of the file, else of the environment; None where neither gives one. UsageError for a key that is too short."""
    if file is not None:
        key, where = key_in(file), str(file)
    else:
        key, where = os.environ.get(VARIABLE, "").strip(), VARIABLE
        if not key:
            return None
    if len(key) < FEWEST or not key.isascii():
        raise UsageError(f"the key in {where} has {len(key)} characters; expected at least {FEWEST}, ASCII only")
    return key


class KeyCheck:
    """Answers 401 without detail to whatever comes without the key: as Bearer, in X-API-Key, or as the password of Basic,
    which browsers ask for."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self.app = app
        self.digest = None if key is None else hashlib.sha256(key.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or self.digest is None or scope["path"] in OPEN or self._known(Headers(scope=scope)):
            await self.app(scope, receive, send)
        else:
            await response_of(HttpError(401, "unauthorized"))(scope, receive, send)

    def _known(self, headers: Headers) -> bool:
        """Whether one of the headers has the key; all are compared, each by its hash, so that time says nothing."""
        assert self.digest is not None
        found = [headers.get("x-api-key", ""), *of_authorization(headers.get("authorization", ""))]
        same = [hmac.compare_digest(hashlib.sha256(each.encode()).digest(), self.digest) for each in found]
        return any(same)


def of_authorization(value: str) -> list[str]:
    """The key that an Authorization header may give."""
    kind, _, rest = value.partition(" ")
    if kind.lower() == "bearer":
        return [rest.strip()]
    if kind.lower() == "basic":
        try:
            return [base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[2]]
        except (binascii.Error, ValueError):
            return []
    return []
