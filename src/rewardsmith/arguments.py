"""From the words of a command line, and a settings file, to a Config; every refusal is a UsageError of one line."""

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.manual import SHORT_FLAGS, Command, label, metavar, position
from rewardsmith.terminal import one_line

if TYPE_CHECKING:
    from rewardsmith.settings import Setting

RECIPES_FOR = ("rewardsmith.pipelines.train.config", "rewardsmith.pipelines.tune.config")


@dataclass(frozen=True)
class Request:
    """A parsed command line: the settings given by flags (dotted keys, typed), and the settings file."""

    flags: dict[str, Any]
    config: Path | None


def resolve(name: str, command: Command, kind: type, words: list[str]) -> Any:
    """The Config of a command from the words behind its name; flags win over the settings file."""
    from rewardsmith.settings import build, read_yaml

    request = parse(name, command, kind, words)
    values = read_yaml(settings_file(request.config, kind), kind) if request.config else {}
    given = values | request.flags
    refuse_missing(name, command, kind, given)
    return build(kind, given)


def refuse_missing(name: str, command: Command, kind: type, given: Collection[str]) -> None:
    """UsageError for an argument that is not there, by the name that the help has for it."""
    from rewardsmith.settings import settings_of
    from rewardsmith.settings.fields import REQUIRED

    for setting in settings_of(kind):
        if setting.default is REQUIRED and setting.key not in given and setting.key in command.positional:
            lists = [other.flag for other in settings_of(kind) if other.key in given and takes_several(other)]
            several = f"; words behind {' or '.join(lists)} belong to that option" if lists else ""
            usage = " ".join(["rewardsmith", name, *map(str.upper, command.positional)])
            raise UsageError(f"{metavar(setting)} is missing; expected `{usage}`{several}")


def settings_file(path: Path, kind: type) -> Path:
    """The file itself, or the recipe of that name; recipes are settings of `train`, and so of `tune`."""
    recipes = {file.stem: file for file in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}
    if path.exists() or path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or kind.__module__ not in RECIPES_FOR:
        return path
    if path.name not in recipes:
        raise UsageError(
            f"--config {path}: neither a local file nor a recipe (a settings file that comes with rewardsmith); "
            f"recipes: {', '.join(recipes)}"
        )
    return recipes[path.name]


def parse(name: str, command: Command, kind: type, words: list[str]) -> Request:
    """Split the words into flags with cyclopts, then type them; every refusal is a UsageError of one line."""
    import cyclopts

    from rewardsmith.settings.elsewhere import suggestion

    def target() -> None:
        """Stands for the command; only its signature is used."""

    target.__signature__ = signature(command, kind)  # type: ignore[attr-defined]
    app = cyclopts.App(name=f"rewardsmith {name}", help_flags=[], version_flags=[])
    app.default(target)
    try:
        bound = app.parse_args(words, exit_on_error=False, print_error=False)[1]
    except cyclopts.UnknownOptionError as error:
        option = error.token.keyword or error.token.value
        hint = suggestion(option, kind, "flag", command.positional, value_behind(option, words))
        raise UsageError(f"unknown option {option}.{hint} See `rewardsmith {name} --help`") from error
    except cyclopts.UnusedCliTokensError as error:
        raise UsageError(unexpected(name, command, kind, error.unused_tokens or ())) from error
    except cyclopts.CycloptsError as error:
        raise UsageError(f"{one_line(str(error))} See `rewardsmith {name} --help`") from error
    given = dict(bound.arguments)
    return Request(typed_flags(given, command, kind), given.get("config"))


def typed_flags(given: Mapping[str, Any], command: Command, kind: type) -> dict[str, Any]:
    """What was given, typed, by the keys of the settings."""
    from rewardsmith.settings import settings_of
    from rewardsmith.settings.values import from_words
    from rewardsmith.settings.values import words as words_for

    flags: dict[str, Any] = {}
    for setting in settings_of(kind):
        key = parameter_name(setting)
        if key not in given:
            continue
        value = given[key]
        try:
            if value == ():
                raise UsageError(f"got no value, expected {words_for(setting.hint)}")
            flags[setting.key] = value if isinstance(value, bool) else from_words(value, setting.hint)
        except UsageError as error:
            raise UsageError(f"{label(setting, command)}: {error}") from error
    return flags


def value_behind(option: str, words: list[str]) -> str:
    """What was given to an option: the word behind it, or behind its `=`; empty where there is none."""
    if "=" in option:
        return option.partition("=")[2]
    following = words[words.index(option) + 1 :] if option in words else []
    return following[0] if following and not following[0].startswith("-") else ""


def takes_several(setting: "Setting") -> bool:
    """Whether the words behind a flag all belong to it, up to the next option."""
    from rewardsmith.settings.values import element, length

    return element(setting.hint) is not None and length(setting.hint) is None


def unexpected(name: str, command: Command, kind: type, words: Iterable[str]) -> str:
    """The refusal of words that no option takes; a command without arguments says which options do."""
    from rewardsmith.settings import settings_of
    from rewardsmith.settings.fields import REQUIRED

    extra = ", ".join(map(repr, words))
    needed = " ".join(setting.usage for setting in settings_of(kind) if setting.default is REQUIRED)
    hint = f" {name} takes options only: {needed}." if needed and not command.positional else ""
    return f"unexpected {extra}.{hint} See `rewardsmith {name} --help`"


def signature(command: Command, kind: type) -> inspect.Signature:
    """A signature for cyclopts: all words are text and nothing has a default, so that what was given can be told."""
    from typing import Annotated

    from cyclopts import Parameter

    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: position(setting, command))
    parameters = []
    for setting in settings:
        is_positional = setting.key in command.positional
        parameter = Parameter(name=flags_of(setting, kind), consume_multiple=True)
        # `| None` for the default: where some other library has imported pydantic, cyclopts checks defaults with it.
        annotation: Any = Annotated[shape_of(setting) | None, parameter]
        way = inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(parameter_name(setting), way, default=None, annotation=annotation))
    for flag, shape in (("config", Path), ("lang", str)):
        annotation = Annotated[shape | None, Parameter(name=f"--{flag}")]
        parameters.append(inspect.Parameter(flag, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return inspect.Signature(parameters)


def parameter_name(setting: "Setting") -> str:
    """A setting as a name that Python allows."""
    return setting.key.replace(".", "__")


def shape_of(setting: "Setting") -> Any:
    """How many words the setting takes, as the type that cyclopts sees."""
    from rewardsmith.settings.values import element, is_switch, length

    if is_switch(setting.hint):
        return bool
    if element(setting.hint) is None:
        return str
    count = length(setting.hint)
    return GenericAlias(tuple, (str,) * count if count else (str, ...))


def flags_of(setting: "Setting", kind: type) -> tuple[str, ...]:
    """Every flag of a setting: its own, a short one, and its aliases."""
    from rewardsmith.settings.fields import names

    flags = [setting.flag]
    if setting.key in SHORT_FLAGS:
        flags.append(SHORT_FLAGS[setting.key])
    flags += ["--" + name.replace("_", "-") for name, other in names(kind).items() if other is setting]
    return tuple(dict.fromkeys(flags))
