"""What each attribute counts in the reward of a head with attributes, fitted once its outputs have learned."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.head import FEWEST, keep_outputs
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.heads.gated import GatedAttributes
    from rewardsmith.model.heads.multi_objective import AttributeHeads
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.train.examples import Example
    from rewardsmith.train.loop import FitResult

RIDGE = 0.01
"""The penalty of the fit of fixed weights, per unit of mean loss."""


def settle_head(
    config: Config,
    model: "RewardModel",
    fitted: "FitResult",
    train: "Sequence[Example]",
    validation: "Sequence[Example]",
    team: "Team",
    progress: Progress,
) -> None:
    """Fit a gate on the training comparisons, or fixed weights on those of validation where none were given; then take the
    head, of this or any other kind, out of what was trained.
    """
    from rewardsmith.model.heads.extra import extra_of
    from rewardsmith.model.heads.gated import GatedAttributes
    from rewardsmith.model.heads.multi_objective import AttributeHeads

    head = extra_of(model.network)
    if isinstance(head, GatedAttributes):
        fit_by_prompt(config, model, head, train, validation, team, progress)
    elif isinstance(head, AttributeHeads) and head.info.options["weights"] is None:
        fit_weights(model, head, validation, team, progress)
    keep_outputs(config.head.name, model, fitted)


def fit_by_prompt(
    config: Config,
    model: "RewardModel",
    head: "GatedAttributes",
    train: "Sequence[Example]",
    validation: "Sequence[Example]",
    team: "Team",
    progress: Progress,
) -> None:
    """Fit the gate; all processes compute the outputs, the first fits, and all take its weights."""
    from rewardsmith.model.heads.gated import STEPS
    from rewardsmith.train.fitting.gate import fit_gate, gate_data

    steps = int(config.head.gate_steps or STEPS.default)
    learned = gate_data(model.network, head, train, team)
    held = gate_data(model.network, head, validation, team) if any(len(e.preferred) for e in validation) else None

    def fitted() -> tuple[str, dict[str, object]]:
        told = fit_gate(head, learned, held, steps=steps, seed=config.seed).told()
        return told, dict(head.tensors())

    told, weights = team.from_lead(fitted)
    head.load_state_dict(weights)
    progress.note(told)
    if head.penalized is not None:
        taken = ", ".join(
            f"{name} {value:.3g}" for name, value in zip(head.columns, head.penalty.tolist(), strict=True)
        )
        progress.note(f"share of {head.columns[head.penalized]} subtracted from each attribute: {taken}")


def fit_weights(
    model: "RewardModel", head: "AttributeHeads", validation: "Sequence[Example]", team: "Team", progress: Progress
) -> None:
    """Fit what each attribute counts in the reward on the validation comparisons of the main attribute.

    A logistic regression on the differences of the outputs, nearly without a penalty. Equal weights stay where there are
    too few comparisons, or where the outputs say nothing of them.
    """
    import numpy as np
    import torch

    from rewardsmith.model.scorer import features
    from rewardsmith.train.fitting.linear import Differences, fit_linear

    network = model.network
    found = features(network, [example.sequences for example in validation], team=team)
    pairs = []
    for example, values in zip(validation, found, strict=True):
        with torch.no_grad():
            rows = torch.from_numpy(values).to(network.device)
            outputs = head(rows[:, 0], rows, network.head.weight)[:, 1:].double().cpu().numpy()
        pairs.append(outputs[example.preferred] - outputs[example.other])
    x = np.concatenate(pairs)
    if len(x) < FEWEST:
        progress.note(
            f"the attributes count equally in the reward: validation has {len(x)} comparisons, fewer than {FEWEST}; give "
            "--head.weights"
        )
        return
    spread = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    joined = {
        name: np.concatenate([getattr(example, name) for example in validation]).astype(np.float64)
        for name in ("preference", "weight")
    }
    data = Differences((x / spread).astype(np.float32), **joined, cluster=np.arange(len(x)))
    mix = fit_linear(data, RIDGE) / spread
    head.set_mix(torch.from_numpy(mix).to(head.mix))
    told = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(head.columns, mix, strict=True))
    progress.note(f"weights of the attributes in the reward, fitted on {len(x)} validation comparisons: {told}")
