"""Faults of one row that the generator plants on request, each as a function from (record, random numbers) to a record.

They are made as such damage arises: by another decoder, a cut-off generation, a template that leaked, hasty annotators.
"""

import random
from dataclasses import replace

from rewardsmith.records import Message, Record, Response

MARKUP = ("<|im_end|>", "<|eot_id|>", "\n\nHuman: 谢谢", "\n\nHuman: Thanks", "[removed]")
HIDDEN = ("\u200b", "\ufeff", "\u202e", "\x07", "\x1b", "\ufffd")
REFUSALS = {
    "en": ("I'm sorry, but I can't help with that.", "As an AI language model, I cannot provide orders."),
    "zh": ("抱歉，我无法为您提供帮助。", "对不起，我不能回答这个问题。"),
}
STUTTER = 40
LOST_EVERY = 16


def with_text(record: Record, index: int, text: str) -> Record:
    """The record with another text for one response."""
    changed = replace(record.responses[index], messages=(Message("assistant", text),))
    return replace(record, responses=(*record.responses[:index], changed, *record.responses[index + 1 :]))


def lost_bytes(text: str) -> str:
    """UTF-8 read as Windows-1252 by a decoder that skips the bytes which that page leaves undefined, and some more."""
    data = text.encode()
    kept = (byte for at, byte in enumerate(data) if byte < 0x80 or at % LOST_EVERY)
    return bytes(kept).decode("cp1252", errors="ignore")


def truncated_encoding(record: Record, rng: random.Random) -> Record:
    """Every response misread, with bytes lost on the way."""
    lost = (Response((Message("assistant", lost_bytes(one.text)),), one.generator) for one in record.responses)
    return replace(record, responses=tuple(lost))


def leaked_markup(record: Record, rng: random.Random) -> Record:
    """A response that ends with markup, the next turn, or a site's placeholder."""
    index = rng.randrange(len(record.responses))
    return with_text(record, index, record.responses[index].text + rng.choice(MARKUP))


def hidden_characters(record: Record, rng: random.Random) -> Record:
    """A response with a character inside that nobody sees, or that stands for a lost one."""
    index = rng.randrange(len(record.responses))
    text = record.responses[index].text
    place = rng.randrange(len(text))
    return with_text(record, index, text[:place] + rng.choice(HIDDEN) + text[place:])


def near_identical(record: Record, rng: random.Random) -> Record:
    """All responses are the first one's text, but for the marks at the end."""
    text = record.responses[0].text
    for index in range(len(record.responses)):
        record = with_text(record, index, text + "!" * index)
    return record


def stuttering(record: Record, rng: random.Random) -> Record:
    """A response whose end is said over and over, as by a model that does not stop."""
    index = rng.randrange(len(record.responses))
    text = record.responses[index].text
    return with_text(record, index, text + (" " + text[-20:]) * STUTTER)


def declined(record: Record, rng: random.Random) -> Record:
    """A response that declines instead of answering."""
    refusals = REFUSALS[str(record.fields["language"])]
    return with_text(record, rng.randrange(len(record.responses)), rng.choice(refusals))


def divided_votes(record: Record, rng: random.Random) -> Record:
    """Judges who hardly agree: three for, two against, one undecided."""
    divided = tuple(replace(verdict, votes=(3, 2, 1)) for verdict in record.comparisons)
    return replace(record, comparisons=divided)


def ratings_against(record: Record, rng: random.Random) -> Record:
    """Ratings that rank the responses the other way round than the first comparison does."""
    verdict = record.comparisons[0]
    ratings = tuple(float(k == verdict.j) for k in range(len(record.responses)))
    return replace(record, ratings={verdict.attribute: ratings})
