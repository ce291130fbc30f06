"""What a judge who knows the built-in data would say of a response: each value it gets right or wrong, and how many.

A critique follows from prompt and response alone, as the gold reward does, and ends with the number that decides it.
"""

import re
from collections.abc import Iterator, Mapping

from rewardsmith.data.synthetic.texts import FRAMES, TOPICS
from rewardsmith.errors import DataError
from rewardsmith.records import Record

WORDS = {
    "en": ("{name}: {found}, right.", "{name}: {found}, not {wanted}.", "{right} of {all} right.", " "),
    "zh": ("{found}，对。", "{found}，应为{wanted}。", "{all}项对{right}项。", ""),
}
"""By language: of a value that is right, of one that is wrong, at the end, and what stands between."""


def critiques_of(record: Record) -> tuple[str, ...]:
    """The critique of every response of a built-in record; DataError where a text is none of the built-in ones."""
    language, topic = str(record.fields["language"]), str(record.fields["topic"])
    wanted = read_values(record.prompt[-1].content, FRAMES[language].requests, topic, language)
    return tuple(
        critique(wanted, read_values(answer.text, FRAMES[language].answers, topic, language), language)
        for answer in record.responses
    )


def critique(wanted: Mapping[str, str], found: Mapping[str, str], language: str) -> str:
    """What is said of the values that were found, in the order of the attributes."""
    right, wrong, total, between = WORDS[language]
    said = [
        (right if found[name] == value else wrong).format(name=name, found=found[name], wanted=value)
        for name, value in wanted.items()
    ]
    count = sum(found[name] == value for name, value in wanted.items())
    return between.join([*said, total.format(right=count, all=len(wanted))])


def read_values(text: str, frames: tuple[tuple[str, str], ...], topic: str, language: str) -> dict[str, str]:
    """The value of each attribute in a prompt or a response."""
    for pattern in patterns_of(frames, topic, language):
        if found := re.fullmatch(pattern, text):
            return {name: found[name] for name in TOPICS[topic][language].values}
    raise DataError(f"{text!r:.80} is not a text of the built-in data on {topic}")


def patterns_of(frames: tuple[tuple[str, str], ...], topic: str, language: str) -> Iterator[str]:
    """A regular expression for each way to write an order."""
    phrases = TOPICS[topic][language]
    values = {name: f"(?P<{name}>{'|'.join(map(re.escape, known))})" for name, known in phrases.values.items()}
    for before, after in frames:
        for body in phrases.bodies:
            parts = re.split(r"\{(\w+)\}", body)
            inner = "".join(values[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
            yield re.escape(before) + inner + re.escape(after)
