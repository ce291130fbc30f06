"""Where the rewards of a trainer come from: a model in this process, or a server; both give the same for the same texts."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from rewardsmith.errors import DataError, UsageError
from rewardsmith.generate.remote.endpoint import is_address
from rewardsmith.model.conversations import one_response
from rewardsmith.records import Conversation, Record
from rewardsmith.rewards.learned import ModelRewards
from rewardsmith.rewards.opening import open_rewards
from rewardsmith.rewards.source import RewardSource, ScoredResponses
from rewardsmith.rl.service import REWARD, RewardColumns, RewardService, StoredScale, TrainerRow

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

PREFIX = "reward_"
"""What the parts of a source have before the names of its attributes."""


class OpenSettings(TypedDict, total=False):
    """How a model is opened: `device` (default auto) in this process. Of a server: `served`, the name of its model (default
    its first), `retries`, how often a request is tried again (default 10, about five minutes), and `timeout`, the seconds of
    each try (default 120)."""

    device: str
    served: str
    retries: int
    timeout: float


class LocalRewards:
    """Rewards from a source in this process, one call at a time."""

    def __init__(self, source: RewardSource, name: str) -> None:
        self.source, self.name = source, name
        self.lock = threading.Lock()

    @property
    def model(self) -> "RewardModel | None":
        """The model behind the source; None for a rewards file or a judge."""
        return self.source.model if isinstance(self.source, ModelRewards) else None

    @property
    def needs_rows(self) -> bool:
        """They do for a rewards file."""
        return self.model is None

    def attributes(self) -> tuple[str, ...]:
        """Those of a head that learned each attribute by itself."""
        info = None if self.model is None else self.model.sidecar.head
        return () if info is None else info.attributes

    def scale(self) -> StoredScale | None:
        """The model's normaliser."""
        stored = None if self.model is None else self.model.sidecar.normalizer
        return None if stored is None else StoredScale(stored.mean, stored.std)

    def score(self, conversations: Sequence[Conversation], rows: Sequence[TrainerRow] | None = None) -> RewardColumns:
        """One record a conversation; those with the same prompt share its computation."""
        records = [record_of(turns, at) for at, turns in enumerate(conversations)]
        with self.lock:
            return columns_of(self.source.score(records, rows=rows))

    def score_rendered(self, texts: Sequence[str], prompts: Sequence[str]) -> RewardColumns:
        """As the server reads such texts."""
        from rewardsmith.rl.rendered import score_rendered

        if self.model is None:
            raise UsageError("a rewards file scores conversations, and these texts are rendered; use a reward model")
        with self.lock:
            return score_rendered(self.model, texts, prompts)


def record_of(turns: Conversation, at: int) -> Record:
    """A conversation as a record; DataError that names the text where there is no response to score."""
    try:
        return one_response(turns)
    except DataError as error:
        raise DataError(f"text {at}: {error}") from error


def columns_of(found: Sequence[ScoredResponses]) -> RewardColumns:
    """The rewards of records with one response each, and the parts that are numbers; DataError for one without a reward."""
    for at, one in enumerate(found):
        if one.error:
            raise DataError(f"text {at} has no reward: {one.error}")
    columns = {REWARD: np.array([float(one.rewards[0]) for one in found])}
    for name in found[0].parts if found else ():
        values = [one.parts[name][0] for one in found]
        if all(isinstance(value, float | int) for value in values):
            columns[name.removeprefix(PREFIX)] = np.array(values, dtype=np.float64)
    return columns


def open_service(model: "str | Path | RewardModel", **opening: Unpack[OpenSettings]) -> RewardService:
    """The rewards of a model, a rewards file or a server; UsageError for a setting that is of the other kind."""
    remote = isinstance(model, str) and is_address(model)
    wrong = [name for name in opening if (name == "device") == remote]
    if wrong:
        kind = "a server" if remote else "a model in this process"
        raise UsageError(f"{wrong[0]} does not apply to {kind}; remove it")
    if remote:
        from rewardsmith.rl.remote import RETRIES, TIMEOUT, RemoteRewards

        return RemoteRewards(
            str(model),
            served=opening.get("served"),
            retries=opening.get("retries", RETRIES),
            timeout=opening.get("timeout", TIMEOUT),
        )
    if not isinstance(model, str | Path):
        return LocalRewards(ModelRewards(model), "rewardsmith")
    source = open_rewards(model, device=opening.get("device", "auto"))
    return LocalRewards(source, Path(model).stem or "rewardsmith")
