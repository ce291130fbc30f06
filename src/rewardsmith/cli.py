"""The command line: a table of commands, from flags and YAML to a Config, and from a Result or an error to the screen.

Exit codes: 0 done, 1 data, model or machine at fault (one line on standard error; of `verify`, its result), 2 command line
or YAML refused (one line, with a suggestion), 128 + N ended by signal N (130 Ctrl-C, 143 SIGTERM, 129 SIGHUP). A bug keeps
its traceback. With `--json`, standard output holds exactly one JSON object: the result, or `{"error": {"type", "message"}}`.
"""

import contextlib
import importlib
import inspect
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from signal import Signals
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from rewardsmith import launch
from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.language import Language, language_of, of_environment, say, shows_chinese, speaking
from rewardsmith.launch.redaction import redacted
from rewardsmith.launch.signals import number_of
from rewardsmith.manual import SHORT_FLAGS, Command, help_text, label, overview_of, position
from rewardsmith.terminal import lasting_errors, leave, one_line, progress_for, write_anything

if TYPE_CHECKING:
    from rewardsmith.settings import Setting


DATA, MODEL, JUDGEMENT, OTHER = "Data", "Model", "Judgement", "Other"
COMMANDS: dict[str, Command] = {
    "demo": Command(
        "rewardsmith.commands.demo", "the whole workflow offline, on synthetic data and a tiny model", "Start here"
    ),
    "prepare": Command(
        "rewardsmith.commands.prepare",
        ("load any format, check and split the data; every dropped row is listed"),
        DATA,
        ("sources",),
    ),
    "inspect": Command(
        "rewardsmith.commands.inspect",
        "show the input of the model: tokens, shared prefix, pooled token, truncation",
        DATA,
        ("source",),
    ),
    "train": Command("rewardsmith.commands.train", "train a reward model on a prepared or raw data set", MODEL),
    "score": Command(
        "rewardsmith.commands.score", "rewards for pairs, rankings or single responses", MODEL, ("model", "source")
    ),
    "card": Command("rewardsmith.commands.card", "write the model card, README.md beside the weights", MODEL, ("run",)),
    "push": Command(
        "rewardsmith.commands.push", "upload a model with its card to the Hugging Face hub", MODEL, ("model", "name")
    ),
    "import": Command(
        "rewardsmith.commands.import_",
        ("import a reward model of another program and store its scoring contract"),
        MODEL,
        ("model",),
    ),
    "models": Command(
        "rewardsmith.commands.models",
        ("models that need no download from the Hub; `models get NAME` installs one"),
        MODEL,
        ("action", "name"),
    ),
    "evaluate": Command(
        "rewardsmith.commands.evaluate",
        "accuracy, calibration and baselines, with intervals",
        JUDGEMENT,
        ("model", "sources"),
    ),
    "diagnose": Command(
        "rewardsmith.commands.diagnose",
        ("a report on a run: verdict, findings, plots and one next step"),
        JUDGEMENT,
        ("run",),
    ),
    "verify": Command(
        "rewardsmith.commands.verify",
        "check that a run or a model is unchanged since it was written",
        JUDGEMENT,
        ("place",),
    ),
    "compare": Command("rewardsmith.commands.compare", "paired test between two runs", JUDGEMENT, ("a", "b")),
    "bench": Command("rewardsmith.commands.bench", "how fast this machine trains and scores, in tables", OTHER),
    "version": Command("rewardsmith.commands.version", "versions of rewardsmith and of the software it uses", OTHER),
}
TOGETHER = ("train",)
"""Commands that several processes run together, started by torchrun or accelerate."""
RECIPES_FOR = "rewardsmith.pipelines.train.config"
LANG_LINE = re.compile(rb"^lang: *['\"]?(en|zh)\b", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """A parsed command line: the settings given by flags (dotted keys, typed), and the settings file."""

    flags: dict[str, Any]
    config: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; only a bug raises."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in _at_dashes(arguments)[0]
    launch.begin()
    for stream in (sys.stdout, sys.stderr):
        write_anything(stream)
    with lasting_errors():
        try:
            asked = asked_language(arguments)
        except UsageError as error:
            with speaking("en"):
                return _refuse(error, code=2, as_json=as_json)
        with speaking(asked):
            return _run_guarded(arguments, as_json=as_json)


def asked_language(arguments: Sequence[str]) -> Language:
    """The language of --lang, else of the environment; a locale counts only where the screen can show its language."""
    words = _at_dashes(list(arguments))[0]
    for word, following in pairwise([*words, None]):
        if word == "--lang" and following is not None:
            return language_of(following, "--lang")
        if word is not None and word.startswith("--lang="):
            return language_of(word.removeprefix("--lang="), "--lang")
    if "--config" in words[:-1] and (written := language_in(Path(words[words.index("--config") + 1]))):
        return language_of(written, "lang")
    return of_environment(by_locale=shows_chinese(sys.stdout) and shows_chinese(sys.stderr))


def language_in(path: Path) -> str | None:
    """The language that a settings file asks for, looked up before the file is read: what it refuses is said in it."""
    try:
        found = LANG_LINE.search(path.read_bytes())
    except OSError:
        return None
    return found[1].decode() if found else None


def _run_guarded(arguments: list[str], *, as_json: bool) -> int:
    try:
        return _dispatch(arguments, as_json=as_json)
    except UsageError as error:
        return _refuse(error, code=2, as_json=as_json)
    except KeyboardInterrupt as error:
        return _interrupted(error, as_json=as_json)
    except OutputGone:
        return 1
    except (RewardsmithError, OSError, MemoryError) as error:
        return _refuse(error, code=1, as_json=as_json)


class OutputGone(Exception):
    """Nobody takes what is written to standard output any more; there is nothing to say about it."""


def _write_out(text: str) -> None:
    """Write to standard output; OutputGone where its reader (head, less) went away."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        leave(sys.stdout)  # else Python complains again while it shuts down
        if isinstance(error, BrokenPipeError):
            raise OutputGone from error
        raise OSError(f"cannot write to standard output: {error.strerror or error}") from error


def _refuse(error: BaseException, *, code: int, as_json: bool) -> int:
    if not launch.speaks():  # another process of the same launch tells it
        return code
    message = redacted(one_line(str(error))) or type(error).__name__
    if isinstance(error, MemoryError):
        message = "out of memory; use smaller batches or less data"
    sys.stderr.write(say(f"error: {message}") + "\n")
    if as_json:
        _write_error(type(error).__name__, say(message))
    return code


def _write_error(kind: str, message: str) -> None:
    """The JSON object of a failure; the exit code tells it too, where nobody reads on."""
    with contextlib.suppress(OutputGone, OSError):
        _write_json({"error": {"type": kind, "message": message}})


def _write_json(value: Any) -> None:
    import orjson

    try:
        text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
        text.encode(sys.stdout.encoding or "utf-8")
    except (TypeError, UnicodeEncodeError):
        # A path that is no UTF-8, or a screen without these characters: JSON has ASCII escapes of its own.
        text = json.dumps(value, default=lambda array: array.tolist())
    _write_out(text + "\n")


def _dispatch(arguments: list[str], *, as_json: bool) -> int:
    arguments = _command_first(arguments)
    if not arguments or arguments[0] in ("--help", "-h"):
        _write_out(overview())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from rewardsmith.version import VERSION

        _write_out(f"rewardsmith {VERSION}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise _unknown(name)
    return _call(name, rest, as_json=as_json)


def _unknown(name: str) -> UsageError:
    """The refusal of a first word that is no command."""
    from rewardsmith.settings.values import nearest

    if name.startswith("-"):
        return UsageError(f"unexpected {name!r}; options follow the command, as in `rewardsmith train {name}`")
    return UsageError(f"unknown command {name!r}.{nearest(name, COMMANDS)} See `rewardsmith --help`")


def _call(name: str, rest: list[str], *, as_json: bool) -> int:
    """One command with the words behind its name: its help, or a run."""
    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    options, others = _at_dashes(rest)
    if "--help" in options or "-h" in options:
        _write_out(help_text(name, command, module.Config))
        return 0
    words = [word for word in options if word != "--json"] + others
    if launch.place() is not None and name not in TOGETHER:
        raise UsageError(f"{name} runs in a single process; start it without torchrun or accelerate")
    return _run(name, module, _resolve(name, command, module.Config, words), as_json=as_json)


def _command_first(arguments: list[str]) -> list[str]:
    """The words with a leading `--lang zh` put behind the command, where the command's own options stand."""
    for count in (1, 2):
        leading = arguments[:count]
        if len(arguments) > count and (leading[0].startswith("--lang=") if count == 1 else leading[0] == "--lang"):
            return [arguments[count], *leading, *arguments[count + 1 :]]
    return arguments


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
    except KeyboardInterrupt as error:
        return _interrupted(error, config, as_json=as_json)
    if not launch.speaks():
        return 0
    if as_json:
        _write_json(output)
    else:
        _write_out(output.rstrip("\n") + "\n")
    return int(getattr(result, "exit_code", 0))


def shown(result: Any) -> str:
    """A result as text; in colours where it has some and standard output is a terminal that wants them."""
    colours = sys.__stdout__ is not None and sys.__stdout__.isatty() and "NO_COLOR" not in os.environ
    text = str(result.to_coloured_text() if colours and hasattr(result, "to_coloured_text") else result.to_text())
    # A result that quotes texts of the data says its own words in the right language, so that no quote is touched.
    return text if getattr(result, "quotes_data", False) else say(text)


def _interrupted(error: KeyboardInterrupt, config: Any = None, *, as_json: bool) -> int:
    number = number_of(error)
    if not launch.speaks():
        return 128 + number
    message = f"interrupted by {Signals(number).name}"
    if hasattr(config, "resume") and getattr(config, "output", None) and config.output.is_dir():
        message += f"; finished work is kept in {config.output}; run the same command with --resume to continue"
    elif getattr(config, "keeps_parts", False):
        message += "; finished work is kept; run the same command to continue"
    message = say(one_line(message))
    sys.stderr.write(f"\n{message}\n")
    if as_json:
        _write_error("Interrupted", message)
    return 128 + number


def _resolve(name: str, command: Command, kind: type, words: list[str]) -> Any:
    from rewardsmith.settings import build, read_yaml

    request = _parse(name, command, kind, words)
    values = read_yaml(_settings_file(request.config, kind), kind) if request.config else {}
    return build(kind, values | request.flags)


def _settings_file(path: Path, kind: type) -> Path:
    """The file itself, or the recipe of that name; recipes are settings of `train`."""
    recipes = {file.stem: file for file in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}
    if path.exists() or path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or kind.__module__ != RECIPES_FOR:
        return path
    if path.name not in recipes:
        raise UsageError(
            f"--config {path}: neither a local file nor a recipe (a settings file that comes with rewardsmith); "
            f"recipes: {', '.join(recipes)}"
        )
    return recipes[path.name]


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
            raise UsageError(f"{label(setting, command)}: {error}") from error
    return Request(flags, given.get("config"))


def _signature(command: Command, kind: type) -> inspect.Signature:
    """A signature for cyclopts: all words are text and nothing has a default, so that what was given can be told."""
    from typing import Annotated

    from cyclopts import Parameter

    from rewardsmith.settings import settings_of

    settings = sorted(settings_of(kind), key=lambda setting: position(setting, command))
    parameters = []
    for setting in settings:
        is_positional = setting.key in command.positional
        # Where no argument is positional, `--dataset a b` cannot be misread; elsewhere the flag is repeated.
        parameter = Parameter(name=_flags(setting, kind), consume_multiple=not command.positional)
        # `| None` for the default: where some other library has imported pydantic, cyclopts checks defaults with it.
        annotation: Any = Annotated[_shape(setting) | None, parameter]
        way = inspect.Parameter.POSITIONAL_OR_KEYWORD if is_positional else inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(_parameter(setting), way, default=None, annotation=annotation))
    for flag, shape in (("config", Path), ("lang", str)):
        annotation = Annotated[shape | None, Parameter(name=f"--{flag}")]
        parameters.append(inspect.Parameter(flag, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return inspect.Signature(parameters)


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


def overview() -> str:
    """The help of `rewardsmith` itself, from the table alone: no command is imported."""
    return overview_of(COMMANDS)
