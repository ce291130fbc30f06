"""The command line: from flags and YAML to a Config, and from a Result or an error to the screen.

Exit codes: 0 done, 1 data, model or machine at fault (one line on standard error; of `verify`, its result), 2 command line
or YAML refused (one line, with a suggestion), 128 + N ended by signal N (130 Ctrl-C, 143 SIGTERM, 129 SIGHUP). A bug keeps
its traceback. With `--json`, standard output holds exactly one JSON object: the result, or `{"error": {"type", "message"}}`.
"""

import contextlib
import importlib
import json
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from signal import Signals
from typing import Any

from rewardsmith import launch
from rewardsmith.arguments import resolve
from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.language import Language, language_of, of_environment, say, shows_chinese, speaking
from rewardsmith.launch.redaction import redacted
from rewardsmith.launch.signals import number_of
from rewardsmith.manual import COMMANDS, help_text, overview_of, screen
from rewardsmith.terminal import lasting_errors, leave, one_line, progress_for, wants_colour, write_anything

TOGETHER = ("train",)
"""Commands that several processes run together, started by torchrun or accelerate."""
LANG_LINE = re.compile(rb"^lang: *['\"]?(en|zh)\b", re.MULTILINE)


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
    if not arguments or arguments[0] in ("--help", "-h", "help"):
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
    from rewardsmith.settings.elsewhere import command_meant

    if name.startswith("-"):
        return UsageError(f"unexpected {name!r}; options follow the command, as in `rewardsmith train {name}`")
    return UsageError(f"unknown command {name!r}.{command_meant(name, COMMANDS)} See `rewardsmith --help`")


def _call(name: str, rest: list[str], *, as_json: bool) -> int:
    """One command with the words behind its name: its help, or a run."""
    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    options, others = _at_dashes(rest)
    if "--help" in options or "-h" in options:
        _write_out(help_text(name, command, module.Config, screen(sys.stdout)))
        return 0
    words = [word for word in options if word != "--json"] + others
    if launch.place() is not None and name not in TOGETHER:
        raise UsageError(f"{name} runs in a single process; start it without torchrun or accelerate")
    return _run(name, module, resolve(name, command, module.Config, words), as_json=as_json)


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
    colours = wants_colour(sys.__stdout__)
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


def overview() -> str:
    """The help of `rewardsmith` itself, from the table alone: no command is imported."""
    return overview_of(COMMANDS, screen(sys.stdout))
