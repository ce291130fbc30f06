"""A block of code whose errors leave it in the language that was asked for."""

import contextlib
from collections.abc import Iterator

from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.language.catalogue import say
from rewardsmith.language.choice import Language, language_of, speaking


@contextlib.contextmanager
def in_language(lang: Language | None) -> Iterator[None]:
    """Speak `lang` inside the block, also in the messages of errors that leave it; None changes nothing."""
    with speaking(None if lang is None else language_of(lang, "lang")):
        try:
            yield
        except (RewardsmithError, UsageError) as error:
            if lang is not None:
                error.args = (say(error, lang), *error.args[1:])
            raise
