"""The program of a worker: it reads questions as JSON lines, and writes each answer as one.

python -m rewardsmith.verifiable.worker      # started by rewardsmith.verifiable.killable only
"""

import contextlib
import functools
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any

MEMORY = 4 * 2**30
"""Bytes of address space that a worker may take: an expression can expand without end."""


def main() -> None:
    """Answer until the other end closes."""
    logging.disable(logging.CRITICAL)
    limit_memory()
    for line in sys.stdin:
        answer = json.dumps(reply_to(json.loads(line))) + "\n"
        os.write(1, answer.encode())


def limit_memory() -> None:
    """Set the limit where the system knows one."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def reply_to(question: dict[str, Any]) -> dict[str, Any]:
    """What a question asks for, under `value`; or `error` where it cannot be said."""
    try:
        return {"value": ASKED[question["ask"]](**question["of"])}
    except RecursionError:
        return {"error": "nested too deep"}
    except MemoryError:
        return {"error": "needs too much memory"}
    except Exception as error:  # sympy raises many kinds, all of them about the expressions
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def understood(gold: str) -> bool:
    """Whether a gold answer is an expression."""
    return bool(parsed_gold(gold))


def equal(gold: str, response: str) -> bool | None:
    """Whether a response's final expression equals the gold answer; None where it has none."""
    from math_verify import parse, verify

    found = parse(response, parsing_timeout=None)
    if not found:
        return None
    return bool(verify(parsed_gold(gold), found, timeout_seconds=None))


@functools.lru_cache(maxsize=64)
def parsed_gold(gold: str) -> list[Any]:
    """A gold answer, which may be an expression without the signs that set one apart in a text."""
    from math_verify import parse

    bare = not any(sign in gold for sign in ("$", "\\boxed", "\\(", "\\["))
    found: list[Any] = parse(f"${gold}$", parsing_timeout=None) if bare else []
    return found or list(parse(gold, parsing_timeout=None))


def matches(pattern: str, text: str, whole: bool) -> bool:
    """Whether a regular expression, in which `.` takes line ends too, is in a text, or is all of it."""
    compiled = re.compile(pattern, re.DOTALL)
    return (compiled.fullmatch(text) if whole else compiled.search(text)) is not None


ASKED: dict[str, Callable[..., bool | None]] = {"understood": understood, "equal": equal, "matches": matches}

if __name__ == "__main__":
    main()
