"""One end of the line between a program and its tests: calls in both directions over two streams, one JSON line each.

A request is `{"do": WHAT, …}`, an answer `{"is": VALUE}` or `{"raised": …}`. While an end waits for an answer it serves
requests, so that a function may be given a function.
"""

import builtins
import json
from collections.abc import Callable
from typing import Any, BinaryIO

from rewardsmith.verifiable.code.inside.values import HELD, packed, unpacked

LONGEST = 64 * 2**20
"""Bytes of a line; a longer one ends the conversation."""
PeerRequest = dict[str, Any]
Serve = Callable[[PeerRequest], Any]


class Gone(BaseException):
    """The other end has closed, or says what makes no sense; no `except Exception` of a test swallows it."""


class Raised(Exception):
    """What the other end raised, where it is no exception of Python's."""


class Peer:
    """An end; `serve` does what requests ask for. `held` are the values that the other end knows by their numbers."""

    def __init__(self, source: BinaryIO, sink: BinaryIO, serve: Callable[["Peer", PeerRequest], Any]) -> None:
        self.source, self.sink, self.serve = source, sink, serve
        self.held: list[Any] = []
        self.exceptions: dict[str, type[Exception]] = {}

    def hold(self, value: Any) -> int:
        """The number under which the other end may ask for a value; its own value, come back, has its own number."""
        if isinstance(value, Remote):
            return -1 - number_of(value)
        for number, each in enumerate(self.held):
            if each is value:
                return number
        self.held.append(value)
        return len(self.held) - 1

    def pack(self, value: Any) -> Any:
        """A value for the other end."""
        return packed(value, self.hold)

    def unpack(self, value: Any) -> Any:
        """A value of the other end; a stand-in for what is no plain data."""
        return unpacked(value, self._stand_in)

    def _stand_in(self, number: Any) -> Any:
        if type(number) is not int or not -len(self.held) <= number:
            raise ValueError("no value")
        return self.held[-1 - number] if number < 0 else Remote(self, number)

    def ask(self, request: PeerRequest) -> Any:
        """The answer to a request; what the other end raised is raised here."""
        self._send(request)
        while True:
            line = self._receive()
            if "do" in line:
                self._answer(line)
            elif "raised" in line:
                raise self._exception(line["raised"])
            else:
                return line.get("is")

    def serve_all(self) -> None:
        """Serve requests until the other end closes."""
        while True:
            self._answer(self._receive())

    def called(self, function: Callable[..., Any], request: PeerRequest) -> dict[str, Any]:
        """Call a function for the other end: what it gave, and its arguments as they are afterwards."""
        words = [self.unpack(each) for each in request["words"]]
        named = {name: self.unpack(each) for name, each in request["named"].items()}
        gave = function(*words, **named)
        return {"gave": self.pack(gave), "after": [self.pack(each) for each in [*words, *named.values()]]}

    def _answer(self, request: PeerRequest) -> None:
        try:
            answer: dict[str, Any] = {"is": self.serve(self, request)}
            line = json.dumps(answer)
        except Gone:
            raise
        except BaseException as error:  # a program may raise anything, SystemExit too
            names = [kind.__name__ for kind in type(error).__mro__]
            line = json.dumps({"raised": {"kinds": names, "text": shown(error)}})
        self._write(line)

    def _exception(self, told: Any) -> Exception:
        kinds, text = told["kinds"], told["text"]
        for name in kinds:
            kind = self.exceptions.get(name) or getattr(builtins, str(name), None)
            if isinstance(kind, type) and issubclass(kind, Exception):
                try:
                    return kind(text)
                except TypeError:  # UnicodeDecodeError and the like need more than a text
                    continue
        return Raised(f"{kinds[0]}: {text}")

    def _send(self, request: PeerRequest) -> None:
        self._write(json.dumps(request))

    def _write(self, line: str) -> None:
        try:
            self.sink.write(line.encode() + b"\n")
            self.sink.flush()
        except OSError as error:
            raise Gone("the other end has closed") from error

    def _receive(self) -> dict[str, Any]:
        line = self.source.readline(LONGEST)
        if not line.endswith(b"\n"):
            raise Gone("the other end has closed")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Gone("the other end does not speak JSON") from error
        if type(found) is not dict:
            raise Gone("the other end does not speak this language")
        return found


def shown(error: BaseException) -> str:
    """The text of an exception, whose `__str__` may be anything."""
    try:
        return str(error)[:500]
    except BaseException:
        return ""


def number_of(remote: "Remote") -> int:
    """The number of a stand-in."""
    return int(object.__getattribute__(remote, "_number"))


def ask_of(remote: "Remote", what: str, **more: Any) -> Any:
    """Ask the other end about what a stand-in stands for."""
    peer = object.__getattribute__(remote, "_peer")
    answer = peer.ask({"do": what, "on": number_of(remote), **more})
    return peer.unpack(answer)


class Remote:
    """Stands for a value of the other end that is no plain data: a function, an object. It never equals plain data."""

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __call__(self, *words: Any, **named: Any) -> Any:
        """Call it; what the call changed in lists, dicts and sets among the arguments is changed in them."""
        peer = object.__getattribute__(self, "_peer")
        given = {"words": [peer.pack(each) for each in words], "named": {k: peer.pack(v) for k, v in named.items()}}
        answer = peer.ask({"do": "call", "on": number_of(self), **given})
        for own, after in zip([*words, *named.values()], answer["after"], strict=True):
            change(own, peer.unpack(after))
        return peer.unpack(answer["gave"])

    def __getattr__(self, name: str) -> Any:
        return ask_of(self, "get", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        ask_of(self, "set", name=name, value=object.__getattribute__(self, "_peer").pack(value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Remote):
            return False
        return number_of(self) == number_of(other) or ask_of(self, "equal", other={HELD: -1 - number_of(other)}) is True

    def __hash__(self) -> int:
        return int(self._special("__hash__"))

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, Remote) and ask_of(value, "is_a", kind={HELD: -1 - number_of(self)}) is True

    def __bool__(self) -> bool:
        return ask_of(self, "truth") is True

    def __repr__(self) -> str:
        return str(ask_of(self, "repr"))

    def __str__(self) -> str:
        return str(ask_of(self, "str"))

    def _special(self, method: str, *words: Any) -> Any:
        peer = object.__getattribute__(self, "_peer")
        return ask_of(self, "special", name=method, words=[peer.pack(each) for each in words])


def change(own: Any, after: Any) -> None:
    """Give a list, dict or set of this side the content that it has on the other side after a call."""
    if type(own) is not type(after) or own == after:
        return
    if isinstance(own, list):
        own[:] = after
    elif isinstance(own, (dict, set)):
        own.clear()
        own.update(after)


SPECIAL = (
    "__len__", "__iter__", "__next__", "__getitem__", "__setitem__", "__delitem__", "__contains__", "__add__", "__radd__",
    "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__neg__", "__abs__",
    "__lt__", "__le__", "__gt__", "__ge__", "__enter__", "__exit__", "__int__", "__float__", "__index__", "__reversed__",
)  # fmt: skip
"""Methods by which Python's own operators work, asked of the other end like any other."""


def forwarded(name: str) -> Callable[..., Any]:
    """A method that asks the other end for the method of that name."""

    def method(self: Remote, *words: Any) -> Any:
        return self._special(name, *words)

    return method


for _name in SPECIAL:
    setattr(Remote, _name, forwarded(_name))
