"""Two networks that choose each other's training comparisons, so that wrong labels are learned less.

Collaborative reward modelling (Zhang et al. 2025, arXiv 2505.10597): both see the same optimizer step, each names the
comparisons that it fits best, and the other trains on those. A wrong label is hard to fit, and two networks do not make
the same mistakes, which one network that chooses for itself would repeat. How many are kept follows co-teaching
(Han et al. 2018, arXiv 1804.06872, section 3): all at first, before anything is memorised, then fewer.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from rewardsmith.evaluate.metrics import nll_values
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.scorer import score
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.train import resume
from rewardsmith.train.examples import Example
from rewardsmith.train.loop import Fit, FitResult, FitSettings


@dataclass(frozen=True)
class Filtering:
    """How much is filtered out: in the end the share `rate` in [0, 1) of each step's comparisons, reached in equal steps
    over the first `ramp` in (0, 1] of the run. With `curriculum`, every epoch but the first goes from easy records to hard
    ones.
    """

    rate: float
    ramp: float
    curriculum: bool

    def kept(self, step: int, total: int) -> float:
        """The share of comparisons to keep in the step that follows `step` steps of `total`."""
        return 1 - self.rate * min(1.0, step / (self.ramp * total))


@dataclass(frozen=True)
class PeerFigures:
    """Which of two networks that trained together was better on validation (`first` or `peer`), the best loss of each (None
    without validation), and the share of the comparisons that each trained on."""

    chosen: str
    best_loss: float | None
    peer_best_loss: float | None
    kept: float

    def told(self) -> str:
        """One line for a person."""
        losses = [math.nan if loss is None else loss for loss in (self.best_loss, self.peer_best_loss)]
        return (
            f"the two models trained on {self.kept:.1%} of the comparisons each; best validation losses {losses[0]:.4f} "
            f"and {losses[1]:.4f}; saved: model {2 if self.chosen == 'peer' else 1}"
        )


def easiest(losses: Float[np.ndarray, " C"], share: float) -> Bool[np.ndarray, " C"]:
    """The `share` of comparisons with the lowest losses, rounded, at least one; of equals the first."""
    count = max(1, round(share * losses.size))
    chosen = np.zeros(losses.size, dtype=bool)
    chosen[np.argsort(losses, kind="stable")[:count]] = True
    return chosen


def only(examples: Sequence[Example], chosen: Bool[np.ndarray, " C"]) -> list[Example]:
    """The examples with the chosen ones of all their comparisons, in order; one without any is left out.

    What is kept has the weight that it had: a ranking of which half is dropped counts half.
    """
    parts = np.split(chosen, np.cumsum([len(example.preferred) for example in examples])[:-1])
    return [kept_of(example, part) for example, part in zip(examples, parts, strict=True) if part.any()]


def kept_of(example: Example, kept: Bool[np.ndarray, " C"]) -> Example:
    """One example with some of its comparisons."""
    if kept.all():
        return example
    columns = ("preferred", "other", "preference", "weight", "margin", "votes")
    chosen: dict[str, Any] = {name: getattr(example, name)[kept] for name in columns}
    return replace(example, **chosen)


class CollaborativeFit(Fit):
    """A run whose network and whose `peer`, a run of its own in a folder beside, filter each other's comparisons.

    It ends with the weights of the one that did better on validation. Both write a checkpoint at the same steps, the peer
    first, so that a killed run goes on from one at which both stand.
    """

    def __init__(
        self, network: RewardNetwork, settings: FitSettings, *, peer: Fit, filtering: Filtering, **given: Any
    ) -> None:
        super().__init__(network, settings, **given)
        self.peer = peer
        self.filtering = filtering
        self.places = {id(example): place for place, example in enumerate(self.train)}
        zeros = [0.0] * len(self.train)
        self.kept = {"epoch": 0, "order": zeros, "easiness": zeros.copy(), "seen": 0, "used": 0}

    def run(self, *, resuming: bool = False, progress: Progress = SILENT) -> FitResult:
        """Train both, and leave the better weights in the network."""
        result = super().run(resuming=resuming, progress=progress)
        self.peer.engine.close()
        own, other = self.state.best_loss, self.peer.state.best_loss
        if other < own:
            resume.load_best(self.network, self.peer.checkpoints, self.peer.state.best_step)
        figures = PeerFigures(
            "peer" if other < own else "first",
            None if math.isinf(own) else own,
            None if math.isinf(other) else other,
            self.kept["used"] / max(1, self.kept["seen"]),
        )
        progress.note(figures.told())
        return replace(result, peer=asdict(figures))

    def _steps(self, epoch: int) -> Iterator[list[int]]:
        if self.kept["epoch"] != epoch:
            self.kept |= {"epoch": epoch, "order": list(self.kept["easiness"])}
        if epoch == 0 or not self.filtering.curriculum:
            yield from super()._steps(epoch)
            return
        order = np.argsort(-np.array(self.kept["order"]), kind="stable").tolist()
        for start in range(0, len(order), self.settings.batch):
            yield order[start : start + self.settings.batch]

    def _one_step(self, epoch: int, examples: Sequence[Example], task: Task) -> None:
        share = self.filtering.kept(self.state.step, self.total)
        preference = np.concatenate([example.preference for example in examples]).astype(np.float64)
        margins = [self._margins(network, examples) for network in (self.network, self.peer.network)]
        for_peer, for_own = (only(examples, easiest(nll_values(margin, preference), share)) for margin in margins)
        self._remember(examples, (margins[0] + margins[1]) / 2, share)
        with SILENT.task("", None, "") as unseen:
            self.peer._one_step(epoch, for_peer, unseen)
        super()._one_step(epoch, for_own, task)

    def _margins(self, network: RewardNetwork, examples: Sequence[Example]) -> Float[np.ndarray, " C"]:
        """The margin of every comparison, in order, as the network sees it now."""
        budget = self.settings.tokens_per_microbatch
        rewards = score(network, [example.sequences for example in examples], budget=budget, team=self.team)
        found = [r[example.preferred] - r[example.other] for r, example in zip(rewards, examples, strict=True)]
        return np.concatenate(found).astype(np.float64)

    def _remember(self, examples: Sequence[Example], margin: Float[np.ndarray, " C"], share: float) -> None:
        """Keep how easy each record is, its mean margin, and count what is used."""
        parts = np.split(margin, np.cumsum([len(example.preferred) for example in examples])[:-1])
        for example, part in zip(examples, parts, strict=True):
            self.kept["easiness"][self.places[id(example)]] = float(part.mean())
        self.kept["seen"] += margin.size
        self.kept["used"] += int(easiest(margin, share).sum())

    def _validate(self, progress: Progress) -> None:
        super()._validate(progress)
        self.peer._validate(SILENT)
        both = min(self.state.without_gain, self.peer.state.without_gain)
        self.state.stopped_early = 0 < self.settings.patience <= both

    def _checkpoint(self) -> None:
        self.peer._checkpoint()
        super()._checkpoint()

    def _restore(self, step: int | None = None) -> int | None:
        found = super()._restore(step)
        if found is not None:
            self.peer._restore(found)
        elif self.team.leads:
            shutil.rmtree(self.peer.checkpoints, ignore_errors=True)
            self.peer._trim_metrics(-1)
        self.team.wait()
        return found
