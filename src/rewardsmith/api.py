"""The Python interface: a few functions that do what the commands of the same name do.

A function names what it cannot do without; its other options are the settings of its command, with the same names,
types and defaults (`settings.keywords` reads them off the Config). `__init__.pyi` holds all of it in writing, for type
checkers and editors; `scripts/make-stubs` writes it.

Data is what `load` takes: paths and names, data frames, data sets, lists of rows, or what `load` returned. A `progress`
that is not given is bars in a terminal or a notebook and nothing elsewhere; `SILENT` switches it off.

`lang` ("en" or "zh") is the language of the verdict, the report and the messages of errors; without it, the environment
decides as for the command line, and errors are in English. `say(result.to_text(), lang="zh")` translates the rest.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, overload

import orjson

from rewardsmith.calls import ColumnNames, Data, columns, config_of, opened_model, public, train_data, with_data
from rewardsmith.commands import audit as audit_command
from rewardsmith.commands import compare as compare_command
from rewardsmith.commands import diagnose as diagnose_command
from rewardsmith.commands import evaluate as evaluate_command
from rewardsmith.commands import generate as generate_command
from rewardsmith.commands import prepare as prepare_command
from rewardsmith.commands import score as score_command
from rewardsmith.commands import train as train_command
from rewardsmith.commands import tune as tune_command
from rewardsmith.commands import verify as verify_command
from rewardsmith.data.loading.load import Loaded
from rewardsmith.data.loading.load import load as load_sources
from rewardsmith.data.loading.objects import is_splits, one_split, sources_of, together
from rewardsmith.errors import UsageError
from rewardsmith.language import Language
from rewardsmith.progress import Progress
from rewardsmith.records import Message, Turns
from rewardsmith.settings.keywords import check_types
from rewardsmith.settings.values import shown

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel


class TokenIds(Protocol):
    """Token ids in one dimension: a tensor or an array."""

    def tolist(self) -> Any:
        """The ids as a list."""


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


@public(tune_command.Config)
def tune(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> tune_command.Result:
    """`rewardsmith tune`: search the settings of `train`; `find_learning_rate` is its --lr-only.

    Every option of `train` holds in all trials. A mapping of splits (a DatasetDict) as `dataset` brings its splits.
    """
    kind = tune_command.Config
    settings = with_data(kind, settings)
    given = {"model": model, "output": output, "map": columns(map)}
    assert progress is not None
    return tune_command.tune(config_of(kind, given, settings, train_data(dataset, settings)), progress)


@public(train_command.Config)
def find_learning_rate(
    model: str | Path,
    dataset: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> tune_command.RatesResult:
    """`rewardsmith tune --lr-only`: a learning rate from a range test; the model on disk is only read."""
    settings = with_data(train_command.Config, settings)
    given = {"model": model, "output": output, "map": columns(map)}
    data = train_data(dataset, settings)
    assert progress is not None
    return tune_command.find_rate(config_of(train_command.Config, given, settings, data), progress)


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


@overload
def generate(
    model: str | Path,
    source: Data,
    output: None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]]: ...


@overload
def generate(
    model: str | Path,
    source: Data,
    output: str | Path,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> generate_command.Result: ...


@public(generate_command.Config)
def generate(
    model: str | Path,
    source: Data,
    output: str | Path | None = None,
    *,
    map: ColumnNames = (),
    progress: Progress | None = None,
    lang: Language | None = None,
    **settings: Any,
) -> list[dict[str, Any]] | generate_command.Result:
    """`rewardsmith generate`: N responses per prompt, from a local language model or an OpenAI-compatible API.

    Without `output`, returns the rows, as the lines of the file would be, in the order of the source.
    """
    kind = generate_command.Config
    sources = sources_of(source, "source")
    if len(sources) != 1:
        raise UsageError(f"source: got {len(sources)} sources, expected one; call generate for each of them")
    given = {"model": model, "source": sources[0], "map": columns(map)}
    assert progress is not None
    if output is not None:
        return generate_command.run(config_of(kind, given, settings, {"output": output}), progress)
    with tempfile.TemporaryDirectory(prefix="rewardsmith-generate-") as folder:
        written = Path(folder) / "candidates.jsonl"
        generate_command.run(config_of(kind, given, settings, {"output": written}), progress)
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
