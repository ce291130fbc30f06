"""Responses drawn from a policy, and what a step has to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rewardsmith.align.policy_gradient.policy import Policy
from rewardsmith.align.policy_gradient.task import END, MAX_TOKENS, chosen_responses


@dataclass(frozen=True)
class Rollout:
    """B responses of up to T phrases.

    `prompt` is what the policy reads of the prompts, `mask` 1 for every phrase that the policy chose (the END included),
    `logps` their log probabilities and `values` the values of the states before them when they were drawn; `reference`
    the log probabilities under the reference policy, and `kl` the exact KL divergence of the two policies' next phrase
    at each of these states, in nats. `group` numbers the prompt of each response.
    """

    prompt: Float[Tensor, "B V"]
    tokens: Int[Tensor, "B T"]
    mask: Float[Tensor, "B T"]
    logps: Float[Tensor, "B T"]
    values: Float[Tensor, "B T"]
    reference: Float[Tensor, "B T"]
    kl: Float[Tensor, "B T"]
    entropy: Float[Tensor, "B T"]
    group: Int[Tensor, " B"]

    @property
    def responses(self) -> list[list[int]]:
        """The phrases of each response without its END."""
        return chosen_responses(self.tokens.tolist())


@torch.no_grad()
def sample(policy: Policy, prompt: Float[Tensor, "B V"], generator: torch.Generator) -> Int[Tensor, "B T"]:
    """One response to each prompt, at temperature 1; END behind it, and at most MAX_TOKENS phrases."""
    state = policy.first_state(prompt)
    last = torch.full((len(prompt),), END)
    going = torch.ones(len(prompt), dtype=torch.bool)
    drawn: list[Tensor] = []
    while going.any() and len(drawn) < MAX_TOKENS:
        logps, state = policy.step(prompt, last, state)
        last = torch.multinomial(logps.exp(), 1, generator=generator)[:, 0] * going
        going &= last != END
        drawn.append(last)
    return torch.stack(drawn, dim=1)


def chosen_mask(tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T"]:
    """1 up to the first END of each row, which is included."""
    ended = (tokens == END).cumsum(dim=1)
    return ((ended == 0) | ((ended == 1) & (tokens == END))).float()


@torch.no_grad()
def roll_out(
    policy: Policy, reference: Policy, prompt: Float[Tensor, "P V"], *, responses: int, generator: torch.Generator
) -> Rollout:
    """`responses` responses to each of P prompts, those of a prompt beside each other."""
    features = prompt.repeat_interleave(responses, dim=0)
    tokens = sample(policy, features, generator)
    mask = chosen_mask(tokens)
    here, values = policy(features, tokens)
    there, _ = reference(features, tokens)
    index = tokens[..., None]
    return Rollout(
        prompt=features,
        tokens=tokens,
        mask=mask,
        logps=here.gather(-1, index)[..., 0],
        values=values,
        reference=there.gather(-1, index)[..., 0],
        kl=(here.exp() * (here - there)).sum(dim=-1) * mask,
        entropy=-(here.exp() * here).sum(dim=-1) * mask,
        group=torch.arange(len(prompt)).repeat_interleave(responses),
    )


def rows_of(rollout: Rollout, rows: Sequence[int] | Tensor) -> Rollout:
    """Some of the responses."""
    index = torch.as_tensor(rows)
    return Rollout(**{name: value[index] for name, value in vars(rollout).items()})
