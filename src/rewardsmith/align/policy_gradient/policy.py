"""A tiny language model over the task's phrases, with a value head; and how it learns to write as the built-in data does."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from rewardsmith.align.policy_gradient.losses import token_mean
from rewardsmith.align.policy_gradient.task import END, OrderTask, counts_of, orders, padded_rows

WIDTH, EMBEDDING = 64, 32
REFERENCE_ORDERS, REFERENCE_STEPS, REFERENCE_BATCH, REFERENCE_RATE = 1500, 400, 64, 5e-3


class Policy(nn.Module):
    """A GRU that writes one phrase after another, told which phrases the prompt has.

    Its copy gate adds one number per position to the logits of all phrases of the prompt (as CopyNet's copy mode does, Gu
    et al., arXiv 1603.06393, in the simplest form), without which so small a model would not learn to look at the prompt.
    The value head reads the same state, detached, so that the values never move the policy.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, EMBEDDING)
        self.start = nn.Linear(size, WIDTH)
        self.cell = nn.GRU(EMBEDDING, WIDTH, batch_first=True)
        self.words = nn.Linear(WIDTH, size)
        self.gate = nn.Linear(WIDTH, 1)
        self.values = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))

    def first_state(self, prompt: Float[Tensor, "B V"]) -> Float[Tensor, "1 B H"]:
        """The state before the first phrase; `prompt` is 1 where a phrase is in the prompt."""
        return torch.tanh(self.start(prompt))[None]

    def forward(
        self, prompt: Float[Tensor, "B V"], tokens: Int[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B T"]]:
        """Log probabilities of every phrase at each position given the ones before it, and the values of the states."""
        before = F.pad(tokens[:, :-1], (1, 0), value=END)
        states, _ = self.cell(self.embedding(before), self.first_state(prompt))
        return self.log_probabilities(states, prompt[:, None]), self.values(states.detach())[..., 0]

    def log_probabilities(self, states: Float[Tensor, "*B H"], prompt: Float[Tensor, "*B V"]) -> Float[Tensor, "*B V"]:
        """What the next phrase is, by state."""
        return F.log_softmax(self.words(states) + self.gate(states) * prompt, dim=-1)

    def step(
        self, prompt: Float[Tensor, "B V"], last: Int[Tensor, " B"], state: Float[Tensor, "1 B H"]
    ) -> tuple[Float[Tensor, "B V"], Float[Tensor, "1 B H"]]:
        """Log probabilities of the next phrase, and the state behind `last`."""
        states, state = self.cell(self.embedding(last)[:, None], state)
        return self.log_probabilities(states[:, 0], prompt), state


def prompt_features(task: OrderTask, prompts: Sequence[Sequence[int]]) -> Float[Tensor, "B V"]:
    """1 where a phrase is in the prompt."""
    return torch.from_numpy(counts_of(task, prompts)).clamp(max=1)


def reference_policy(task: OrderTask, *, seed: int) -> Policy:
    """A policy that writes as the built-in data does: sentences in order, with about half of the attributes right.

    Maximum likelihood on responses of the built-in data; the same seed gives the same policy.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = Policy(task.size)
        data = orders(task, REFERENCE_ORDERS, seed=seed)
        prompts = prompt_features(task, [order.prompt for order in data for _ in order.responses])
        rows = padded_rows([response for order in data for response in order.responses])
        tokens, mask = map(torch.from_numpy, rows)
        optimizer = torch.optim.Adam(policy.parameters(), lr=REFERENCE_RATE)
        for _ in range(REFERENCE_STEPS):
            batch = torch.randint(len(tokens), (REFERENCE_BATCH,))
            logps = policy(prompts[batch], tokens[batch])[0].gather(-1, tokens[batch][..., None])[..., 0]
            loss = -token_mean(logps, mask[batch])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return policy
