"""What an option that we do not have is called here: those of other programs, plain words, and misspellings.

None of them is accepted: a name that means almost the same (a batch size per device) would change a run without notice. A
refusal names our setting, as a flag, a YAML key or a keyword.
"""

import difflib
import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.settings.fields import Setting, names, settings_of
from rewardsmith.settings.values import is_switch

Style = Literal["flag", "yaml", "python"]
CLOSE = 0.75
"""How alike two names have to be (difflib's ratio) to take one for a misspelling of the other."""


NOTES = {
    "processes": "several processes are started with torchrun --nproc-per-node N -m rewardsmith train",
    "step": "--batch counts the records of one optimizer step over all devices; a forward pass is limited in tokens",
    "grouped": "the texts of a batch are already grouped by length",
    "prefix": "the shared prefix of the responses to a prompt is computed once",
    "printed": "everything is already printed to standard error; --json prints the result as one JSON object",
    "epoch": "validation passes and checkpoints are counted per epoch",
    "logged": "every optimizer step is a line of metrics.jsonl",
    "best": "the checkpoint with the best validation loss is kept",
    "share": "the warm-up is a share of the steps",
    "schedule": "the learning rate has a linear warm-up and a cosine decay to 0",
    "adamw": "the optimizer is AdamW",
    "attention": "the attention kernel is chosen by device and model",
    "template": "the chat template of the tokenizer is used and is stored with the model",
    "split": "10 % of the prompts are used for validation by default",
    "dropout": "dropout is 0 by default",
    "train": "train always trains a reward model",
    "report": "the run is evaluated and a report is written by default",
    "duplicates": "duplicates are removed by default",
    "format": "the format is recognised from the columns",
    "tokens": "token ids are made in this process and cached for the next run",
}
"""What else has to be said of a name, by its mark in other_options.txt."""


@dataclass(frozen=True)
class Answer:
    """Our settings for a name, each with a value where only one is meant ("dtype bf16"), and what else has to be said."""

    settings: tuple[str, ...] = ()
    note: str = ""


@functools.cache
def answers() -> dict[str, Answer]:
    """The answer for every name of other_options.txt."""
    found = {}
    for ours, theirs in lines_of("other_options.txt"):
        settings, _, note = ours.partition("@")
        meant = tuple(each.strip() for each in settings.split("|") if each.strip() != "-")
        found.update({name: Answer(meant, NOTES.get(note.strip(), "")) for name in theirs.split()})
    return found


def lines_of(name: str) -> Iterator[tuple[str, str]]:
    """Ours and theirs of each line of a table beside this module."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8").replace("\n    ", " ")
    for line in text.splitlines():
        if not line.startswith("#"):
            ours, _, theirs = line.partition(" = ")
            yield ours, theirs


def command_meant(word: str, commands: Collection[str]) -> str:
    """` Did you mean 'x'?` for the command that a word means or misspells, or nothing."""
    meant = {other: command for command, others in lines_of("other_commands.txt") for other in others.split()}
    meant |= {command: command for command in commands}
    close = difflib.get_close_matches(word.lower(), meant, n=1, cutoff=CLOSE)
    return f" Did you mean {meant[close[0]]!r}?" if close and meant[close[0]] in commands else ""


def suggestion(word: str, kind: type, style: Style, arguments: Sequence[str] = (), value: str = "") -> str:
    """` Did you mean …?` with the settings of `kind` that a name means, and a note; empty where nothing is known.

    `arguments` are the keys of settings that stand on a command line by position. `value` is what was given to the name; it
    is repeated where one setting takes it as it is.
    """
    name = word.lstrip("-").partition("=")[0].replace("-", "_").replace(".", "_").lower()
    settings = {setting.key: setting for setting in settings_of(kind)}
    for candidate in candidates(name, kind):
        if (meant := names(kind).get(candidate)) is not None and candidate not in answers():
            return f" Did you mean {written(meant, '' if is_switch(meant.hint) else value, style, arguments)}?"
        answer = answers().get(candidate)
        if answer is None:
            continue
        found = list(offered(answer, settings, style, arguments))
        if (
            len(found) == 1
            and not answer.note
            and " " not in found[0]
            and takes(found[0], settings)
            and style == "flag"
        ):
            found = [f"{found[0]} {value}".rstrip()]
        if found or answer.note:
            return (f" Did you mean {' or '.join(found)}?" if found else "") + (
                f" Note: {answer.note}." if answer.note else ""
            )
    return ""


def takes(flag: str, settings: dict[str, Setting]) -> bool:
    """Whether a flag takes a value."""
    return any(setting.flag == flag and not is_switch(setting.hint) for setting in settings.values())


def candidates(name: str, kind: type) -> Iterator[str]:
    """The name itself, then known names that it may be a misspelling of, the likeliest first."""
    yield name
    known = {**names(kind), **answers()}
    yield from difflib.get_close_matches(name, [each.replace(".", "_") for each in known], n=3, cutoff=CLOSE)
    yield from (key for key in names(kind) if len(name) >= 3 and key.replace(".", "_").startswith(name))


def offered(answer: Answer, settings: dict[str, Setting], style: Style, arguments: Sequence[str]) -> Iterator[str]:
    """The settings of an answer that this command has, as they are written."""
    for text in answer.settings:
        key, _, value = text.partition(" ")
        if key.startswith("no_") and key[3:] in settings and style == "flag":
            yield f"--{key.replace('_', '-')}"
        elif key in settings:
            yield written(settings[key], value, style, arguments)


def written(setting: Setting, value: str, style: Style, arguments: Sequence[str]) -> str:
    """A setting as one writes it on the command line, in YAML or in Python."""
    if style == "flag":
        if setting.key in arguments:
            return setting.key.upper()
        return f"{setting.flag} {value}".rstrip()
    section, _, field = setting.key.rpartition(".")
    if style == "yaml":
        inner = f"{field}: {value}"
        if not value:
            return repr(setting.key)
        return f"`{section}: {{{inner}}}`" if section else f"`{inner}`"
    value = value if not value or value.isdigit() else repr(value)
    if section:
        return f"{section}={{{field!r}: {value or '...'}}}"
    return f"{field}={value}" if value else repr(field)
