"""One request until it is answered: what may be tried again is, after a pause; what may not is refused at once."""

import datetime
import email.utils
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from rewardsmith.errors import MissingExtraError, RewardsmithError
from rewardsmith.generate.candidates import Candidate
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.generate.remote.wire import Unreadable, excerpt, read_answer
from rewardsmith.launch.installation import install_command

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may succeed."""
HOPELESS = frozenset({401, 403, 404, 405})
"""Statuses after which no request will."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
LARGEST = 64_000_000
"""Bytes of an answer; a longer one is no chat completion."""
T = TypeVar("T")


class Refused(RewardsmithError):
    """A request that was given up."""


class Hopeless(Refused):
    """A request that was refused as every other will be: a wrong key, address or model."""


class Passing(Exception):
    """A failure that may not come again; `after` is how many seconds the server asks to wait, None where it does not."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Pace:
    """Starts requests no faster than so many a minute, over all threads."""

    def __init__(self, per_minute: float | None) -> None:
        self.between = 60.0 / per_minute if per_minute else 0.0
        self.next, self.lock = 0.0, threading.Lock()

    def wait(self, stopped: threading.Event) -> None:
        """Return when a request may start."""
        if not self.between:
            return
        with self.lock:
            start = max(self.next, time.monotonic())
            self.next = start + self.between
        stopped.wait(max(0.0, start - time.monotonic()))


class Sender:
    """Sends requests to one API; shared by threads. `stopped` ends all waiting."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.pace = endpoint, Pace(endpoint.per_minute)
        self.stopped = threading.Event()
        self.retried = 0
        self.httpx = import_httpx()
        self.client = self.httpx.Client(
            limits=self.httpx.Limits(max_connections=endpoint.concurrency), follow_redirects=False
        )

    def close(self) -> None:
        """Stop waiting and close the connections."""
        self.stopped.set()
        self.client.close()

    def ask(self, body: dict[str, Any]) -> Candidate:
        """The candidate that answers one request; Refused with the last failure where all tries fail."""
        return self.post(self.endpoint.address, body, read_answer)

    def post(self, address: str, body: dict[str, Any], read: Callable[[bytes], T]) -> T:
        """What `read` makes of the answer to one request, Unreadable of what it cannot; Refused where all tries fail."""
        for attempt in range(self.endpoint.retries + 1):
            if self.stopped.is_set():
                raise Refused("stopped")
            self.pace.wait(self.stopped)
            try:
                return read(self._once(address, body))
            except (Passing, Unreadable) as error:
                if attempt == self.endpoint.retries:
                    raise Refused(f"{error} (after {attempt + 1} attempts)") from error
                self.retried += 1
                self.stopped.wait(pause(attempt, getattr(error, "after", None)))
        raise AssertionError

    def _once(self, address: str, body: dict[str, Any]) -> bytes:
        """One try within the time-out: over the whole exchange, since a server may send a byte a minute for ever."""
        limit = self.endpoint.timeout
        deadline = time.monotonic() + limit
        try:
            with self.client.stream(
                "POST", address, json=body, headers=self.endpoint.headers(), timeout=limit
            ) as answer:
                content = read_within(answer, deadline)
        except TimeoutError as error:
            raise Passing(f"no complete response within {limit:g} s") from error
        except self.httpx.TimeoutException as error:
            raise Passing(f"no response within {limit:g} s") from error
        except (self.httpx.HTTPError, self.httpx.InvalidURL) as error:
            raise Passing(f"the connection failed: {error or type(error).__name__}") from error
        refuse_status(answer.status_code, content, answer.headers.get("retry-after"))
        return content


def read_within(answer: Any, deadline: float) -> bytes:
    """The body of an answer; TimeoutError where it is not whole at the deadline, Unreadable where it has no end."""
    parts, size = [], 0
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > LARGEST:
            raise Unreadable(f"the response of the API has more than {LARGEST} bytes")
    return b"".join(parts)


def refuse_status(status: int, content: bytes, after: str | None) -> None:
    """Passing, Hopeless or Refused for a status other than success."""
    if 200 <= status < 300:
        return
    reason = f"the API returned status {status}: {excerpt(content)}"
    if status in AGAIN:
        raise Passing(reason, seconds_of(after))
    if status in HOPELESS:
        raise Hopeless(f"{reason}; check the address, --api-model, and the key in the environment")
    raise Refused(reason)


def seconds_of(after: str | None) -> float | None:
    """What a Retry-After header asks for, in seconds: a number or a date (RFC 9110, 10.2.3); None for anything else."""
    if after is None:
        return None
    try:
        return max(0.0, float(after))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(after)
    except (TypeError, ValueError):
        return None
    zone = moment.tzinfo or datetime.UTC
    return max(0.0, (moment.replace(tzinfo=zone) - datetime.datetime.now(zone)).total_seconds())


def pause(attempt: int, after: float | None, *, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait before the next try: doubled each time and drawn between half and all of it, so that many clients do
    not come back at once; never less than the server asks for, as far as that is no more than LONGEST_PAUSE.
    """
    doubled = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
    return max(doubled * (0.5 + draw() / 2), min(after or 0.0, LONGEST_PAUSE))


def import_httpx() -> Any:
    """The HTTP client; MissingExtraError where it is not installed."""
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError(
            f"asking an API needs the package httpx; install it with: {install_command('api')}"
        ) from error
    return httpx
