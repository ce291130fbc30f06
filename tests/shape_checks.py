"""The type checker of the suite: beartype, for the first calls of every function in each test and each fixture.

A tiny training calls the same functions thousands of times with arguments of the same kind, and checking all of them costs
as much as the training. pyproject.toml gives `limited` to jaxtyping, conftest.py begins anew before every test.
"""

import functools
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from beartype import beartype

CALLS = 20
"""Calls of a function that are checked, in one test or one fixture."""

calls: Counter[Callable[..., Any]] = Counter()
"""By function: its checked calls since the last `begin_anew`."""


def begin_anew() -> None:
    """Check the next CALLS calls of every function."""
    for function in calls:
        vars(function).pop("__no_type_check__", None)
    calls.clear()


def being_wrapped() -> Callable[..., Any] | None:
    """The function that `jaxtyped(fn)` is just wrapping; None where an error message is made, which checks one argument."""
    frame = sys._getframe(1)
    while frame.f_code.co_name != "jaxtyped":
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return frame.f_locals["fn"]


def limited(signature: Callable[..., Any]) -> Callable[..., Any]:
    """beartype of `signature` (what jaxtyping makes of a function: it takes its arguments and does nothing with them)."""
    function = being_wrapped()
    if function is None:
        return beartype(signature)
    checked = functools.cache(lambda: beartype(signature))  # most imports are of functions that are not called

    @functools.wraps(signature)
    def counted(*arguments: Any, **keywords: Any) -> Any:
        calls[function] += 1
        if calls[function] > 2 * CALLS:  # before and after a call
            function.__no_type_check__ = True  # jaxtyping then calls it at once
        return checked()(*arguments, **keywords)

    return counted
