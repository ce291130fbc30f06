"""The models of a server by name: opened at the start, and opened again while the old one still serves."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.errors import UsageError
from rewardsmith.serve.models.served import ServedModel
from rewardsmith.serve.models.source import ServedSource
from rewardsmith.serve.protocols.protocol import BadRequest

AnyServed = ServedModel | ServedSource
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Named:
    """A model's name in requests, and where it lies."""

    name: str
    place: str


def named(words: Sequence[str]) -> tuple[Named, ...]:
    """`NAME=PLACE`, or a place by itself, whose last part is the name; UsageError for wrong names and for equal ones."""
    found: dict[str, Named] = {}
    for word in words:
        name, given, place = word.partition("=")
        if not (given and NAME.fullmatch(name)):
            name, place = Path(word.rstrip("/")).name, word
        if not place or not NAME.fullmatch(name):
            raise UsageError(
                f"{word!r} gives no name for requests; write NAME=MODEL with letters, digits, '.', '_' and '-' as the name"
            )
        if name in found:
            raise UsageError(f"two models have the name {name!r}; give each a name of its own: NAME=MODEL")
        found[name] = Named(name, place)
    return tuple(found.values())


class Registry:
    """The models by name; the first is taken where a request names none. `open_model` opens one, warm."""

    def __init__(self, models: Sequence[Named], open_model: Callable[[Named], AnyServed]) -> None:
        self.named = {one.name: one for one in models}
        self.open_model = open_model
        self.models: dict[str, AnyServed] = {}
        self._opening = threading.Lock()

    def open_all(self) -> None:
        """Open every model, in order."""
        for one in self.named.values():
            self.models[one.name] = self.open_model(one)

    def get(self, name: str | None) -> AnyServed:
        """The model that a request asks for; a place that was given at the start is a name too (clients send those)."""
        if name is None:
            return next(iter(self.models.values()))
        for one in self.named.values():
            if name in (one.name, one.place) and one.name in self.models:
                return self.models[one.name]
        raise BadRequest(404, f"unknown model {name!r:.80}; this server has: {', '.join(self.models)}")

    def reload(self, name: str) -> AnyServed:
        """Open a model again from where it lies, then let it take the place of the old one; requests that have begun are
        answered by the model that they began with. BadRequest where that is going on already."""
        if name not in self.models:
            raise BadRequest(404, f"unknown model {name!r:.80}; this server has: {', '.join(self.models)}")
        if not self._opening.acquire(blocking=False):
            raise BadRequest(409, "a model is being opened already; try again when that is done")
        try:
            self.models[name] = self.open_model(self.named[name])
            return self.models[name]
        finally:
            self._opening.release()
