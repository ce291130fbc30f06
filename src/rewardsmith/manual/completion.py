"""`rewardsmith completion`: a script that completes commands, options and their values in bash, zsh or fish.

The script holds all words itself, so that no key press starts a Python; it has to be made again after an update. What it
has no words for is left to the shell, which completes names of files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args, get_origin

from rewardsmith.language import say
from rewardsmith.manual.help import SHORT_FLAGS, kind_of
from rewardsmith.manual.table import COMMANDS
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.settings import Setting

ShellName = Literal["bash", "zsh", "fish"]
SCRIPT = Path(__file__).with_name("completion.bash")
GENERAL = (("--config", ""), ("--lang", "en zh"))
"""What every command takes, with its words."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith completion`."""

    shell: ShellName
    """Shell to print the script for: bash, zsh or fish."""


@dataclass(frozen=True)
class Result:
    """The script for one shell."""

    shell: str
    script: str
    quotes_data: ClassVar[bool] = True  # code, of which no word may be translated

    def to_json(self) -> dict[str, Any]:
        """`shell` and `script`."""
        return {"shell": self.shell, "script": self.script}

    def to_text(self) -> str:
        """The script."""
        return self.script


@dataclass(frozen=True)
class Option:
    """One flag: whether it takes no value or several, the words it may be followed by, and its help."""

    flag: str
    short: str
    is_switch: bool
    is_on: bool
    is_list: bool
    words: str
    help: str

    @property
    def written(self) -> str:
        """The flag that changes something: `--no-report` of a switch that is on by default."""
        return off(self.flag) if self.is_on else self.flag


@dataclass(frozen=True)
class Completed:
    """What can be completed of one command: its options, and the words of each argument."""

    name: str
    summary: str
    options: tuple[Option, ...]
    arguments: tuple[str, ...]


def run(config: Config, progress: Progress = SILENT) -> Result:
    """The script for `config.shell`, of all commands as they are now."""
    commands = [completed(name) for name in COMMANDS]
    scripts = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
    return Result(config.shell, scripts[config.shell](commands))


def completed(name: str) -> Completed:
    """All that can be completed of a command; imports its module."""
    from rewardsmith.settings import settings_of

    command = COMMANDS[name]
    settings = {setting.key: setting for setting in settings_of(kind_of(command))}
    arguments = tuple(words_of(settings[key], name) for key in command.positional)
    options = tuple(option_of(each, name) for key, each in settings.items() if key not in command.positional)
    return Completed(name, command.summary, options, arguments)


def option_of(setting: "Setting", name: str) -> Option:
    """An option of a command, as a shell has to know it."""
    from rewardsmith.settings.values import element, is_switch, length

    several = element(setting.hint) is not None and length(setting.hint) is None
    short = SHORT_FLAGS.get(setting.key, "")
    switch = is_switch(setting.hint)
    is_on = switch and setting.default is True
    return Option(setting.flag, short, switch, is_on, several, words_of(setting, name), setting.help)


def words_of(setting: "Setting", name: str) -> str:
    """The words that a value may be, separated by spaces; empty for numbers, texts and names of files."""
    from rewardsmith.settings.values import arms, element

    hint = element(setting.hint) or setting.hint
    choices = [str(choice) for arm in arms(hint) if get_origin(arm) is Literal for choice in get_args(arm)]
    return " ".join(choices or known_words(setting.key, name))


def known_words(key: str, name: str) -> tuple[str, ...]:
    """The words of a setting that is text in the Config because other values are allowed, or are checked later."""
    from rewardsmith.model.loading.embedded import EMBEDDED_MODELS
    from rewardsmith.pipelines.prepare.cross_row import REMOVABLE
    from rewardsmith.track.trackers import TRACKERS

    if name in ("models", "config"):
        return tuple(EMBEDDED_MODELS if name == "models" else COMMANDS)
    words = {
        "model": ("tiny", *EMBEDDED_MODELS),
        "device": ("auto", "cpu", "cuda", "mps"),
        "remove": tuple(REMOVABLE),
        "track": tuple(TRACKERS),
    }
    return words.get(key, ())


def bash_script(commands: list[Completed]) -> str:
    """The script for bash: one function, and a table of the commands."""
    cases = "\n".join(line for command in commands for line in bash_case(command))
    names = " ".join(command.name for command in commands)
    return SCRIPT.read_text(encoding="utf-8").replace("@COMMANDS@", names).replace("@CASES@", cases)


def zsh_script(commands: list[Completed]) -> str:
    """The same for zsh, which runs bash's own completions."""
    return ZSH_HEAD + bash_script(commands)


ZSH_HEAD = """(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
autoload -Uz bashcompinit && bashcompinit
"""


def bash_case(command: Completed) -> list[str]:
    """The lines of a command in the table of the bash script."""
    switches = [flag for each in command.options if each.is_switch for flag in (each.flag, off(each.flag))]
    flags = [flag for each in command.options for flag in (each.written, each.short) if flag]
    return [
        f"    {command.name})",
        f'      options="{" ".join(flags)}"',
        f'      switches="{" ".join(switches)}"',
        f'      lists="{" ".join(each.flag for each in command.options if each.is_list)}"',
        "      case $option in",
        *(f'        {place}) words="{words}" ;;' for place, words in places_with_words(command)),
        "      esac",
        "      ;;",
    ]


def places_with_words(command: Completed) -> Iterator[tuple[str, str]]:
    """Each option, and each argument as `#0`, that takes known words."""
    yield from ((option.flag, option.words) for option in command.options if option.words)
    yield from ((f'"#{number}"', words) for number, words in enumerate(command.arguments) if words)


FISH_HEAD = """# Completion of rewardsmith, written by `rewardsmith completion`; print it again after an update.
function __rewardsmith_command
    set -l words (commandline -opc)
    test "$words[2]" = "$argv[1]"
end
complete -c rewardsmith -e"""


def fish_script(commands: list[Completed]) -> str:
    """The script for fish, which shows what each option means, in the language spoken."""
    lines = [FISH_HEAD]
    for command in commands:
        named = f"-f -a {command.name} -d {quoted(say(command.summary))}"
        lines.append(f"complete -c rewardsmith -n '__rewardsmith_command \"\"' {named}")
    for command in commands:
        inside = f"complete -c rewardsmith -n '__rewardsmith_command {command.name}'"
        lines += [f"{inside} {fish_option(option)}" for option in command.options]
        lines += [f"{inside} -l {flag[2:]} -r" + (f" -a {quoted(words)}" if words else "") for flag, words in GENERAL]
        lines += [f"{inside} -l {flag}" for flag in ("json", "help")]
        lines += [f"{inside} -a {quoted(words)}" for words in command.arguments if words]
    return "\n".join([*lines, ""])


def fish_option(option: Option) -> str:
    """The words of `complete` for an option."""
    short = f" -s {option.short[1:]}" if option.short else ""
    value = "" if option.is_switch else " -r"
    words = f" -a {quoted(option.words)}" if option.words else ""
    meaning = f"{say('turns this off:')} {say(option.help)}" if option.is_on else say(option.help)
    return f"-l {option.written[2:]}{short}{value}{words} -d {quoted(meaning)}"


def off(flag: str) -> str:
    """The flag that turns a switch off."""
    return flag.replace("--", "--no-", 1)


def quoted(text: str) -> str:
    """A text in fish's single quotes, in which only these two characters mean something."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
