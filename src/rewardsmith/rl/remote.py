"""Rewards from a server of `rewardsmith serve`, through its client: no answer is an error, never a reward."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from rewardsmith.client import Client
from rewardsmith.client.exchange import KEY_VARIABLE
from rewardsmith.errors import UsageError
from rewardsmith.records import Conversation
from rewardsmith.rl.service import REWARD, RewardColumns, StoredScale, TrainerRow

RETRIES, TIMEOUT = 10, 120.0
"""How often a request is tried again, about five minutes in all, and the seconds that each try may take."""


class RemoteRewards:
    """Rewards from the server at `address`; `served` is the name of its model, None for its first."""

    needs_rows = False

    def __init__(
        self, address: str, *, served: str | None = None, retries: int = RETRIES, timeout: float = TIMEOUT
    ) -> None:
        parts = urlsplit(address)
        if parts.username or parts.password or parts.query:
            raise UsageError(
                "the address of the reward server contains a password or a query; remove it, and pass the key in the "
                f"environment variable {KEY_VARIABLE}"
            )
        self.name = served or str(parts.hostname)
        self.client = Client(address, model=served, retries=retries, timeout=timeout)

    def attributes(self) -> tuple[str, ...]:
        """As the server lists them."""
        return tuple(self._entry().get("attributes") or ())

    def scale(self) -> StoredScale | None:
        """As the server lists it."""
        stored = self._entry().get("normalizer")
        return None if not stored else StoredScale(float(stored["mean"]), float(stored["std"]))

    def score(self, conversations: Sequence[Conversation], rows: Sequence[TrainerRow] | None = None) -> RewardColumns:
        """As the server reads conversations, those that are too long cut; the columns that every text has."""
        results = self.client.results(conversations, truncate=True)
        names = [
            name for name in (results[0].columns if results else ()) if all(name in one.columns for one in results)
        ]
        columns = {name: [one.columns[name] for one in results] for name in names}
        return {name: np.array(values) for name, values in {REWARD: [one.reward for one in results], **columns}.items()}

    def score_rendered(self, texts: Sequence[str], prompts: Sequence[str]) -> RewardColumns:
        """As the server reads texts that a policy's tokenizer rendered."""
        found = self.client.rendered(texts, prompts)
        return {name: np.array(values) for name, values in found.items()}

    def _entry(self) -> Mapping[str, Any]:
        """What the server says of the model."""
        entries = self.client.models()
        found = [one for one in entries if self.client.address.model in (None, one["name"])]
        if not found:
            listed = ", ".join(str(one["name"]) for one in entries)
            raise UsageError(f"the server has no model {self.name!r}; it has: {listed}")
        return found[0]
