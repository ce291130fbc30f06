"""Loads a program, says which names it has, and answers calls of its functions over standard input and output."""

import os
import sys
import types
from collections.abc import Callable
from typing import Any

from rewardsmith.verifiable.code.inside.peer import SPECIAL, Gone, Peer, PeerRequest

NAME = "solution"
"""The module that the program becomes, as tests import it."""


def main(source: str) -> None:
    """Load the program, then serve. What it prints goes nowhere, and it has no input: both are the line to its tests."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    peer = Peer(os.fdopen(incoming, "rb"), os.fdopen(outgoing, "wb"), serve)
    module = types.ModuleType(NAME)
    sys.modules[NAME] = module
    exec(compile(source, f"{NAME}.py", "exec"), module.__dict__)
    peer.held.append(module)  # number 0
    try:
        peer.serve_all()
    except Gone:
        os._exit(0)


def serve(peer: Peer, request: PeerRequest) -> Any:
    """Do what the tests ask for."""
    what = request["do"]
    if what == "names":
        return names_of(peer, peer.held[0])
    on = function_of(peer.held[0], request["name"]) if what == "call_named" else peer.held[request["on"]]
    if what in ("call", "call_named"):
        return peer.called(on, request)
    return peer.pack(about(peer, on, what, request))


def function_of(module: types.ModuleType, name: str) -> Any:
    """A function of the program by name, or the method of that name of a new `Solution`."""
    found = getattr(module, name, None)
    return getattr(module.Solution(), name) if found is None else found


def about(peer: Peer, on: Any, what: str, request: PeerRequest) -> Any:
    """What the tests ask about a value."""
    if what == "get":
        return getattr(on, request["name"])
    if what == "set":
        return setattr(on, request["name"], peer.unpack(request["value"]))
    if what == "equal":
        return bool(on == peer.unpack(request["other"]))
    if what == "is_a":
        return isinstance(on, peer.unpack(request["kind"]))
    if what == "special":
        words = [peer.unpack(each) for each in request["words"]]
        if request["name"] not in (*SPECIAL, "__hash__"):
            raise AttributeError(request["name"])
        method = getattr(type(on), request["name"], None)
        if method is None:
            raise TypeError(f"{type(on).__name__} has no {request['name']}")
        return method(on, *words)
    simple: dict[str, Callable[[Any], Any]] = {"truth": bool, "repr": repr, "str": str}
    return simple[what](on)


def names_of(peer: Peer, module: types.ModuleType) -> dict[str, Any]:
    """The names of the program: values, and for exceptions the names of their kinds."""
    found: dict[str, Any] = {"values": {}, "exceptions": {}}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        if isinstance(value, type) and issubclass(value, Exception):
            found["exceptions"][name] = [kind.__name__ for kind in value.__mro__]
        else:
            found["values"][name] = peer.pack(value)
    return found
