"""Which language is spoken: what was asked for, else REWARDSMITH_LANG, else the locale; English where nothing says."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Literal, TextIO

from rewardsmith.errors import UsageError

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

VARIABLE = "REWARDSMITH_LANG"
LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""The first of these that is set decides, as for every program (POSIX, 8.2)."""

_asked: ContextVar[Language | None] = ContextVar("language", default=None)


def current() -> Language:
    """The language to speak now; UsageError where REWARDSMITH_LANG names one that is not spoken."""
    return _asked.get() or of_environment()


def of_environment(environment: Mapping[str, str] | None = None, *, by_locale: bool = True) -> Language:
    """The language that the environment asks for; `by_locale=False` takes REWARDSMITH_LANG alone for an answer."""
    environment = os.environ if environment is None else environment
    if wanted := environment.get(VARIABLE):
        return language_of(wanted, VARIABLE)
    spoken = next((environment[name] for name in LOCALE_VARIABLES if environment.get(name)), "")
    return "zh" if by_locale and spoken.lower().startswith("zh") else "en"


def language_of(word: str, place: str) -> Language:
    """`en` or `zh`, also from a locale's name (`zh_CN.UTF-8`); UsageError, naming the place, for any other word."""
    start = word.replace("-", "_").split(".")[0].split("_")[0].lower()
    for known in LANGUAGES:
        if start == known:
            return known
    raise UsageError(f"{place}: got {word!r}, expected one of {', '.join(LANGUAGES)}")


@contextlib.contextmanager
def speaking(language: Language | None) -> Iterator[None]:
    """Speak this language inside the block; None changes nothing."""
    token = _asked.set(language or _asked.get())
    try:
        yield
    finally:
        _asked.reset(token)


def shows_chinese(stream: TextIO | None) -> bool:
    """Whether a stream's encoding has Chinese characters."""
    try:
        "奖励：".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
