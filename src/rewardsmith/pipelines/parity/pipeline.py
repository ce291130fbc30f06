"""Probes through a running endpoint, compared with the checkpoint."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewardsmith.audit.conformance import Bench, bench_of
from rewardsmith.errors import ServerError
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.parity.asking import AskedText, Asking, ServerKind, Way, ways_of
from rewardsmith.pipelines.parity.causes import EXACT, candidates, cause_of
from rewardsmith.progress import Progress
from rewardsmith.records import Conversation, Message

LONG_WORDS = (100, 300, 900)


@dataclass(frozen=True)
class WayResult:
    """One way to ask: the largest difference of a reward over `n` texts, whether rewards agree up to rounding in fp32, and
    the likely cause where they do not. `error` says why the endpoint gave no rewards."""

    way: str
    path: str
    n: int
    difference: float
    agrees: bool
    cause: str
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its fields; what is unknown is null."""
        return {**asdict(self), "difference": None if math.isnan(self.difference) else self.difference}


def compare_endpoint(model: RewardModel, asking: Asking, progress: Progress) -> list[WayResult]:
    """Every way to ask the endpoint, compared with the rewards of the model."""
    bench = bench_of(model, probes(model), None)
    asked = [asked_text(model, text) for text in bench.texts]
    known = list(candidates(bench))
    return [one_way(bench, asking, way, asked, known, progress) for way in ways_of(asking.kind)]


def one_way(
    bench: Bench,
    asking: Asking,
    way: Way,
    asked: Sequence[AskedText],
    known: Sequence[tuple[str, np.ndarray]],
    progress: Progress,
) -> WayResult:
    """One way to ask."""
    rewards = []
    with progress.task("asking", len(asked), "texts") as task:
        for text in asked:
            try:
                rewards.append(asking.reward(way, text))
            except ServerError as error:
                return WayResult(way.name, way.path, len(rewards), math.nan, False, "", str(error))
            task.advance()
    found = np.array(rewards)
    if not np.isfinite(found).all():
        why = "the endpoint sent a reward that is not finite"
        return WayResult(way.name, way.path, len(rewards), math.nan, False, "", why)
    difference = float(np.abs(found - bench.alone).max())
    agrees = difference <= EXACT * max(1.0, float(np.abs(bench.alone).max()))
    cause = "" if agrees else cause_of(bench, found, known).sentence
    return WayResult(way.name, way.path, len(asked), difference, agrees, cause)


def probes(model: RewardModel) -> list[Conversation]:
    """The probes that every checkpoint stores, and longer texts, which show where an endpoint cuts."""
    long = [
        (
            Message("user", " ".join(("Count", "to", str(count)))),
            Message("assistant", " ".join(map(str, range(1, count + 1)))),
        )
        for count in LONG_WORDS
    ]
    return [*model.usable_probes(), *long]


def asked_text(model: RewardModel, text: Conversation) -> AskedText:
    """A conversation in both forms."""
    messages = [{"role": turn.role, "content": turn.content} for turn in text]
    return AskedText(messages, model.encoder.renderer.render(text))


__all__ = ["ServerKind", "WayResult", "compare_endpoint"]
