"""English and Chinese: which one is spoken, the Chinese of every message, and how wide a text is on a terminal.

Code writes English. `say` gives the Chinese of a finished English message by matching it with the catalogue's templates,
so no place that raises, notes or explains has to know about languages; what has no entry is said in English.
"""

from rewardsmith.language.catalogue import say
from rewardsmith.language.choice import (
    LANGUAGES,
    Language,
    current,
    language_of,
    of_environment,
    shows_chinese,
    speaking,
)
from rewardsmith.language.width import cut, display_width, padded, wrapped

__all__ = [
    "LANGUAGES",
    "Language",
    "current",
    "cut",
    "display_width",
    "language_of",
    "of_environment",
    "padded",
    "say",
    "shows_chinese",
    "speaking",
    "wrapped",
]
