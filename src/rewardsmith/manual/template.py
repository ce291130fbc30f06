"""`rewardsmith config`: a settings file with every option of a command, its default and its help, to be edited.

The file is one that `--config` takes as it is. An option without a default is a comment, to be filled in.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rewardsmith.errors import UsageError
from rewardsmith.language import say, wrapped
from rewardsmith.manual.guides import GUIDES
from rewardsmith.manual.help import ARGUMENTS, GENERAL, OPTIONS, kind_of
from rewardsmith.manual.table import COMMANDS
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.settings import Setting

COLUMNS = 100


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith config`."""

    command: str
    """Command whose options are listed, for example train."""


@dataclass(frozen=True)
class Result:
    """The settings file of a command."""

    command: str
    text: str
    quotes_data: ClassVar[bool] = True  # translated here, so that no value is

    def to_json(self) -> dict[str, Any]:
        """`command`, and `template`: the text of the file."""
        return {"command": self.command, "template": self.text}

    def to_text(self) -> str:
        """The file."""
        return self.text


def run(config: Config, progress: Progress = SILENT) -> Result:
    """The settings file of `config.command` in the language spoken; UsageError for a command that does not exist."""
    from rewardsmith.settings.elsewhere import command_meant

    if config.command not in COMMANDS:
        hint = command_meant(config.command, COMMANDS)
        raise UsageError(f"unknown command {config.command!r}.{hint} See `rewardsmith --help`")
    return Result(config.command, template(config.command))


def template(name: str) -> str:
    """The settings file of a command, its options in the groups of the help."""
    head = (
        f"Settings of `rewardsmith {name}`. Edit the file and run `rewardsmith {name} --config FILE`; flags win over it. "
        "Lines without # are the defaults."
    )
    lines = list(comment(say(head)))
    for title, settings in grouped(name).items():
        lines += ["", f"# ---- {say(title)} ----"]
        lines += section_lines(settings)
    return "\n".join([*lines, ""])


def grouped(name: str) -> dict[str, list["Setting"]]:
    """All settings of a command by the groups of its help: arguments first, then the language at the end."""
    from rewardsmith.settings import settings_of
    from rewardsmith.settings.fields import LANG

    left = {setting.key: setting for setting in settings_of(kind_of(COMMANDS[name]))}
    wanted = {ARGUMENTS: COMMANDS[name].positional, **GUIDES[name].groups}
    found = {title: [left.pop(key) for key in keys] for title, keys in wanted.items()}
    found[OPTIONS] = list(left.values())
    return {title: settings for title, settings in {**found, GENERAL: [LANG]}.items() if settings}


def section_lines(settings: Iterable["Setting"]) -> Iterator[str]:
    """The lines of some settings; those of a nested one (`lora.r`) stand below its name.

    Where that name is a setting itself (`loss`), which YAML cannot have twice, they stand beside it as `loss_center`.
    """
    settings = list(settings)
    values = {setting.path for setting in settings}
    above: tuple[str, ...] = ()
    for setting in settings:
        yield ""
        inner = () if setting.path[:-1] in values else setting.path[:-1]
        if inner and inner != above:
            yield f"{'.'.join(inner)}:"
        above = inner
        indent = "  " if inner else ""
        key = setting.path[-1] if inner else "_".join(setting.path)
        yield from (indent + line for line in setting_lines(setting, key))


def setting_lines(setting: "Setting", key: str) -> Iterator[str]:
    """The help of a setting as a comment, and its line: active with a default, a comment without one."""
    from rewardsmith.settings.fields import REQUIRED
    from rewardsmith.settings.values import element, placeholder
    from rewardsmith.settings.yaml_file import inline

    required = setting.default is REQUIRED
    yield from comment(f"{say(setting.help)} {say('[required]') if required else ''}".strip())
    if not required and setting.default not in (None, (), ""):
        yield f"{key}: {inline(setting.default)}"
        return
    shown = placeholder(setting.hint)
    yield f"# {key}: {f'[{shown}]' if element(setting.hint) is not None else shown}"


def comment(text: str) -> Iterator[str]:
    """A text as comment lines."""
    return (f"# {line}" for line in wrapped(text, COLUMNS))
