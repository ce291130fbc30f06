"""The Python interface: a few functions that do what the commands of the same name do.

`lang` ("en" or "zh") is the language of the verdict, the report and the messages of errors; without it, the environment
decides as for the command line, and errors are in English. `say(result.to_text(), lang="zh")` translates the rest.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import RewardsmithError, UsageError
from rewardsmith.language import Language, language_of, say, speaking
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.data.loading.load import Loaded
    from rewardsmith.model.reward_model import RewardModel


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


def load(
    *sources: Any,
    strict: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress = SILENT,
    lang: Language | None = None,
) -> "Loaded":
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """
    from rewardsmith.data.loading.load import load as load_sources

    with in_language(lang):
        return load_sources(*sources, strict=strict, map=map, progress=progress)


def clean(
    sources: str | Sequence[str],
    output: str | Path,
    *,
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> Any:
    """`rewardsmith prepare`: check, split and write; returns its Result."""
    from rewardsmith.commands import prepare

    for name in ("margins", "remove", "decontaminate"):
        if name in settings:
            settings[name] = as_tuple(settings[name])
    with in_language(lang):
        return prepare.run(prepare.Config(sources=as_tuple(sources), output=Path(output), **settings), progress)


def train(
    model: str,
    dataset: str | Sequence[str],
    output: str | Path,
    *,
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> Any:
    """`rewardsmith train`: returns its Result; `settings` are the command's flags with underscores, and `lora={"r": 16}`."""
    from rewardsmith.commands import train as command

    for name in ("validation", "test", "track"):
        if name in settings:
            settings[name] = as_tuple(settings[name])
    if isinstance(lora := settings.get("lora"), Mapping):
        settings["lora"] = command.Lora(**lora)
    with in_language(lang):
        config = command.Config(model=model, dataset=as_tuple(dataset), output=Path(output), **settings)
        return command.run(config, progress)


def evaluate(
    model: str | Path,
    sources: str | Sequence[str],
    *,
    progress: Progress = SILENT,
    lang: Language | None = None,
    **settings: Any,
) -> Any:
    """`rewardsmith evaluate`: returns its Result."""
    from rewardsmith.commands import evaluate as command

    with in_language(lang):
        return command.run(command.Config(model=str(model), sources=as_tuple(sources), **settings), progress)


def diagnose(run: str | Path, *, progress: Progress = SILENT, lang: Language | None = None, **settings: Any) -> Any:
    """`rewardsmith diagnose`: the verdict on a run folder; returns its Result."""
    from rewardsmith.commands import diagnose as command

    with in_language(lang):
        return command.run(command.Config(run=Path(run), **settings), progress)


def compare(a: str | Path, b: str | Path, *, progress: Progress = SILENT, lang: Language | None = None) -> Any:
    """`rewardsmith compare`: a paired test between two evaluated runs; returns its Result."""
    from rewardsmith.commands import compare as command

    with in_language(lang):
        return command.run(command.Config(a=Path(a), b=Path(b)), progress)


def verify(place: str | Path, *, progress: Progress = SILENT, lang: Language | None = None, **settings: Any) -> Any:
    """`rewardsmith verify`: whether a run or a model still is what it was; returns its Result (`holds`, `parts`)."""
    from rewardsmith.commands import verify as command

    if "part" in settings:
        settings["part"] = as_tuple(settings["part"])
    with in_language(lang):
        return command.run(command.Config(place=Path(place), **settings), progress)


def load_reward_model(path: str | Path, *, device: str = "auto") -> "RewardModel":
    """Open a reward model for scoring: a run folder, its model folder, or a hub name."""
    from rewardsmith.model.reward_model import RewardModel

    return RewardModel.load(path, device=device)


def compute_reward(
    rm: "RewardModel",
    tok: Any,
    prompt: str | Sequence[Mapping[str, str]],
    response_ids: Any,
    device: str | None = None,
) -> float:
    """The raw reward of one generated response, for an RL loop.

    `tok` is the policy's tokenizer: it turns `response_ids` (a list or a one-dimensional tensor) into text, which is
    scored under the reward model's own contract, so policy and reward model may have different vocabularies. `prompt`
    is text or messages. `device` moves the reward model first if it lies elsewhere.
    """
    from rewardsmith.model.reward_model import as_messages
    from rewardsmith.model.runtime.devices import choose_device
    from rewardsmith.records import Message

    if device is not None:
        rm.network.to(choose_device(device))
    ids = response_ids.tolist() if hasattr(response_ids, "tolist") else list(response_ids)
    text = tok.decode(ids, skip_special_tokens=True)
    return float(rm.score([(*as_messages(prompt, role="user"), Message("assistant", text))])[0])


def as_tuple(sources: Any) -> tuple[str, ...]:
    """One source or several, as text."""
    return (str(sources),) if isinstance(sources, (str, Path)) else tuple(map(str, sources))
