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


OFF = "off"
"""In place of a value: the switch turned off."""
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
    "tokens": "train makes token ids in one process and caches them for the next run",
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
    for candidate in candidates(name, kind):
        answer = answers().get(candidate) or own_answer(candidate, kind)
        offers = offered(answer, kind, value)
        if offers:
            spelled = " or ".join(written(setting, given, style, arguments) for setting, given in offers)
            return f" Did you mean {spelled}?{noted(answer)}"
        if answer.note:
            return noted(answer)
    return ""


def noted(answer: Answer) -> str:
    """The note of an answer as a sentence; empty where there is none."""
    return f" Note: {answer.note}." if answer.note else ""


def candidates(name: str, kind: type) -> Iterator[str]:
    """The name itself, then known names that it may be a misspelling of, the likeliest first."""
    yield name
    known = {**names(kind), **answers()}
    yield from difflib.get_close_matches(name, [each.replace(".", "_") for each in known], n=3, cutoff=CLOSE)
    yield from (key for key in names(kind) if len(name) >= 3 and key.replace(".", "_").startswith(name))


def own_answer(name: str, kind: type) -> Answer:
    """The setting of `kind` that has this name or alias."""
    meant = names(kind).get(name)
    return Answer((meant.key,) if meant else ())


def offered(answer: Answer, kind: type, value: str) -> list[tuple[Setting, str]]:
    """The settings of an answer that this command has, each with the value to write behind it (empty: none)."""
    settings = {setting.key: setting for setting in settings_of(kind)}
    pairs = [(key, given) for key, _, given in (text.partition(" ") for text in answer.settings)]
    offers = [(settings[key], given) for key, given in pairs if key in settings]
    if len(offers) == 1 and not answer.note and not offers[0][1] and not is_switch(offers[0][0].hint):
        return [(offers[0][0], value)]
    return offers


def written(setting: Setting, value: str, style: Style, arguments: Sequence[str]) -> str:
    """A setting as one writes it on the command line, in YAML or in Python."""
    if style == "flag":
        return setting.key.upper() if setting.key in arguments else as_flag(setting, value)
    return as_yaml(setting, value) if style == "yaml" else as_keyword(setting, value)


def as_flag(setting: Setting, value: str) -> str:
    """`--dtype bf16`, `--no-report`."""
    return f"--no-{setting.flag[2:]}" if value == OFF else f"{setting.flag} {value}".rstrip()


def as_yaml(setting: Setting, value: str) -> str:
    """`dtype: bf16`, `lora: {r: 16}`; the key alone where no value is meant."""
    section, _, field = setting.key.rpartition(".")
    inner = f"{field}: {'false' if value == OFF else value}"
    if not value:
        return repr(setting.key)
    return f"`{section}: {{{inner}}}`" if section else f"`{inner}`"


def as_keyword(setting: Setting, value: str) -> str:
    """`dtype='bf16'`, `lora={'r': 16}`; the name alone where no value is meant."""
    section, _, field = setting.key.rpartition(".")
    shown = "False" if value == OFF else value if value.isdigit() else repr(value)
    if section:
        return f"{section}={{{field!r}: {shown if value else '...'}}}"
    return f"{field}={shown}" if value else repr(field)
