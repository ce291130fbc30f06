"""The training loop with the figures of preference optimisation."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rewardsmith.align.dpo.policy import PolicyNetwork
from rewardsmith.evaluate.metrics import over_decided
from rewardsmith.train.examples import Example
from rewardsmith.train.held_out import ValidationPass
from rewardsmith.train.loop import Fit


class PolicyFit(Fit):
    """A run of a `PolicyNetwork`, which has its reference already.

    A validation pass also tells, as means over comparisons without a label tie: `eval_reward_chosen` and
    `eval_reward_rejected` (implicit rewards), `eval_log_prob_chosen` and `eval_log_prob_rejected` (the sum over tokens).
    That both log probabilities fall while the margin grows is common under DPO, and visible here only.
    """

    def more_figures(self, passed: ValidationPass) -> Mapping[str, float]:
        """Rewards and log probabilities of chosen and rejected responses."""
        assert isinstance(self.network, PolicyNetwork)
        chosen = by_side(self.validation, passed.rewards)
        log_prob = by_side(self.validation, log_probs_of(self.network, self.validation, passed.rewards))
        told = {}
        for name, values in (("reward", chosen), ("log_prob", log_prob)):
            for side, each in zip(("chosen", "rejected"), values, strict=True):
                told[f"eval_{name}_{side}"] = over_decided(each, passed.preference, passed.weight)
        return told


def by_side(
    examples: Sequence[Example], values: Sequence[Float[np.ndarray, " K"]]
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " C"]]:
    """What belongs to the preferred and to the other response of every comparison, in order."""
    pairs = list(zip(examples, values, strict=True))
    preferred = np.concatenate([each[example.preferred] for example, each in pairs])
    other = np.concatenate([each[example.other] for example, each in pairs])
    return preferred.astype(np.float64), other.astype(np.float64)


def log_probs_of(
    network: PolicyNetwork, examples: Sequence[Example], rewards: Sequence[Float[np.ndarray, " K"]]
) -> list[Float[np.ndarray, " K"]]:
    """log p of every response, from its implicit reward and the reference: no second pass over the data."""
    assert network.reference is not None
    found = []
    for example, reward in zip(examples, rewards, strict=True):
        tokens = np.array(example.tree.answers, dtype=np.float64) if network.per_token else 1.0
        found.append(np.array(network.reference.of(example.tree)) + reward / network.beta * tokens)
    return found
