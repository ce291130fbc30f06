"""A policy as its own reward model: how much likelier training has made a response than it was at the start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from rewardsmith.align.dpo.log_probs import log_probs
from rewardsmith.align.dpo.opening import open_policy
from rewardsmith.errors import ContractError
from rewardsmith.model.scorer import sequences_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.rewards.source import NOT_SCORABLE, RewardSource, ScoredResponses, SourceKind, without_rewards


class ImplicitRewards(RewardSource):
    """log p(response) under `model` minus that under `base`; where both are the same, the mean log p per token.

    So CREAM rewards its candidates (`rewarding.py` of its code: the start has no reward but its likelihood). Ranks are those
    of DPO's implicit reward, whatever beta is.
    """

    kind: SourceKind = "model"

    def __init__(self, model: str | Path, base: str | Path, **opening: Any) -> None:
        self.model, self.base, self.opening = str(model), str(base), opening

    def score(
        self, records: Sequence[Record], *, rows: Sequence[Mapping[str, Any]] | None = None, progress: Progress = SILENT
    ) -> list[ScoredResponses]:
        """Rewards in nats; a record that the model's template cannot render has none."""
        now, refused, tokens = self._under(self.model, records, progress)
        if self.model == self.base:
            found = [total / count for total, count in zip(now, tokens, strict=True)]
        else:
            before, _, _ = self._under(self.base, records, progress)
            found = [one - other for one, other in zip(now, before, strict=True)]
        known = iter(found)
        return [
            without_rewards(record, NOT_SCORABLE, refused[at]) if at in refused else ScoredResponses(next(known))
            for at, record in enumerate(records)
        ]

    def _under(
        self, name: str, records: Sequence[Record], progress: Progress
    ) -> tuple[list[Float64[np.ndarray, " K"]], dict[int, str], list[Float64[np.ndarray, " K"]]]:
        """log p of the responses of each record that can be rendered, why others cannot, and how many tokens each has."""
        policy = open_policy(name, **self.opening)
        policy.network.autocast = None
        encoded, refused = [], dict[int, str]()
        for at, record in enumerate(records):
            try:
                encoded.append((record, policy.encoder.encode(record)))
            except ContractError as error:
                refused[at] = str(error)
        sequences = [sequences_of(record, one) for record, one in encoded]
        found = log_probs(policy.network, sequences, progress=progress)
        return found, refused, [np.array(one.answers, dtype=np.float64) for _, one in encoded]
