"""The Python interface: a few functions that do what the commands of the same name do.

A function names what it cannot do without; its other options are the settings of its command, with the same names,
types and defaults (`settings.keywords` reads them off the Config). `__init__.pyi` holds all of it in writing, for type
checkers and editors; `scripts/make-stubs` writes it.

Data is what `load` takes: paths and names, data frames, data sets, lists of rows, or what `load` returned. A `progress`
that is not given is bars in a terminal or a notebook and nothing elsewhere; `SILENT` switches it off.

`lang` ("en" or "zh") is the language of the verdict, the report and the messages of errors; without it, the environment
decides as for the command line, and errors are in English. `say(result.to_text(), lang="zh")` translates the rest.
"""

import functools
import inspect
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, overload

import orjson

from rewardsmith.commands import audit as audit_command
from rewardsmith.commands import compare as compare_command
from rewardsmith.commands import diagnose as diagnose_command
from rewardsmith.commands import evaluate as evaluate_command
from rewardsmith.commands import prepare as prepare_command
from rewardsmith.commands import score as score_command
from rewardsmith.commands import train as train_command
from rewardsmith.commands import verify as verify_command
from rewardsmith.data.loading.load import Loaded
from rewardsmith.data.loading.load import load as load_sources
from rewardsmith.data.loading.objects import by_role, is_splits, one_split, sources_of, together
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.language.raised import in_language
from rewardsmith.progress import Progress
from rewardsmith.records import Message, Turns
from rewardsmith.settings import build
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.keywords import canonical, check_types, help_of, keywords_of, refuse_unknown, typed
from rewardsmith.settings.values import shown
from rewardsmith.terminal import shown_progress

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

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


class TokenIds(Protocol):
    """Token ids in one dimension: a tensor or an array."""

    def tolist(self) -> Any:
        """The ids as a list."""


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


def opened_model(model: Any, kind: type, settings: Mapping[str, Any]) -> Any:
    """A reward model that is open goes where its name would; UsageError for settings of opening one."""
    if isinstance(model, (str, PathLike)):
        return model
    from rewardsmith.model.reward_model import RewardModel

    if not isinstance(model, RewardModel):
        return model
    for name, value in canonical(kind, settings).items():
        given = value not in (None, False) and (name, value) != ("engine", "local")
        if given and name in ("device", "dtype", "allow_mismatch", "trust_remote_code", "engine"):
            raise UsageError(
                f"{name}: it does not apply to a model that is already open; remove it, or pass its folder"
            )
    model.network.eval()
    return InMemory("reward model in memory", model)


@public()
def load(
    *sources: Any,
    strict: bool = False,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
) -> Loaded:
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """
    check_types({"strict": (strict, bool)})
    assert progress is not None
    return load_sources(*sources, strict=strict, map=columns(map), progress=progress)


@public(prepare_command.Config)
def prepare(
    sources: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> prepare_command.Result:
    """`rewardsmith prepare`: check, split and write. Of several splits in `sources`, all rows are split anew."""
    given = {"sources": sources_of(sources, "sources"), "output": output, "map": columns(map)}
    assert progress is not None
    return prepare_command.prepare(config_of(prepare_command.Config, given, settings), progress)


@public(train_command.Config)
def train(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> train_command.Result:
    """`rewardsmith train`: train a reward model, evaluate and diagnose it.

    A mapping of splits (a DatasetDict) as `dataset` brings its train, validation and test splits.
    """
    if hasattr(model, "score_records"):
        raise UsageError(
            "model: got a model that is open, and training starts from files, which a resumed run opens again; write it "
            "with model.save(folder) and pass the folder"
        )
    settings = with_data(train_command.Config, settings)
    given = {"model": model, "output": output, "map": columns(map)}
    data = train_data(dataset, settings)
    assert progress is not None
    return train_command.train_all(config_of(train_command.Config, given, settings, data), progress)


@public(evaluate_command.Config)
def evaluate(
    model: "str | Path | RewardModel",
    sources: Data = (),
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> evaluate_command.Result:
    """`rewardsmith evaluate`: how good a reward model is on some data, with intervals and baselines.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test. With
    `benchmark` the sources are its files, and may be left out where it is on the hub.
    """
    kind = evaluate_command.Config
    given, settings = of_model_on_data(kind, model, sources, map, with_data(kind, settings))
    assert progress is not None
    return evaluate_command.run(config_of(kind, given, settings), progress)


@public(audit_command.Config)
def audit(
    model: "str | Path | RewardModel",
    sources: Data = (),
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> audit_command.Result:
    """`rewardsmith audit`: what a reward model rewards besides quality, and whether rewards depend on how they are computed.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test; without `sources`
    conformance alone is checked. Nothing is written without `output`, unless `model` is a run folder.
    """
    kind = audit_command.Config
    given, settings = of_model_on_data(kind, model, sources, map, settings)
    assert progress is not None
    return audit_command.run(config_of(kind, given, settings), progress)


def of_model_on_data(
    kind: type, model: Any, sources: Data, map: ColumnNames, settings: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(model, sources and map as their settings, the other settings); of splits, the one named by `split` is taken."""
    if is_splits(sources):
        sources = one_split(cast(Mapping[str, Any], sources), settings.pop("split", None))
    named = () if isinstance(sources, tuple) and not sources else sources_of(sources, "sources")
    return {"model": opened_model(model, kind, settings), "sources": named, "map": columns(map)}, settings


@overload
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]]: ...


@overload
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> score_command.Result: ...


@public(score_command.Config)
def score(
    model: "str | Path | RewardModel",
    source: Data,
    output: str | Path | None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]] | score_command.Result:
    """`rewardsmith score`: rewards for pairs, rankings or single responses.

    Without `output`, returns each row with its `rewards`, as the lines of the file would be, in the order of the source.
    """
    kind = score_command.Config
    sources = sources_of(source, "source")
    if len(sources) != 1 and not is_splits(source):
        raise UsageError(f"source: got {len(sources)} sources, expected one; call score for each of them")
    given = {
        "model": opened_model(model, kind, settings),
        "source": sources[0] if len(sources) == 1 else together(sources),
        "map": columns(map),
    }
    assert progress is not None
    if output is not None:
        return score_command.run(config_of(kind, given, settings, {"output": output}), progress)
    with tempfile.TemporaryDirectory(prefix="rewardsmith-score-") as folder:
        written = Path(folder) / "scored.jsonl"
        score_command.run(config_of(kind, given, settings, {"output": written}), progress)
        return [orjson.loads(line) for line in written.read_bytes().splitlines()]


@public(diagnose_command.Config)
def diagnose(
    run: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> diagnose_command.Result:
    """`rewardsmith diagnose`: the verdict on a run folder, and its report."""
    assert progress is not None
    return diagnose_command.run(config_of(diagnose_command.Config, {"run": run}, settings), progress)


@public(compare_command.Config)
def compare(
    a: str | Path, b: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> compare_command.Result:
    """`rewardsmith compare`: a paired test between two evaluated runs."""
    assert progress is not None
    return compare_command.run(config_of(compare_command.Config, {"a": a, "b": b}, settings), progress)


@public(verify_command.Config)
def verify(
    place: str | Path, *, progress: Progress | None = None, lang: Language | None = None, **settings: Any
) -> verify_command.Result:
    """`rewardsmith verify`: whether a run or a model is unchanged since it was written."""
    assert progress is not None
    return verify_command.run(config_of(verify_command.Config, {"place": place}, settings), progress)


@public()
def load_reward_model(path: str | Path, *, device: str = "auto") -> "RewardModel":
    """Open a reward model for scoring: a run folder, its model folder, or a hub name."""
    from rewardsmith.model.reward_model import RewardModel

    check_types({"path": (path, str), "device": (device, str)})
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
    from rewardsmith.model.conversations import as_messages
    from rewardsmith.model.runtime.devices import choose_device

    check_types({"device": (device, str | None)})
    if isinstance(response_ids, str):
        raise UsageError(f"response_ids: got {shown(response_ids)}, expected a list or a one-dimensional tensor of ids")
    if device is not None:
        rm.network.to(choose_device(device))
    ids = response_ids.tolist() if hasattr(response_ids, "tolist") else list(response_ids)
    text = tok.decode(ids, skip_special_tokens=True)
    return float(rm.score([(*as_messages(prompt, role="user"), Message("assistant", text))])[0])
