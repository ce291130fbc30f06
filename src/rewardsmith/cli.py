"""The command line: a table of commands, from flags and YAML to a Config, and from a Result or an error to the screen.

Exit codes: 0 done, 1 data, model or machine at fault (one line on standard error), 2 command line or YAML refused (one
line, with a suggestion), 130 interrupted. A bug keeps its traceback. With `--json`, standard output holds exactly one
JSON object: the result, or `{"error": {"type", "message"}}`.
"""

import contextlib
import importlib
import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.terminal import one_line, progress_for

if TYPE_CHECKING:
    from rewardsmith.settings import Setting


@dataclass(frozen=True)
class Command:
    """A command's module (with Config and run), summary, group in the help, and which settings are positional."""

    module: str
    summary: str
    group: str
    positional: tuple[str, ...] = ()


DATA, MODEL, JUDGEMENT, OTHER = "Data", "Model", "Judgement", "Other"
COMMANDS: dict[str, Command] = {
    "demo": Command(
        "rewardsmith.commands.demo", "everything at once, offline, on the built-in data and model", "Start here"
    ),
    "prepare": Command(
        "rewardsmith.commands.prepare", "load any format, check, split; every dropped row is named", DATA, ("sources",)
    ),
    "inspect": Command(
        "rewardsmith.commands.inspect",
        "show what will be scored: tokens, prefix, pooled token, cuts",
        DATA,
        ("source",),
    ),
    "train": Command("rewardsmith.commands.train", "train a reward model on a prepared or raw data set", MODEL),
    "score": Command(
        "rewardsmith.commands.score", "rewards for pairs, rankings or single responses", MODEL, ("model", "source")
    ),
    "import": Command(
        "rewardsmith.commands.import_model", "keep another program's reward model with its contract", MODEL, ("model",)
    ),
    "models": Command(
        "rewardsmith.commands.models", "embedded models; `models get NAME` installs one", MODEL, ("action", "name")
    ),
    "evaluate": Command(
        "rewardsmith.commands.evaluate",
        "accuracy, calibration and baselines, with intervals",
        JUDGEMENT,
        ("model", "sources"),
    ),
    "diagnose": Command(
        "rewardsmith.commands.diagnose", "a written verdict on a run, with plots and one next step", JUDGEMENT, ("run",)
    ),
    "compare": Command("rewardsmith.commands.compare", "paired test between two runs", JUDGEMENT, ("a", "b")),
    "version": Command("rewardsmith.commands.version", "versions of rewardsmith and what it runs on", OTHER),
}
SHORT_FLAGS: Mapping[str, str] = {"output": "-o"}
COMMON_OPTIONS = (
    ("--config FILE", "YAML file with settings; flags win over it."),
    ("--json", "Print one JSON object on standard output and nothing else there."),
    ("-h, --help", "Show this and stop."),
)


@dataclass(frozen=True)
class Request:
    """A parsed command line: the settings given by flags (dotted keys, typed), and the settings file."""

    flags: dict[str, Any]
    config: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; only a bug raises."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in _at_dashes(arguments)[0]
    try:
        return _dispatch(arguments, as_json=as_json)
    except UsageError as error:
        return _refuse(error, code=2, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away; without this, Python complains again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (RewardsmithError, OSError, MemoryError) as error:
        return _refuse(error, code=1, as_json=as_json)


def _refuse(error: BaseException, *, code: int, as_json: bool) -> int:
    message = one_line(str(error)) or type(error).__name__
    if isinstance(error, MemoryError):
        message = "out of memory; use smaller batches or less data"
    sys.stderr.write(f"error: {message}\n")
    if as_json:
        _write_json({"error": {"type": type(error).__name__, "message": message}})
    return code


def _write_json(value: Any) -> None:
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _dispatch(arguments: list[str], *, as_json: bool) -> int:
    if not arguments or arguments[0] in ("--help", "-h"):
        sys.stdout.write(overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from rewardsmith.version import VERSION

        sys.stdout.write(f"rewardsmith {VERSION}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        from rewardsmith.settings.values import nearest

        if name.startswith("-"):
            raise UsageError(f"unexpected {name!r}; options stand after the command, as in `rewardsmith train {name}`")
        raise UsageError(f"unknown command {name!r}.{nearest(name, COMMANDS)} See `rewardsmith --help`")
    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    options, others = _at_dashes(rest)
    if "--help" in options or "-h" in options:
        sys.stdout.write(help_text(name, command, module.Config))
        return 0
    words = [word for word in options if word != "--json"] + others
    return _run(name, module, _resolve(name, command, module.Config, words), as_json=as_json)


def _at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before `--`, and those from it on, which are never options."""
    cut = words.index("--") if "--" in words else len(words)
    return words[:cut], words[cut:]


def _run(name: str, module: Any, config: Any, *, as_json: bool) -> int:
    try:
        # A library that prints must not spoil the one JSON object, nor mix with the result's text.
        with contextlib.redirect_stdout(sys.stderr):
            result = module.run(config, progress=progress_for())
            output = result.to_json() if as_json else shown(result)
    except KeyboardInterrupt:
        return _interrupted(name, config, as_json=as_json)
    if as_json:
        _write_json(output)
    else:
        sys.stdout.write(output.rstrip("\n") + "\n")
        sys.stdout.flush()
    return 0


def shown(result: Any) -> str:
    """A result as text; in colours where it has some and standard output is a terminal that wants them."""
    colours = sys.__stdout__ is not None and sys.__stdout__.isatty() and "NO_COLOR" not in os.environ
    return str(result.to_coloured_text() if colours and hasattr(result, "to_coloured_text") else result.to_text())


def _interrupted(name: str, config: Any, *, as_json: bool) -> int:
    message = "interrupted"
    if hasattr(config, "resume") and getattr(config, "output", None):
        message += f"; what is finished is kept in {config.output}; the same command with --resume goes on from there"
    sys.stderr.write(f"\n{one_line(message)}\n")
    if as_json:
        _write_json({"error": {"type": "Interrupted", "message": one_line(message)}})
    return 130


def _resolve(name: str, command: Command, kind: type, words: list[str]) -> Any:
    from rewardsmith.settings import build, read_yaml

    request = _parse(name, command, kind, words)
    values = read_yaml(request.config, kind) if request.config else {}
    return build(kind, values | request.flags)


def _parse(name: str, command: Command, kind: type, words: list[str]) -> Request:
    """Split the words into flags with cyclopts, then type them; every refusal is a UsageError of one line."""
    import cyclopts

    from rewardsmith.settings import settings_of
    from rewardsmith.settings.values import from_words

    def target() -> None:
        """Stands for the command; only its signature is used."""

    target.__signature__ = _signature(command, kind)  # type: ignore[attr-defined]
    app = cyclopts.App(name=f"rewardsmith {name}", help_flags=[], version_flags=[])
    app.default(target)
    try:
        bound = app.parse_args(words, exit_on_error=False, print_error=False)[1]
    except cyclopts.UnusedCliTokensError as error:
        extra = ", ".join(repr(word) for word in error.unused_tokens or ())
        raise UsageError(f"unexpected {extra}. See `rewardsmith {name} --help`") from error
    except cyclopts.CycloptsError as error:
        raise UsageError(f"{one_line(str(error))} See `rewardsmith {name} --help`") from error
    given = dict(bound.arguments)
    flags: dict[str, Any] = {}
    for setting in settings_of(kind):
        key = _parameter(setting)
        if key not in given:
            continue
        value = given[key]
        try:
            flags[setting.key] = value if isinstance(value, bool) else from_words(value, setting.hint)
        except UsageError as error:
            raise UsageError(f"{_label(setting, command)}: {error}") from error
    return Request(flags, given.get("config"))


def _signature(command: Command, kind: type) -> inspect.Signature:
    """A signature for cyclopts: all words are text and nothing has a default, so that what was given can be told."""
    from typing import Annotated

    from cyclopts import Parameter

    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: _position(setting, command))
    parameters = []
    for setting in settings:
        is_positional = setting.key in command.positional
        # Where no argument is positional, `--dataset a b` cannot be misread; elsewhere the flag is repeated.
        parameter = Parameter(name=_flags(setting, kind), consume_multiple=not command.positional)
        annotation: Any = Annotated[_shape(setting), parameter]
        way = inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(_parameter(setting), way, default=None, annotation=annotation))
    shape: Any = Annotated[Path, Parameter(name="--config")]
    parameters.append(inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=shape))
    return inspect.Signature(parameters)


def _position(setting: "Setting", command: Command) -> int:
    return command.positional.index(setting.key) if setting.key in command.positional else len(command.positional)


def _parameter(setting: "Setting") -> str:
    return setting.key.replace(".", "__")


def _shape(setting: "Setting") -> Any:
    """How many words the setting takes, as the type that cyclopts sees."""
    from rewardsmith.settings.values import element, is_switch, length

    if is_switch(setting.hint):
        return bool
    if element(setting.hint) is None:
        return str
    count = length(setting.hint)
    return GenericAlias(tuple, (str,) * count if count else (str, ...))


def _flags(setting: "Setting", kind: type) -> tuple[str, ...]:
    from rewardsmith.settings.fields import names

    flags = [setting.flag]
    if setting.key in SHORT_FLAGS:
        flags.append(SHORT_FLAGS[setting.key])
    flags += ["--" + name.replace("_", "-") for name, other in names(kind).items() if other is setting]
    return tuple(dict.fromkeys(flags))


def _label(setting: "Setting", command: Command) -> str:
    return _metavar(setting) if setting.key in command.positional else setting.flag


def _metavar(setting: "Setting") -> str:
    return setting.key.upper()


def overview() -> str:
    """The help of `rewardsmith` itself, from the table alone: no command is imported."""
    lines = ["usage: rewardsmith COMMAND [options]", "", "Reward models for RLHF, from preference data to a verdict."]
    width = max(map(len, COMMANDS))
    for group in dict.fromkeys(command.group for command in COMMANDS.values()):
        lines += ["", f"{group}:"]
        lines += [
            f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items() if command.group == group
        ]
    lines += ["", "`rewardsmith COMMAND --help` explains every option; `rewardsmith --version` prints the version.", ""]
    return "\n".join(lines)


def help_text(name: str, command: Command, kind: type) -> str:
    """The help of one command: usage, then one line per option with its default."""
    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: _position(setting, command))
    arguments = [setting for setting in settings if setting.key in command.positional]
    usage = " ".join(["rewardsmith", name, *map(_usage_word, arguments), "[options]"])
    rows = [(_metavar(setting), _explained(setting)) for setting in arguments]
    options = [(_option(setting), _explained(setting)) for setting in settings if setting not in arguments]
    options += COMMON_OPTIONS
    width = min(34, max(len(left) for left, _ in rows + options))
    parts = [f"usage: {usage}", "", command.summary[0].upper() + command.summary[1:] + "."]
    for title, block in (("arguments:", rows), ("options:", options)):
        if block:
            parts += ["", title, *(f"  {left:<{width}}  {right}".rstrip() for left, right in block)]
    return "\n".join([*parts, ""])


def _usage_word(setting: "Setting") -> str:
    from rewardsmith.settings.fields import REQUIRED
    from rewardsmith.settings.values import element

    word = _metavar(setting) + ("..." if element(setting.hint) is not None else "")
    return word if setting.default is REQUIRED else f"[{word}]"


def _option(setting: "Setting") -> str:
    short = f"{SHORT_FLAGS[setting.key]}, " if setting.key in SHORT_FLAGS else ""
    return short + setting.usage


def _explained(setting: "Setting") -> str:
    from rewardsmith.settings.fields import REQUIRED
    from rewardsmith.settings.values import is_switch

    default = setting.default
    if default is REQUIRED:
        return f"{setting.help} [required]".strip()
    if default is None or default == () or default == "":
        return setting.help
    if is_switch(setting.hint):
        return (
            f"{setting.help} [on; {setting.flag.replace('--', '--no-', 1)} turns it off]" if default else setting.help
        )
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{setting.help} [default: {shown}]".strip()
