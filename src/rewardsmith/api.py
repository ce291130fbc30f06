"""The Python interface: a few functions that do what the commands of the same name do.

A function names what it cannot do without; its other options are the settings of its command, with the same names,
types and defaults (`settings.keywords` reads them off the Config). `__init__.pyi` holds all of it in writing, for type
checkers and editors; `scripts/make-stubs` writes it.

`lang` ("en" or "zh") is the language of the verdict, the report and the messages of errors; without it, the environment
decides as for the command line, and errors are in English. `say(result.to_text(), lang="zh")` translates the rest.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from rewardsmith.commands import compare as compare_command
from rewardsmith.commands import diagnose as diagnose_command
from rewardsmith.commands import evaluate as evaluate_command
from rewardsmith.commands import prepare as prepare_command
from rewardsmith.commands import train as train_command
from rewardsmith.commands import verify as verify_command
from rewardsmith.data.loading.load import Loaded
from rewardsmith.data.loading.load import load as load_sources
from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.language import Language, language_of, say, speaking
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Message, Turns
from rewardsmith.settings import build
from rewardsmith.settings.keywords import help_of, keywords_of, refuse_unknown, typed

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

FILES = {"sources", "dataset", "validation", "test", "margins", "decontaminate", "deepspeed_config"}
"""Settings whose texts may name files, for which a Path will do."""

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
Sources = str | Path | Sequence[str | Path]
ColumnNames = Mapping[str, str] | Sequence[str]


class TokenIds(Protocol):
    """Token ids in one dimension: a tensor or an array."""

    def tolist(self) -> Any:
        """The ids as a list."""


@contextlib.contextmanager
def in_language(lang: Language | None) -> Iterator[None]:
    """Speak `lang` inside the block, also in the messages of errors that leave it; None changes nothing."""
    with speaking(None if lang is None else language_of(lang, "lang")):
        try:
            yield
        except (RewardsmithError, UsageError) as error:
            if lang is not None:
                error.args = (say(error, lang), *error.args[1:])
            raise


def public(kind: type | None = None) -> Callable[[F], F]:
    """Make a public function: its messages are in `lang`, an unknown keyword is a UsageError with a suggestion.

    Where it has `**settings`, the settings of the Config `kind` stand in their place in signature and docstring.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        if kind is not None:
            signature = with_settings(signature, kind)
        known = signature.parameters

        @functools.wraps(function)
        def call(*args: Any, **keywords: Any) -> Any:
            with in_language(keywords.get("lang")):
                refuse_unknown(function.__name__, keywords, known, kind)
                return function(*args, **keywords)

        call.__signature__ = signature  # type: ignore[attr-defined]
        if kind is not None:
            call.__doc__ = f"{inspect.getdoc(function)}\n\nOptions:\n{help_of(kind)}\n"
        return cast(F, call)

    return decorate


def with_settings(signature: inspect.Signature, kind: type) -> inspect.Signature:
    """The signature with the settings of `kind` that it does not name itself, in the place of `**settings`."""
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [each for each in own if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    rest = [each for each in own if each not in named]
    options = [each for each in keywords_of(kind, FILES) if each.name not in signature.parameters]
    return signature.replace(parameters=[*named, *options, *rest])


def columns(map: ColumnNames) -> tuple[str, ...]:
    """Columns under other names as on the command line: prompt=instruction."""
    if isinstance(map, Mapping):
        return tuple(f"{name}={column}" for name, column in map.items())
    return (map,) if isinstance(map, str) else tuple(map)


def config_of(kind: type[C], *given: Mapping[str, Any]) -> C:
    """The Config of a command from the arguments of its function; UsageError for a value of the wrong type."""
    return build(kind, typed(kind, {name: value for part in given for name, value in part.items()}))


@public()
def load(
    *sources: Any,
    strict: bool = False,
    map: ColumnNames = (),
    progress: Progress = SILENT,
    lang: Language | None = None,
) -> Loaded:
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """
    return load_sources(*sources, strict=strict, map=map, progress=progress)


@public(prepare_command.Config)
def clean(
    sources: Sources,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> prepare_command.Result:
    """`rewardsmith prepare`: check, split and write."""
    given = {"sources": sources, "output": output, "map": columns(map)}
    return prepare_command.run(config_of(prepare_command.Config, given, settings), progress)


@public(train_command.Config)
def train(
    model: str | Path,
    dataset: Sources,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> train_command.Result:
    """`rewardsmith train`: train a reward model, evaluate and diagnose it."""
    given = {"model": model, "dataset": dataset, "output": output, "map": columns(map)}
    return train_command.run(config_of(train_command.Config, given, settings), progress)


@public(evaluate_command.Config)
def evaluate(
    model: str | Path,
    sources: Sources,
    *,
    map: ColumnNames = (),
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> evaluate_command.Result:
    """`rewardsmith evaluate`: how good a reward model is on some data, with intervals and baselines."""
    given = {"model": model, "sources": sources, "map": columns(map)}
    return evaluate_command.run(config_of(evaluate_command.Config, given, settings), progress)


@public(diagnose_command.Config)
def diagnose(
    run: str | Path, *, progress: Progress = SILENT, lang: Language | None = None, **settings: Any
) -> diagnose_command.Result:
    """`rewardsmith diagnose`: the verdict on a run folder, and its report."""
    return diagnose_command.run(config_of(diagnose_command.Config, {"run": run}, settings), progress)


@public(compare_command.Config)
def compare(
    a: str | Path, b: str | Path, *, progress: Progress = SILENT, lang: Language | None = None, **settings: Any
) -> compare_command.Result:
    """`rewardsmith compare`: a paired test between two evaluated runs."""
    return compare_command.run(config_of(compare_command.Config, {"a": a, "b": b}, settings), progress)


@public(verify_command.Config)
def verify(
    place: str | Path, *, progress: Progress = SILENT, lang: Language | None = None, **settings: Any
) -> verify_command.Result:
    """`rewardsmith verify`: whether a run or a model is unchanged since it was written."""
    return verify_command.run(config_of(verify_command.Config, {"place": place}, settings), progress)


@public()
def load_reward_model(path: str | Path, *, device: str = "auto") -> "RewardModel":
    """Open a reward model for scoring: a run folder, its model folder, or a hub name."""
    from rewardsmith.model.reward_model import RewardModel

    return RewardModel.load(path, device=device)


@public()
def compute_reward(
    rm: "RewardModel",
    tok: Any,
    prompt: Turns,
    response_ids: Sequence[int] | TokenIds,
    device: str | None = None,
) -> float:
    """The raw reward of one generated response, for an RL loop.

    `tok` is the policy's tokenizer: it turns `response_ids` (a list or a one-dimensional tensor) into text, which is
    scored under the reward model's own contract, so policy and reward model may have different vocabularies. `prompt`
    is text or messages. `device` moves the reward model first if it lies elsewhere.
    """
    from rewardsmith.model.reward_model import as_messages
    from rewardsmith.model.runtime.devices import choose_device

    if device is not None:
        rm.network.to(choose_device(device))
    ids = response_ids.tolist() if hasattr(response_ids, "tolist") else list(response_ids)
    text = tok.decode(ids, skip_special_tokens=True)
    return float(rm.score([(*as_messages(prompt, role="user"), Message("assistant", text))])[0])
