"""One optimizer step: the gradient as it is defined, however the step is cut into micro-batches.

The loss of a step is sum(w * l) / sum(w) over all comparisons of its records (or rankings, or rated responses: the units
of the loss). Micro-batches only bound memory: their losses are divided by the step's whole weight before backward, so any
cut gives the same gradient. Several processes share the records; each knows the whole step, and so its weight and how many
passes the others make.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import TrainingError
from rewardsmith.evaluate.metrics import accuracy, over_decided
from rewardsmith.model.forward.batches import cost, micro_batches
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.runtime.processes import Team
from rewardsmith.train.coupled import (
    all_outputs,
    mean_of,
    outputs_of,
    random_state,
    rows_of_examples,
    set_random_state,
    slopes_of,
    step_labels,
)
from rewardsmith.train.engines.engine import Engine, deal
from rewardsmith.train.examples import Example
from rewardsmith.train.labels import labels_of, total_weight, unit_places
from rewardsmith.train.losses.loss import Annotations, Loss, Unit
from rewardsmith.train.masks import Dropout


@dataclass(frozen=True)
class StepFigures:
    """What one step showed: loss, share of comparisons won (ties half), mean margin, mean and spread of rewards.

    Accuracy and margin are means over the comparisons without a label tie, with the weights of the loss; NaN where a step
    has none. `comparisons` counts all that the loss hears. `loss` is that of the rewards alone; `text_loss` what terms on
    the text of responses add (`losses.text`), NaN without them.
    """

    loss: float
    accuracy: float
    margin: float
    reward_mean: float
    reward_std: float
    comparisons: int
    tokens: int
    text_loss: float = math.nan


def measured(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are numbers: a step whose labels are all ties has no accuracy and no margin."""
    return {name: value for name, value in figures.items() if not math.isnan(value)}


def unscaled(loss: Tensor) -> Tensor:
    """The loss as it is."""
    return loss


def accumulate(
    network: RewardNetwork,
    examples: Sequence[Example],
    loss: Loss,
    *,
    dropout: Dropout,
    budget: int,
    scale: Callable[[Tensor], Tensor] = unscaled,
    engine: Engine | None = None,
) -> StepFigures:
    """Add the step's gradient to the parameters; returns what the step showed, the same in every process.

    As `add_gradient`, read at once. Raises TrainingError naming the rows if a loss is not finite, in every process.
    """
    engine = engine or Engine(network)
    seen = add_gradient(network, examples, loss, dropout=dropout, budget=budget, scale=scale, engine=engine)
    return seen.read(engine.team)[0]


def add_gradient(
    network: RewardNetwork,
    examples: Sequence[Example],
    loss: Loss,
    *,
    dropout: Dropout,
    budget: int,
    scale: Callable[[Tensor], Tensor],
    engine: Engine,
) -> "Seen":
    """Add the step's gradient to the parameters without waiting for the device; what the step showed is still there.

    `examples` are the whole step's, of which each process of the engine's team computes its part. `scale` multiplies
    the loss before backward (fp16 needs that; the caller takes it out again).
    """
    if loss.couples:
        return add_coupled_gradient(network, examples, loss, dropout=dropout, budget=budget, scale=scale, engine=engine)
    total = total_weight(examples, loss.unit)
    seen = Seen()
    passes, idle = passes_of(network, examples, budget, engine.team)
    for number, chosen in enumerate([*passes, *idle], start=1):
        counts = number <= len(passes)
        with engine.passing(last=number == len(passes) + len(idle)):
            outputs = outputs_of(network, chosen, dropout, engine, loss)
            labels = labels_of(chosen, network.device, loss.unit)
            own, text = loss.parts(outputs, labels)
            values = loss.whole(own, text)
            share = partial(part_of_step, weight=labels.unit_weight, total=total, counts=counts)
            engine.backward(scale(share(values) * engine.weight))
        if counts:
            scores = outputs if outputs.dim() == 1 else outputs[:, 0]
            margins = scores[labels.preferred] - scores[labels.other]
            told = (share(own), values, margins, scores, own.new_zeros(0) if text is None else share(text))
            seen.passes.append(tuple(one.detach() for one in told))
            seen.look_at(chosen, loss.unit, packed=network.packed)
    return seen


def add_coupled_gradient(
    network: RewardNetwork,
    examples: Sequence[Example],
    loss: Loss,
    *,
    dropout: Dropout,
    budget: int,
    scale: Callable[[Tensor], Tensor],
    engine: Engine,
) -> "Seen":
    """As `add_gradient`, for a loss that has to see the whole step (`train.coupled`); the host waits for the outputs."""
    passes, idle = passes_of(network, examples, budget, engine.team)
    every, labels = [*passes, *idle], step_labels(network, examples, loss, dropout)
    if len(every) == engine.team.size == 1:
        order = rows_of_examples(examples, every[0])
        with engine.passing(last=True):
            outputs = outputs_of(network, every[0], dropout, engine, loss)[torch.argsort(torch.tensor(order))]
            whole = mean_of(loss.whole(*loss.parts(outputs, labels)), labels)
            engine.backward(scale(whole * engine.weight))
        return Seen.of_step(engine.team, examples, passes, loss, network, (outputs.detach(), labels))
    outputs, states = all_outputs(
        network, every, examples, dropout=dropout, engine=engine, loss=loss, counting=len(passes)
    )
    slopes = slopes_of(outputs, labels, loss)
    now = random_state(network.device)
    for number, (chosen, state) in enumerate(zip(every, states, strict=True), start=1):
        set_random_state(network.device, state)
        with engine.passing(last=number == len(every)):
            again = outputs_of(network, chosen, dropout, engine, loss)
            part = (again * slopes[rows_of_examples(examples, chosen)]).sum() * (number <= len(passes))
            engine.backward(scale(part * engine.weight))
    set_random_state(network.device, now)
    return Seen.of_step(engine.team, examples, passes, loss, network, (outputs, labels))


def part_of_step(values: Float[Tensor, " U"], weight: Float[Tensor, " U"], total: float, counts: bool) -> Tensor:
    """What the units of one pass are of a step whose units count `total` together."""
    return (weight * values).sum() / total * counts


@dataclass
class Seen:
    """What one process saw of a step, left on the device: of each pass its loss, the values of its U units, the margins of
    its C comparisons, the R rewards, and what the text added, if it does; `places` are the units' rows, preferences and
    weights what the data say of the comparisons. To look at one of the others would make the host wait for the device.
    """

    passes: list[tuple[Tensor, ...]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    preferences: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)
    tokens: int = 0

    @classmethod
    def of_step(
        cls,
        team: Team,
        examples: Sequence[Example],
        passes: Sequence[Sequence[Example]],
        loss: Loss,
        network: RewardNetwork,
        known: tuple[Float[Tensor, "R O"], Annotations],
    ) -> "Seen":
        """Of a step whose outputs and labels every process knows whole: the first tells the losses, each the comparisons
        of its own passes.
        """
        outputs, labels = known
        proper, text = loss.parts(outputs, labels)
        whole, values, unit = mean_of(proper, labels), loss.whole(proper, text), loss.unit
        added = whole.new_zeros(0) if text is None else mean_of(text, labels)
        own = [example for chosen in passes for example in chosen]
        seen = cls()
        seen.look_at(own, unit, packed=network.packed)
        seen.places = [place for example in examples for place in unit_places(example, unit)] if team.leads else []
        rewards = outputs[rows_of_examples(examples, own), 0]
        mine = labels_of(own, network.device, unit) if own else None
        margins = rewards[:0] if mine is None else rewards[mine.preferred] - rewards[mine.other]
        told = (whole, values, added) if team.leads else (whole * 0, values[:0], added * 0)
        seen.passes.append((*told[:2], margins, rewards, told[2]))
        return seen

    def look_at(self, examples: Sequence[Example], unit: Unit, *, packed: bool) -> None:
        """Note what the host knows of the examples of a pass."""
        self.places += [place for example in examples for place in unit_places(example, unit)]
        self.preferences += [example.preference for example in examples]
        self.weights += [example.weight for example in examples]
        self.tokens += sum(cost(example.tree, packed=packed) for example in examples)

    def read(self, team: Team, *more: Tensor) -> tuple[StepFigures, list[float]]:
        """The step's figures over the whole team, and the numbers `more`, with one copy from the device to the host.

        Raises TrainingError naming the rows if a loss is not finite, in every process.
        """
        tensors = [tensor.reshape(-1) for tensor in (*more, *(tensor for seen in self.passes for tensor in seen))]
        every = torch.cat(tensors).cpu() if tensors else torch.zeros(0)
        numbers = torch.split(every, [len(tensor) for tensor in tensors])
        columns = [numbers[len(more) + kind :: 5] for kind in range(5)]
        losses, values, margins, rewards, added = (
            torch.cat(column) if column else torch.zeros(0) for column in columns
        )
        preferences, weights = (np.concatenate([[], *kept]) for kept in (self.preferences, self.weights))
        problem = not_finite(self.places, values.tolist())
        own = StepPart(
            sum(losses.tolist()), margins, preferences, weights, rewards, self.tokens, problem, sum_of(added)
        )
        return figures_of(team.gather(own)), [number.item() for number in numbers[: len(more)]]


@dataclass(frozen=True)
class StepPart:
    """What one process saw of a step, on the host; `problem` names rows whose loss is not finite, `text` is NaN without
    terms on text.
    """

    loss: float
    margins: Float[Tensor, " C"]
    preferences: Float[np.ndarray, " C"]
    weights: Float[np.ndarray, " C"]
    rewards: Float[Tensor, " R"]
    tokens: int
    problem: str
    text: float


def passes_of(
    network: RewardNetwork, examples: Sequence[Example], budget: int, team: Team
) -> tuple[list[list[Example]], list[list[Example]]]:
    """The micro-batches of this process, and those that count nothing, which it makes until all have made as many."""
    plans = []
    for hand in deal(examples, team.size, packed=network.packed):
        groups = micro_batches([example.tree for example in hand], budget, packed=network.packed)
        plans.append([[hand[index] for index in group] for group in groups])
    most = max(map(len, plans))
    shortest = min(examples, key=lambda example: cost(example.tree, packed=network.packed))
    return plans[team.rank], [[shortest]] * (most - len(plans[team.rank]))


def figures_of(parts: Sequence[StepPart]) -> StepFigures:
    """The step's figures from those of all processes; TrainingError where one met a loss that is not finite."""
    if problem := next((part.problem for part in parts if part.problem), ""):
        raise TrainingError(problem)
    each = [(p.margins, p.rewards, p.preferences, p.weights, p.loss, p.tokens, p.text) for p in parts]
    margins, rewards, preferences, weights, losses, tokens, texts = zip(*each, strict=True)
    margin, reward = torch.cat(margins).double().numpy(), torch.cat(rewards)
    preference, weight = np.concatenate(preferences), np.concatenate(weights)
    return StepFigures(
        loss=sum(losses),
        accuracy=accuracy(margin, preference, weight=weight),
        margin=over_decided(margin, preference, weight),
        reward_mean=reward.mean().item(),
        reward_std=reward.std(correction=0).item(),
        comparisons=len(margin),
        tokens=sum(tokens),
        text_loss=sum_of(torch.tensor([text for text in texts if not math.isnan(text)], dtype=torch.float64)),
    )


def sum_of(values: Tensor) -> float:
    """The sum; NaN of nothing."""
    return sum(values.tolist()) if len(values) else math.nan


def not_finite(places: Sequence[str], losses: Sequence[float]) -> str:
    """Name the rows whose loss is NaN or infinite; "" where there are none."""
    bad = [place for place, loss in zip(places, losses, strict=True) if not math.isfinite(loss)]
    return f"the loss is not finite on {len(bad)} comparisons, first at {', '.join(bad[:3])}" if bad else ""
