"""The prompt of a judge in each language: one that comes with the package, by name, or the user's own."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.judge.wording.filling import names_in
from rewardsmith.records import EMPTY
from rewardsmith.settings.values import nearest
from rewardsmith.settings.yaml_file import plain_values

JudgeKind = Literal["pointwise", "pairwise", "listwise"]
KINDS: tuple[JudgeKind, ...] = ("pointwise", "pairwise", "listwise")
LANGUAGES = ("en", "zh")
BUILTIN = Path(__file__).with_name("builtin.yaml")
NEEDED: Mapping[JudgeKind, frozenset[str]] = {
    "pointwise": frozenset({"prompt", "response"}),
    "pairwise": frozenset({"prompt", "response_a", "response_b"}),
    "listwise": frozenset({"prompt", "responses"}),
}
"""What a prompt of each kind has to show."""
ALLOWED = frozenset({"criterion", "low", "high"})
DEFAULTS: Mapping[JudgeKind, str] = {"pointwise": "ten-points", "pairwise": "pairwise", "listwise": "listwise"}


@dataclass(frozen=True)
class JudgePrompt:
    """What is asked, by language: `text`, `criterion` (what is asked about without a rubric), `cue` (how an answer begins).

    `name` is that of a prompt of the package, "" for the user's own. `scale` and `labels` (by language) are what a prompt of
    the package answers with, None for the user's own.
    """

    name: str
    text: Mapping[str, str]
    criterion: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    cue: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    scale: tuple[int, int] | None = None
    labels: Mapping[str, Mapping[str, float]] | None = None

    @property
    def any_scale(self) -> bool:
        """Whether it is for numbers of any scale, and does not count points itself."""
        return self.scale is not None and bool(self.criterion)

    @property
    def takes_criterion(self) -> bool:
        """Whether it can be asked of one criterion."""
        return all("criterion" in names_in(text, self.name) for text in self.text.values())


@functools.cache
def builtin() -> Mapping[str, Any]:
    """The file of the package's prompts."""
    return plain_values(BUILTIN.read_bytes(), BUILTIN)


def prompt_of(value: Any, kind: JudgeKind, reading: str, place: str) -> JudgePrompt:
    """The prompt that a judge file names or writes; UsageError for an unknown name, another kind, or wrong placeholders."""
    if value is None:
        value = DEFAULTS[kind]
    if isinstance(value, str) and "{" not in value:
        return named_prompt(value, kind, reading, place)
    text = value if isinstance(value, Mapping) else dict.fromkeys(LANGUAGES, value)
    if not text or any(lang not in LANGUAGES or not isinstance(words, str) for lang, words in text.items()):
        raise UsageError(
            f"{place}: prompt is {str(value)[:40]!r}; expected a name, a text, or a text by language (en, zh)"
        )
    for lang, words in text.items():
        refuse_placeholders(names_in(words, f"{place}: prompt"), kind, f"{place}: prompt ({lang})")
    return JudgePrompt("", text)


def named_prompt(name: str, kind: JudgeKind, reading: str, place: str) -> JudgePrompt:
    """A prompt of the package, with the ending for how answers are read."""
    known = [each for each, entry in builtin().items() if entry["kind"] == kind]
    if name not in known:
        hint = nearest(name, known)
        raise UsageError(
            f"{place}: unknown prompt {name!r} for kind {kind}; known: {', '.join(known)}, or a text with "
            f"{shown(kind)}.{hint}"
        )
    entry = builtin()[name]
    text = {lang: f"{words.rstrip()}\n\n{entry['ending'][reading][lang]}" for lang, words in entry["text"].items()}
    scale = entry.get("scale")
    return JudgePrompt(
        name,
        text,
        entry.get("criterion", EMPTY),
        entry["cue"] if reading == "labels" else EMPTY,
        None if scale is None else (scale[0], scale[1]),
        entry.get("labels"),
    )


def refuse_placeholders(names: frozenset[str], kind: JudgeKind, place: str) -> None:
    """UsageError where a prompt shows too little, or names what there is not."""
    if missing := NEEDED[kind] - names:
        raise UsageError(f"{place} lacks {braced(missing)}; a {kind} judge is shown {shown(kind)}")
    if strange := names - NEEDED[kind] - ALLOWED:
        raise UsageError(f"{place} contains {braced(strange)}; known: {shown(kind)}, {braced(ALLOWED)}")


def shown(kind: JudgeKind) -> str:
    """What a prompt of this kind has to show."""
    return braced(NEEDED[kind])


def braced(names: frozenset[str]) -> str:
    """The placeholders, as they are written."""
    return ", ".join(f"{{{name}}}" for name in sorted(names))
