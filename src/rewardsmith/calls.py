"""What a Python call gives, as settings of a command: the decorator of public functions, their data, models and columns."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from rewardsmith.data.loading.load import Loaded
from rewardsmith.data.loading.objects import by_role, is_splits, sources_of
from rewardsmith.errors import UsageError
from rewardsmith.language.raised import in_language
from rewardsmith.settings import build
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.keywords import canonical, check_types, help_of, keywords_of, refuse_unknown, typed
from rewardsmith.terminal import shown_progress

FILES = {"margins", "decontaminate", "deepspeed_config", "label_model"}
"""Settings whose texts may name files, for which a Path will do."""
DATA = {"validation", "test"}
"""Settings beside the data of a command that are data too, where it has them."""

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])
ColumnNames = Mapping[str, str] | Sequence[str]


class Table(Protocol):
    """A table that gives its rows through Arrow's interface: a data frame of pandas or polars, a table of pyarrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as a stream of Arrow's C data interface."""


Data = str | Path | Loaded | Table | Iterable[Any]
"""What the functions take as data; an iterable gives rows, records, or sources."""


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
                if "progress" in known:
                    keywords["progress"] = shown_progress(keywords.get("progress"))
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
    options = [
        each.replace(annotation=Data) if each.name in DATA else each
        for each in keywords_of(kind, FILES)
        if each.name not in signature.parameters
    ]
    return signature.replace(parameters=[*named, *options, *rest])


def columns(map: ColumnNames) -> tuple[str, ...]:
    """Columns under other names as on the command line: prompt=instruction."""
    check_types({"map": (list(map.items()) if isinstance(map, Mapping) else map, tuple[tuple[str, ...] | str, ...])})
    if isinstance(map, Mapping):
        return tuple(f"{name}={column}" for name, column in map.items())
    return (map,) if isinstance(map, str) else tuple(map)


def config_of(kind: type[C], *given: Mapping[str, Any]) -> C:
    """The Config of a command from the arguments of its function; UsageError for a value of the wrong type."""
    return build(kind, typed(kind, {name: value for part in given for name, value in part.items()}))


def with_data(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings under their own names, where those that are data are sources."""
    found = canonical(kind, settings)
    return found | {name: sources_of(found[name], name) for name in DATA & found.keys()}


def train_data(dataset: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The sources of training, of a mapping of splits also validation and test; UsageError where one is given twice."""
    if not is_splits(dataset):
        return {"dataset": sources_of(dataset, "dataset")}
    found = by_role(dataset)
    for name in DATA & found.keys() & {name for name, value in settings.items() if value}:
        raise UsageError(f"{name} is given twice: as a split of the dataset and as {name}=; keep one")
    return {("dataset" if name == "train" else name): sources_of({name: part}, name) for name, part in found.items()}


def training_config(
    kind: type[C], model: str | Path, dataset: Any, output: str | Path, map: ColumnNames, settings: Mapping[str, Any]
) -> C:
    """The Config of a command that trains, from the arguments of its function."""
    settings = with_data(kind, settings)
    given = {"model": model, "output": output, "map": columns(map)}
    return config_of(kind, given, settings, train_data(dataset, settings))


def opened_model(model: Any, kind: type, settings: Mapping[str, Any]) -> Any:
    """A reward model that is open goes where its name would; UsageError for settings of opening one."""
    if isinstance(model, (str, PathLike)):
        return model
    from rewardsmith.critique.model import CritiqueModel
    from rewardsmith.model.reward_model import RewardModel

    if not isinstance(model, RewardModel | CritiqueModel):
        return model
    for name, value in canonical(kind, settings).items():
        given = value not in (None, False) and (name, value) != ("engine", "local")
        if given and name in ("device", "dtype", "allow_mismatch", "trust_remote_code", "engine"):
            raise UsageError(
                f"{name}: it does not apply to a model that is already open; remove it, or pass its folder"
            )
    (model if isinstance(model, RewardModel) else model.inner).network.eval()
    return InMemory("reward model in memory", model)
