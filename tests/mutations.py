"""Seeded damage to files, as disks, kills, editors and other programs leave it."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

OTHER_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 5, 2.5, 1e300, 10**30, float("nan"), float("inf"), "", "x", "\ud800", "a\nb"),
    *([], [1], [None], [[]], {}, {"a": 1}, {"label": 3}, "1" * 1000),
)
WHOLE = (b"", b"5\n", b"[]\n", b"null\n", b'"x"\n', b"{}\n", b"\xff\xfe\x00", b"\x00" * 64, b"NaN\n", b"{", b"[1, 2")
DEPTH = 100_000


def truncated(content: bytes, rng: random.Random) -> bytes:
    """The file up to some byte."""
    return content[: rng.randrange(len(content))] if content else b"{"


def flipped(content: bytes, rng: random.Random) -> bytes:
    """One bit is another."""
    if not content:
        return b"\x01"
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def zeroed(content: bytes, rng: random.Random) -> bytes:
    """A stretch of zeros, as a page that never reached the disk."""
    place = rng.randrange(max(1, len(content)))
    length = min(len(content) - place, rng.choice((1, 16, 4096)))
    return content[:place] + bytes(length) + content[place + length :]


def nested(content: bytes, rng: random.Random) -> bytes:
    """A value that is nested without end, alone or under a key."""
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    deep = opening * DEPTH + b"1" + closing * DEPTH
    return rng.choice((deep, b'{"step": ' + deep + b"}", b'{"records": ' + deep + b"}")) + b"\n"


def whole(content: bytes, rng: random.Random) -> bytes:
    """Something else altogether."""
    return rng.choice(WHOLE)


def retyped(content: bytes, rng: random.Random) -> bytes:
    """JSON, or one line of JSON lines, with one value replaced by another type; other content is flipped."""
    lines = content.splitlines(keepends=True)
    several = len(lines) > 1 and all(line.startswith(b"{") for line in lines)
    chosen = rng.randrange(len(lines)) if several else 0
    try:
        value = json.loads(lines[chosen] if several else content)
    except (ValueError, IndexError):
        return flipped(content, rng)
    replace_one(value, rng)
    text = json.dumps(value).encode() + b"\n"
    return b"".join([*lines[:chosen], text, *lines[chosen + 1 :]]) if several else text


def replace_one(value: Any, rng: random.Random) -> None:
    """Replace one value of an object or list, at any depth, or take it away."""
    places = list(containers(value))
    if not places:
        return
    holder, key = rng.choice(places)
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(OTHER_VALUES)


def containers(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value in an object or list."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from containers(value[key])


def broken_line(content: bytes, rng: random.Random) -> bytes:
    """One line becomes a JSON value that is no object, half a line, or nothing that can be read."""
    lines = content.splitlines(keepends=True) or [b""]
    chosen = rng.randrange(len(lines))
    half = lines[chosen][: len(lines[chosen]) // 2] + b"\n"
    lines[chosen] = rng.choice((b"5\n", b"[]\n", b"null\n", b'"x"\n', b'{"step": "x", "loss": []}\n', half, b"\xff\n"))
    return b"".join(lines)


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "truncated": truncated,
    "flipped": flipped,
    "zeroed": zeroed,
    "nested": nested,
    "whole": whole,
    "retyped": retyped,
    "retyped_again": retyped,
    "retyped_more": retyped,
    "broken_line": broken_line,
}
"""By name; values of other types are the likeliest to be believed, so they come more often."""
