"""The overview of all commands, and the help of one: its options in groups, wrapped to the width of the screen."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from rewardsmith.language import display_width, padded, say, wrapped
from rewardsmith.manual.guides import GUIDES
from rewardsmith.manual.table import Command
from rewardsmith.terminal import wants_colour

if TYPE_CHECKING:
    from rewardsmith.settings import Setting


@dataclass(frozen=True)
class Screen:
    """What the help is shown on: how many columns it has, and whether it shows colours."""

    columns: int = 80
    colours: bool = False


PLAIN = Screen()
NARROWEST, WIDEST = 40, 120
"""Columns between which the help follows the terminal: longer lines are hard to read."""
HEADING_COLOUR, PLAIN_COLOUR = "\x1b[1;36m", "\x1b[0m"

ARGUMENTS, OPTIONS, GENERAL = "Arguments", "Options", "General"
EXAMPLE, DOCUMENTATION = "Example", "Documentation"
HEADINGS = (ARGUMENTS, OPTIONS, GENERAL, EXAMPLE, DOCUMENTATION)

SHORT_FLAGS: Mapping[str, str] = {"output": "-o"}
COMMON_OPTIONS = (
    ("--config FILE", "YAML file with settings (train: or the name of a recipe); flags win over it."),
    ("--lang {en,zh}", "Language of messages and reports (default: REWARDSMITH_LANG, else the locale)."),
    ("--json", "Print a single JSON object to standard output."),
    ("-h, --help", "Show this help and exit."),
)


def kind_of(command: Command) -> type:
    """The Config of a command; imports its module."""
    kind: type = importlib.import_module(command.module).Config
    return kind


def position(setting: "Setting", command: Command) -> int:
    """Where a setting stands: arguments in their order, then the options."""
    return command.positional.index(setting.key) if setting.key in command.positional else len(command.positional)


def label(setting: "Setting", command: Command) -> str:
    """What a setting is called in a refusal: an argument by its name, an option by its flag."""
    return metavar(setting) if setting.key in command.positional else setting.flag


def metavar(setting: "Setting") -> str:
    """What an argument is called in the help."""
    return setting.key.upper()


def screen(stream: TextIO | None) -> Screen:
    """What the help may take of a stream: the columns of the terminal (COLUMNS, else 80, in a pipe), and colours or not."""
    import shutil

    columns = shutil.get_terminal_size().columns
    return Screen(min(WIDEST, max(NARROWEST, columns)), wants_colour(stream))


def overview_of(commands: Mapping[str, Command], screen: Screen = PLAIN) -> str:
    """The help of `rewardsmith` itself, from the table alone: no command is imported."""
    head = "Reward models for RLHF, from preference data to an evaluated model."
    tail = "`rewardsmith COMMAND --help` explains every option; `rewardsmith --version` prints the version."
    lines = [say("usage: rewardsmith COMMAND [options]"), "", *wrapped(say(head), screen.columns)]
    left = max(map(len, commands))
    for group in dict.fromkeys(command.group for command in commands.values()):
        rows = [(name, say(command.summary)) for name, command in commands.items() if command.group == group]
        lines += block(group, rows, left, screen)
    return "\n".join([*lines, "", *wrapped(say(tail), screen.columns), ""])


def help_text(name: str, command: Command, kind: type, screen: Screen = PLAIN) -> str:
    """The help of one command: usage, an example, then each option with its default in its group."""
    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: position(setting, command))
    arguments = [setting for setting in settings if setting.key in command.positional]
    usage = " ".join(["rewardsmith", name, *map(usage_word, arguments), say("[options]")])
    guide = GUIDES.get(name)
    blocks = {
        ARGUMENTS: [(metavar(setting), explained(setting)) for setting in arguments],
        **options_by_group(settings[len(arguments) :], guide.groups if guide else {}),
    }
    longest = max(display_width(left) for rows in blocks.values() for left, _ in rows)
    width = min(34, screen.columns // 3, longest)
    lines = [*wrapped(say(f"usage: {usage}"), screen.columns), ""]
    lines += wrapped(sentence(say(command.summary)), screen.columns)
    if guide:
        lines += ["", heading(EXAMPLE, screen), command_line(guide.example, screen)]
    for title, rows in blocks.items():
        lines += block(title, rows, width, screen)
    if guide:
        lines += ["", heading(DOCUMENTATION, screen), f"  {guide.page}"]
    return "\n".join([*lines, ""])


def command_line(words: str, screen: Screen) -> str:
    """An example as a shell takes it: a backslash where its line is continued."""
    return "  " + " \\\n    ".join(wrapped(f"rewardsmith {words}", screen.columns - 6))


def options_by_group(
    settings: list["Setting"], groups: Mapping[str, tuple[str, ...]]
) -> dict[str, list[tuple[str, str]]]:
    """The rows of each group, then of the options without one, then what every command takes."""
    by_key = {setting.key: (option(setting), explained(setting)) for setting in settings}
    found = {title: [by_key.pop(key) for key in keys if key in by_key] for title, keys in groups.items()}
    common = [(flag, say(words)) for flag, words in COMMON_OPTIONS]
    if not groups:
        return {OPTIONS: [*by_key.values(), *common]}
    return {**found, OPTIONS: list(by_key.values()), GENERAL: common}


def block(title: str, rows: list[tuple[str, str]], width: int, screen: Screen) -> list[str]:
    """The lines of a part of the help behind an empty one, the right side hanging at one column; none without rows."""
    if not rows:
        return []
    lines, indent = ["", heading(title, screen)], " " * (width + 4)
    for left, right in rows:
        first, *others = wrapped(right, screen.columns - len(indent))
        if display_width(left) <= width:
            lines.append(f"  {padded(left, width)}  {first}".rstrip())
        else:
            lines += [f"  {left}", (indent + first).rstrip()]
        lines += [indent + line for line in others]
    return lines


def heading(title: str, screen: Screen) -> str:
    """The title of a part in the language spoken; in colour where the screen has colours."""
    said = say(title)
    said += ":" if said.isascii() else "："
    return f"{HEADING_COLOUR}{said}{PLAIN_COLOUR}" if screen.colours else said


def sentence(summary: str) -> str:
    """A summary as a sentence of its language."""
    return summary[0].upper() + summary[1:] + "." if summary.isascii() else summary + "。"


def usage_word(setting: "Setting") -> str:
    """An argument in the line of usage."""
    from rewardsmith.settings.fields import REQUIRED
    from rewardsmith.settings.values import element

    word = metavar(setting) + ("..." if element(setting.hint) is not None else "")
    return word if setting.default is REQUIRED else f"[{word}]"


def option(setting: "Setting") -> str:
    """A flag with its short form and what it takes."""
    short = f"{SHORT_FLAGS[setting.key]}, " if setting.key in SHORT_FLAGS else ""
    return short + setting.usage


def explained(setting: "Setting") -> str:
    """An option's help with its default."""
    from rewardsmith.settings.fields import REQUIRED
    from rewardsmith.settings.values import is_switch

    text, default = say(setting.help), setting.default
    if default is REQUIRED:
        return f"{text} {say('[required]')}".strip()
    if default is None or default == () or default == "":
        return text
    if is_switch(setting.hint):
        off = setting.flag.replace("--", "--no-", 1)
        return f"{text} {say(f'[on; {off} turns it off]')}" if default else text
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{text} {say(f'[default: {shown}]')}".strip()
