"""The gate of `--head gated`, fitted to comparisons once the outputs of the attributes have learned: ArmoRM's second stage.

Outputs and prompts' states are computed once; then only the gate's weights change (RLHFlow/RLHF-Reward-Modeling,
armo-rm/stage-2_train.py). As the paper has it, and unlike that script, the gate learns with the penalty in place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rewardsmith.evaluate.metrics import accuracy, nll
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads.gated import GatedAttributes
from rewardsmith.model.runtime.processes import ALONE, Team
from rewardsmith.model.scorer import features
from rewardsmith.train.examples import Example
from rewardsmith.train.losses.bradley_terry import bradley_terry

BATCH, RATE = 1024, 1e-3
"""Comparisons of a step, drawn with replacement, and the learning rate, which falls to 0 along a cosine."""
CHECKS = 20
"""So often the gate is tried on held-out comparisons, and the best one is kept."""
FEWEST = 20
"""Comparisons from which a gate is fitted, or chosen by."""
CORRELATION = 0.03
PENALTIES = (0, 0.01, *np.arange(0.025, 0.151, 0.025).round(3).tolist(), *np.arange(0.2, 0.951, 0.05).round(2).tolist())
"""What is taken off an attribute for a unit of the penalised one is the first of these with which their rank correlation is
at most CORRELATION, else 1."""


@dataclass(frozen=True)
class GateData:
    """Outputs of N responses, the states at the ends of their P prompts, and C comparisons as numbers of responses."""

    outputs: Float[np.ndarray, "N A"]
    prompts: Float[np.ndarray, "P H"]
    prompt: Int[np.ndarray, " N"]
    preferred: Int[np.ndarray, " C"]
    other: Int[np.ndarray, " C"]
    preference: Float[np.ndarray, " C"]
    weight: Float[np.ndarray, " C"]


@dataclass(frozen=True)
class GateFit:
    """What a gate came to on `held` comparisons, (loss, accuracy) at the first step and at the one kept."""

    compared: int
    held: int
    first: tuple[float, float]
    kept: tuple[float, float]
    step: int

    def told(self) -> str:
        """In one line."""
        if not self.held:
            return f"gate fitted on {self.compared} training comparisons; no held-out comparisons to choose it by"
        return (
            f"gate fitted on {self.compared} training comparisons, kept from step {self.step}: on {self.held} validation "
            f"comparisons loss {self.first[0]:.4f} → {self.kept[0]:.4f}, accuracy {self.first[1]:.4f} → {self.kept[1]:.4f}"
        )


def gate_data(
    network: RewardNetwork, head: GatedAttributes, examples: Sequence[Example], team: Team = ALONE
) -> GateData:
    """What the gate learns from of the examples that compare by the main attribute."""
    compared = [example for example in examples if len(example.preferred)]
    outputs, prompts, places, known = [], [], [], 0
    for rows in features(network, [example.sequences for example in compared], team=team):
        with torch.no_grad():
            read = torch.from_numpy(rows).to(head.weight.device)
            outputs.append(head.outputs(read).cpu().numpy())
            ends, which = np.unique(head.of_prompt(read).cpu().numpy(), axis=0, return_inverse=True)
        prompts.append(ends)
        places.append(which.reshape(-1) + known)
        known += len(ends)
    firsts = np.cumsum([0, *map(len, outputs)])[:-1]
    return GateData(
        outputs=np.concatenate(outputs),
        prompts=np.concatenate(prompts),
        prompt=np.concatenate(places),
        preferred=np.concatenate([e.preferred + first for e, first in zip(compared, firsts, strict=True)]),
        other=np.concatenate([e.other + first for e, first in zip(compared, firsts, strict=True)]),
        preference=np.concatenate([e.preference for e in compared]).astype(np.float64),
        weight=np.concatenate([e.weight for e in compared]).astype(np.float64),
    )


def penalties(outputs: Float[np.ndarray, "N A"], at: int) -> Float[np.ndarray, " A"]:
    """What is taken off each attribute for a unit of attribute `at`, of which nothing itself remains."""
    from scipy.stats import spearmanr

    found = np.ones(outputs.shape[1])
    verbose = outputs[:, at]
    for k in set(range(outputs.shape[1])) - {at}:
        tried = (p for p in PENALTIES if spearmanr(outputs[:, k] - p * verbose, verbose).statistic <= CORRELATION)
        found[k] = next(tried, 1.0)
    return found


def fit_gate(head: GatedAttributes, train: GateData, held: GateData | None, *, steps: int, seed: int) -> GateFit:
    """Fit the gate in place by Bradley-Terry on `train`; what is kept is what has the lowest loss on `held`.

    The same data and seed give the same gate. `held` None, or with fewer than FEWEST comparisons: the last step is kept.
    """
    if head.penalized is not None:
        head.penalty.copy_(torch.from_numpy(penalties(train.outputs, head.penalized)))
    held = held if held is not None and len(held.preferred) >= FEWEST else None
    learned = [*head.gate.parameters(), head.gain]
    head.requires_grad_(False)
    for parameter in learned:
        parameter.requires_grad_(True)
    first = judged(head, held)
    with torch.random.fork_rng(devices=[head.weight.device] if head.weight.is_cuda else []):
        torch.manual_seed(seed)
        kept, step = best_of(moments(head, learned, train, held, steps=steps, seed=seed), learned, last=held is None)
    return GateFit(len(train.preferred), 0 if held is None else len(held.preferred), first, kept, step)


def best_of(
    moments: Iterator[tuple[int, tuple[float, float]]], learned: Sequence[torch.nn.Parameter], *, last: bool
) -> tuple[tuple[float, float], int]:
    """Let the parameters be those of the moment with the lowest loss, or of the last one; its figures and step."""
    best, weights = ((float("nan"), float("nan")), 0), list[Tensor]()
    for step, figures in moments:
        if last or not weights or figures[0] < best[0][0]:
            best, weights = (figures, step), [parameter.detach().clone() for parameter in learned]
    for parameter, value in zip(learned, weights, strict=True):
        parameter.detach().copy_(value)
        parameter.requires_grad_(False)
    return best


def moments(
    head: GatedAttributes,
    learned: Sequence[torch.nn.Parameter],
    train: GateData,
    held: GateData | None,
    *,
    steps: int,
    seed: int,
) -> Iterator[tuple[int, tuple[float, float]]]:
    """The start and CHECKS steps on the way, with what the gate then does on held-out comparisons."""
    yield 0, judged(head, held)
    for step in descent(head, learned, train, steps=steps, seed=seed):
        if step % max(1, steps // CHECKS) == 0 or step == steps:
            yield step, judged(head, held)


def descent(
    head: GatedAttributes, learned: Sequence[torch.nn.Parameter], data: GateData, *, steps: int, seed: int
) -> Iterator[int]:
    """Steps of AdamW without weight decay; yields the number of each that was made."""
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    draw = np.random.default_rng(seed)
    share = data.weight / data.weight.sum()
    for step in range(1, steps + 1):
        rows = draw.choice(len(share), size=min(BATCH, len(share)), p=share)
        head.train()
        preference = torch.from_numpy(data.preference[rows]).to(head.weight)
        loss = bradley_terry(margins(head, data, rows), preference).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        yield step


def margins(head: GatedAttributes, data: GateData, rows: Int[np.ndarray, " B"]) -> Float[Tensor, " B"]:
    """The difference of rewards of some comparisons."""
    responses = np.concatenate([data.preferred[rows], data.other[rows]])
    prompts = torch.from_numpy(data.prompts[data.prompt[responses]]).to(head.weight)
    outputs = torch.from_numpy(data.outputs[responses]).to(head.weight)
    rewards = (head.coefficients(prompts) * outputs).sum(dim=1)
    return rewards[: len(rows)] - rewards[len(rows) :]


def judged(head: GatedAttributes, data: GateData | None) -> tuple[float, float]:
    """Loss and accuracy on comparisons; NaN without any."""
    if data is None:
        return float("nan"), float("nan")
    head.eval()
    with torch.no_grad():
        parts = np.array_split(np.arange(len(data.preferred)), -(-len(data.preferred) // BATCH))
        margin = np.concatenate([margins(head, data, rows).double().cpu().numpy() for rows in parts])
    figures = (margin, data.preference)
    return nll(*figures, weight=data.weight), accuracy(*figures, weight=data.weight)
