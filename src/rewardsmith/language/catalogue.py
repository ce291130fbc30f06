"""The Chinese of English messages: templates with numbered placeholders, matched against finished messages.

The files `zh/*.txt` hold pairs of lines, the English template and, indented, its Chinese one:

    {0} and {1} share no comparison; evaluate both models on the same data
        {0} 与 {1} 没有共同的比较；请在同一份数据上评估两个模型

`{0}` carries the value over as it is; `{0*}` in the Chinese says that the value is itself a message or a phrase of the
catalogue. A line that begins with # is a comment. tests/language/test_catalogue.py names what is missing.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.language.choice import Language, current

FOLDER = Path(__file__).parent / "zh"
PLACEHOLDER = re.compile(r"\{(\d+)(\*?)\}")
JOINTS = ((re.compile("; "), "；"), (re.compile(": "), ": "), (re.compile(r" (?=\()"), ""))
"""Where a message may be taken apart: sentences joined by code, a place before a message, a remark behind it."""
MOST_JOINTS = 8
"""Places tried at each level of a message; one with more than MANY_JOINTS is a quotation, not a sentence of ours."""
MANY_JOINTS = 40
LITTLE = 5
LETTERS = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Rendering:
    """A message in Chinese, and how many Latin letters of it were carried over: the fewer, the better understood."""

    text: str
    carried: int


@dataclass(frozen=True)
class Translation:
    """One template in English and in Chinese."""

    english: str
    chinese: str

    @functools.cached_property
    def literals(self) -> list[str]:
        """The fixed pieces of the English template."""
        return [piece for piece in PLACEHOLDER.split(self.english)[::3] if piece.strip()]

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches what the template can become, each placeholder a group."""
        parts = PLACEHOLDER.split(self.english)
        # `{0} of {1}` fits half of all English: where so little is fixed, values are single words.
        value = r"(\S*?)" if len("".join("".join(parts[::3]).split())) < LITTLE else "(.*?)"
        sources = [re.escape(part) if k % 3 == 0 else value for k, part in enumerate(parts) if k % 3 != 2]
        # Where two values stand side by side nobody can tell where the second begins: the first takes both.
        return re.compile("".join(sources).replace(value + value, value + "()"), re.DOTALL)

    def render(self, message: str) -> Rendering | None:
        """The message in Chinese; None where it does not come from this template."""
        if not all(piece in message for piece in self.literals) or not (found := self.pattern.fullmatch(message)):
            return None
        numbers = [int(number) for number, _ in PLACEHOLDER.findall(self.english)]
        values = dict(zip(numbers, found.groups(), strict=True))
        carried = 0
        parts = PLACEHOLDER.split(self.chinese)
        said = parts[0]
        for number, star, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            value = in_chinese(values[int(number)]) if star else as_it_is(values[int(number)])
            carried += value.carried
            said += value.text + literal
        return Rendering(said, carried)


def say(message: object, lang: Language | None = None) -> str:
    """A message, an error or a text of several lines in the language spoken now (or in `lang`).

    English comes back as it is. In Chinese, each line that the catalogue knows is translated with its values carried
    over, and every other line stays as it is.
    """
    text = str(message)
    if (lang or current()) == "en":
        return text
    return "\n".join(line_in_chinese(line) for line in text.split("\n"))


def line_in_chinese(line: str) -> str:
    """One line, its indentation kept."""
    inner = line.strip()
    if not inner:
        return line
    start = line.index(inner)
    return line[:start] + in_chinese(inner).text + line[start + len(inner) :]


def as_it_is(value: str) -> Rendering:
    """A value that is carried over."""
    return Rendering(value, len(LETTERS.findall(value)))


@functools.lru_cache(maxsize=1024)
def in_chinese(message: str) -> Rendering:
    """The reading of a message that carries the fewest letters over; the message itself where none is known."""
    inner = message.strip()
    return min([as_it_is(message), *readings(inner)], key=lambda rendering: rendering.carried)


def readings(message: str) -> Iterator[Rendering]:
    """Every way to read a message: as a whole, or as two joined parts of which the second is known."""
    known = exact().get(message)
    if known is not None:
        yield Rendering(known, 0)
        return
    yield from (rendering for entry in templates() if (rendering := entry.render(message)))
    for place, chinese in joints_in(message):
        first, second = message[: place.start()], message[place.end() :]
        rest = in_chinese(second)
        if rest.text != second:
            before = in_chinese(first)
            joined = chinese if before.text != first or chinese != "；" else place[0]
            yield Rendering(before.text + joined + rest.text, before.carried + rest.carried)


def joints_in(message: str) -> Iterator[tuple[re.Match[str], str]]:
    """Every place where the message may be taken apart, with what stands there in Chinese; none in a quotation."""
    if sum(message.count(sign) for sign in ";:(") > MANY_JOINTS:
        return
    for joint, chinese in JOINTS:
        for place in list(joint.finditer(message))[:MOST_JOINTS]:
            yield place, chinese


@functools.cache
def exact() -> dict[str, str]:
    """Entries without placeholders."""
    return {english: chinese for english, chinese in entries().items() if not PLACEHOLDER.search(english)}


@functools.cache
def templates() -> tuple[Translation, ...]:
    """Entries with placeholders, those with the most fixed text first: they win where two read a message equally well."""
    found = [Translation(english, chinese) for english, chinese in entries().items() if PLACEHOLDER.search(english)]
    return tuple(sorted(found, key=lambda entry: -len("".join(entry.literals))))


@functools.cache
def entries() -> dict[str, str]:
    """Every entry of the catalogue, read on first use."""
    found: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.txt")):
        english = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("    "):
                found[english] = line.strip()
            elif line.strip() and not line.startswith("#"):
                english = line.strip()
    return found
