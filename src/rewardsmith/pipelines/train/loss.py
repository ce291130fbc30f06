"""The loss of `rewardsmith train`: its settings, and whether the data have what it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from rewardsmith.errors import TrainingError
from rewardsmith.progress import Progress
from rewardsmith.settings.options import NamedSettings

if TYPE_CHECKING:
    from rewardsmith.train.examples import Example
    from rewardsmith.train.losses.loss import Loss, Needs

DEFAULT = "bradley-terry"
ON_RATINGS = ("regression", "pinball", "step-cross-entropy")
"""Losses that learn from ratings, and so from records without comparisons."""


@dataclass(frozen=True, kw_only=True)
class LossSettings(NamedSettings):
    """The loss function and its options; an option that the loss does not use is refused."""

    name: str = DEFAULT
    """Loss function: bradley-terry, margin, scaled-margin, label-smoothing, soft-labels, rao-kupper, davidson, hinge,
    focal, focal-ranking, symmetric, ramp, unbiased, gce, plackett-luce, regression, uncertainty, contrastive, odin,
    attributes, helpful-cost, gaussian, quantile, pinball, inform or step-cross-entropy (see docs/losses.md)."""
    center: float | None = None
    """Coefficient of the squared sum of the two rewards of a comparison, which keeps rewards near 0 (default: 0)."""
    margin_scale: float | None = None
    """margin, scaled-margin: factor of the margins of the data (default: 1)."""
    smoothing: float | None = None
    """label-smoothing: probability that a label is wrong, below 0.5 (default: 0.1)."""
    prior_votes: float | None = None
    """soft-labels: votes added to each side (default: 1; 0 takes the share of votes as it is)."""
    tie_share: float | None = None
    """rao-kupper, davidson: probability of a tie between equal rewards (default: 1/3)."""
    hinge_lead: float | None = None
    """hinge: lead of the preferred response from which on a comparison costs nothing (default: 1)."""
    gamma: float | None = None
    """focal, focal-ranking: exponent; larger values reduce the weight of comparisons already won (default: 2)."""
    flip_rate: float | None = None
    """unbiased: share of labels that are flipped, below 0.5 (default: 0.1)."""
    power: float | None = None
    """gce: exponent between bradley-terry (near 0) and symmetric (1) (default: 0.7)."""
    top: int | None = None
    """plackett-luce: number of first places of a ranking to learn from (default: all)."""
    members: int | None = None
    """uncertainty: number of heads, whose mean is the reward (default: 4)."""
    strength: float | None = None
    """uncertainty: how much less a comparison counts on which the heads disagree (default: 1)."""
    contrast: float | None = None
    """contrastive: coefficient of the contrastive term (default: 0.1)."""
    temperature: float | None = None
    """contrastive: temperature of the similarities (default: 0.1)."""
    view_dropout: float | None = None
    """contrastive: dropout that makes the two views of a response (default: 0.1)."""
    length_weight: float | None = None
    """odin: coefficient of the correlations with length (default: 1)."""
    orthogonal_weight: float | None = None
    """odin: coefficient of the similarity of the two heads (default: 1)."""
    given_label: int | None = None
    """odin: 1 correlates differences of preferred and other response, which keeps quality that goes with length; 0, as in
    the paper, takes all responses (default: 0)."""
    sign_weight: float | None = None
    """helpful-cost: coefficient of the term that makes the cost positive for unsafe responses (default: 1)."""
    kl_weight: float | None = None
    """inform: coefficient of the KL divergence of the bottleneck (default: 0.001)."""
    lm: float | None = None
    """Weight of the language-model loss on the preferred responses, a mean over their tokens; decoders only (default: 0)."""
    lm_share: float | None = None
    """Share of the records whose text counts in each epoch, with --loss.lm (default: 1)."""
    grm_sft: float | None = None
    """Weight of GRM's regulariser on the log likelihood of the preferred response, 0.01 in its paper; the loss itself is
    weighted with 1 minus it (default: 0)."""
    grm_dpo: float | None = None
    """As --loss.grm-sft, for the difference of both responses' log likelihoods, without a reference model (default: 0)."""
    grm_beta: float | None = None
    """Factor of the log likelihoods in GRM's regulariser (default: 0.1)."""

    @property
    def on_text(self) -> bool:
        """Whether a term on the text of responses is asked for."""
        return any(getattr(self, name) for name in ("lm", "grm_sft", "grm_dpo"))


def check_labels(loss: "Loss", name: str, examples: "Sequence[Example]", progress: Progress) -> None:
    """TrainingError where no training record has what the loss needs; a note where some have not.

    Also where a margin is negative: by it the preferred response would be the worse one.
    """
    if loss.needs is None:
        return
    missing = np.concatenate([lacking(example, loss.needs) for example in examples])
    count = int(missing.sum())
    pairs_only = loss.needs == "rankings" and all(example.responses < 3 for example in examples)
    if count == len(missing) or pairs_only:
        comparisons = sum(len(example.preferred) for example in examples)
        raise TrainingError(absent(loss.needs, name, comparisons))
    if count:
        progress.note(partly(loss.needs, count, len(missing)))
    if loss.needs == "margins":
        refuse_negative(examples, name)


def absent(needs: "Needs", name: str, comparisons: int) -> str:
    """Why a loss cannot be used on the data, and what can."""
    if needs == "margins":
        return (
            f"--loss {name}: none of the {comparisons} training comparisons has a margin; expected a column margin, or "
            "ratings of both responses; use --loss bradley-terry"
        )
    if needs == "votes":
        return (
            f"--loss {name}: none of the {comparisons} training comparisons has votes; expected how many judges preferred "
            "each response; use --loss bradley-terry, which takes their share"
        )
    if needs == "ratings":
        return f"--loss {name}: no response of the training data has a rating; use --loss bradley-terry"
    return (
        f"--loss {name}: no training record ranks 3 or more responses ({comparisons} comparisons); on pairs this loss "
        "is --loss bradley-terry; --merge-prompts joins rows with the same prompt"
    )


def partly(needs: "Needs", count: int, total: int) -> str:
    """What becomes of the units that lack what the loss needs."""
    if needs == "margins":
        return f"{count} of {total} training comparisons have no margin; they count as under bradley-terry"
    if needs == "votes":
        return f"{count} of {total} training comparisons have no votes; their target is the stated preference"
    if needs == "ratings":
        return f"{count} of {total} responses of the training records have no rating; they are not used"
    return (
        f"{count} of {total} training records are not used: they have no response that is compared with all others and "
        "loses to none"
    )


def lacking(example: "Example", needs: "Needs") -> "Bool[np.ndarray, ' U']":
    """Which units of a record lack what a loss needs: comparisons, responses, or the record as a ranking."""
    from rewardsmith.train.labels import ranking_of

    if needs == "rankings":
        return np.array([not ranking_of(example)])
    values = {"margins": example.margin, "votes": example.votes[:, 0], "ratings": example.ratings}[needs]
    return np.asarray(np.isnan(values))


def refuse_negative(examples: "Sequence[Example]", name: str) -> None:
    """TrainingError for margins below 0."""
    bad = [example.place for example in examples if (np.nan_to_num(example.margin) < 0).any()]
    if bad:
        raise TrainingError(
            f"--loss {name}: {len(bad)} training records have a negative margin, first {bad[0]}; expected at least 0, since "
            "a margin says by how much the preferred response is better"
        )
