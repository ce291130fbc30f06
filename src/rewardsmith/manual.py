"""The help of the command line, in the language spoken: the overview of commands, and one line per option of a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewardsmith.language import display_width, padded, say

if TYPE_CHECKING:
    from rewardsmith.settings import Setting


@dataclass(frozen=True)
class Command:
    """A command's module (with Config and run), summary, group in the help, and which settings are positional."""

    module: str
    summary: str
    group: str
    positional: tuple[str, ...] = ()


SHORT_FLAGS: Mapping[str, str] = {"output": "-o"}
COMMON_OPTIONS = (
    ("--config FILE", "YAML file with settings (train: or the name of a recipe); flags win over it."),
    ("--lang {en,zh}", "Language of messages and reports (default: REWARDSMITH_LANG, else the locale)."),
    ("--json", "Print a single JSON object to standard output."),
    ("-h, --help", "Show this help and exit."),
)


def position(setting: "Setting", command: Command) -> int:
    """Where a setting stands: arguments in their order, then the options."""
    return command.positional.index(setting.key) if setting.key in command.positional else len(command.positional)


def label(setting: "Setting", command: Command) -> str:
    """What a setting is called in a refusal: an argument by its name, an option by its flag."""
    return metavar(setting) if setting.key in command.positional else setting.flag


def metavar(setting: "Setting") -> str:
    """What an argument is called in the help."""
    return setting.key.upper()


def overview_of(commands: Mapping[str, Command]) -> str:
    """The help of `rewardsmith` itself, from the table alone: no command is imported."""
    lines = [
        "usage: rewardsmith COMMAND [options]",
        "",
        ("Reward models for RLHF, from preference data to an evaluated model."),
    ]
    width = max(map(len, commands))
    for group in dict.fromkeys(command.group for command in commands.values()):
        lines += ["", say(group) + (":" if say(group).isascii() else "：")]
        lines += [
            f"  {name:<{width}}  {say(command.summary)}" for name, command in commands.items() if command.group == group
        ]
    lines += ["", "`rewardsmith COMMAND --help` explains every option; `rewardsmith --version` prints the version.", ""]
    return say("\n".join(lines))


def help_text(name: str, command: Command, kind: type) -> str:
    """The help of one command: usage, then one line per option with its default."""
    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: position(setting, command))
    arguments = [setting for setting in settings if setting.key in command.positional]
    usage = " ".join(["rewardsmith", name, *map(usage_word, arguments), say("[options]")])
    rows = [(metavar(setting), explained(setting)) for setting in arguments]
    options = [(option(setting), explained(setting)) for setting in settings if setting not in arguments]
    options += [(flag, say(words)) for flag, words in COMMON_OPTIONS]
    width = min(34, max(display_width(left) for left, _ in rows + options))
    head = [say(f"usage: {usage}"), "", sentence(say(command.summary))]
    return "\n".join([*head, *block("arguments:", rows, width), *block("options:", options, width), ""])


def block(title: str, rows: list[tuple[str, str]], width: int) -> list[str]:
    """The lines of a part of the help behind an empty one; none without rows."""
    if not rows:
        return []
    return ["", say(title), *(f"  {padded(left, width)}  {right}".rstrip() for left, right in rows)]


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
