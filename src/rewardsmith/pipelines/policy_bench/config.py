"""The settings of `rewardsmith policy-bench`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.settings.fields import refuse_below
from rewardsmith.settings.hardware import DtypeName, check_device

ObjectiveName = Literal["single", "ensemble", "constrained"]
OF_OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "ensemble": {"std_weight": 1.0},
    "constrained": {"cost": "novelty", "cost_limit": None},
}
"""The settings that one objective alone has, with their defaults."""
OF_SMALL_MODELS = {"preferences": 300, "members": 4, "scrambled": 0.0, "padded": 0.0, "flipped": 0.1}
"""The settings of the bench's own reward models, with their defaults."""
FEWEST_STEPS = 16
AT_LEAST = {
    "seeds": 1, "steps": FEWEST_STEPS, "prompts": 2, "responses": 2, "epochs": 1, "preferences": 20, "members": 1,
}  # fmt: skip
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith policy-bench`."""

    model: str | None = None
    """Reward model to test: a folder, a run folder, an ensemble, a Hub name or a rewards file (default: small reward models
    that the bench trains itself)."""
    output: Path
    """Output folder: report.html, policy_bench.json and runs/*.jsonl, a line per step."""
    language: Literal["en", "zh"] = "en"
    """Language of the task: orders from the synthetic data, whose gold reward is known."""
    algorithm: Literal["grpo", "ppo", "rloo"] = "grpo"
    """How the policy learns: grpo, ppo or rloo."""
    objective: tuple[ObjectiveName, ...] = ()
    """What it is rewarded with; repeat the flag for several (default: all that apply): single (the first member of the
    reward model), ensemble (mean of the members less --std-weight standard deviations), constrained (the mean, with a
    Lagrange multiplier that limits the cost)."""
    std_weight: float = 1.0
    """With ensemble: how many standard deviations of the members are subtracted from their mean."""
    cost: Literal["novelty", "length"] = "novelty"
    """With constrained: novelty (share of three-phrase sequences that the training texts do not have) or length (phrases
    beyond those of the longest response that says no more than it has to)."""
    cost_limit: float | None = None
    """With constrained: highest mean cost (default: 0.05 for novelty, 1 for length)."""
    seeds: int = 3
    """Number of runs per objective, each with its own seed."""
    seed: int = 0
    """First seed."""
    steps: int = 60
    """Steps of a run."""
    prompts: int = 32
    """Prompts per step."""
    responses: int = 4
    """Responses per prompt."""
    lr: float = 3e-3
    """Learning rate of the policy (Adam)."""
    kl: float = 0.05
    """Coefficient of the KL penalty: per token and in the loss for grpo, in the reward for ppo and rloo."""
    clip: float = 0.2
    """Range within which the ratio of probabilities counts: 1 - clip to 1 + clip."""
    epochs: int = 1
    """Passes over the responses of a step."""
    preferences: int = 300
    """Own reward models: number of prompts they learn from, two responses each."""
    members: int = 4
    """Own reward models: number of members, each on its own bootstrap sample."""
    scrambled: float = 0.0
    """Own reward models: share of further training responses that no sentence looks like, relative to --preferences."""
    padded: float = 0.0
    """Own reward models: share of prompts whose preferred response is padded, a shortcut to length."""
    flipped: float = 0.1
    """Own reward models: share of prompts with wrong labels."""
    dtype: DtypeName = "fp32"
    """Precision of MODEL: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device of MODEL: auto, cpu, cuda, cuda:1, mps."""
    overwrite: bool = False
    """Replace an earlier bench in the output folder."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        self._check_ranges()
        self._check_objectives()
        given = next((name for name, default in OF_SMALL_MODELS.items() if getattr(self, name) != default), None)
        if self.model is not None and given is not None:
            raise UsageError(f"--{given} applies to the bench's own reward models; remove it, or remove MODEL")

    def _check_ranges(self) -> None:
        refuse_below(self, AT_LEAST)
        for name in ("lr", "clip", "scrambled", "padded", "flipped"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name} {getattr(self, name)}: expected a number from 0 to 1")
        if not (0 <= self.kl < math.inf and 0 <= self.std_weight < math.inf):
            raise UsageError(f"--kl {self.kl}, --std-weight {self.std_weight}: expected 0 or more")

    def _check_objectives(self) -> None:
        """UsageError for a setting of an objective that is not among those asked for."""
        if self.cost_limit is not None and not 0 <= self.cost_limit < math.inf:
            raise UsageError(f"--cost-limit {self.cost_limit}: expected 0 or more")
        for objective, names in OF_OBJECTIVES.items():
            given = next((name for name, default in names.items() if getattr(self, name) != default), None)
            if self.objective and objective not in self.objective and given is not None:
                flag = given.replace("_", "-")
                raise UsageError(
                    f"--{flag} applies to --objective {objective} only; add that objective, or remove --{flag}"
                )

    def limit(self) -> float:
        """The highest mean cost."""
        return {"novelty": 0.05, "length": 1.0}[self.cost] if self.cost_limit is None else self.cost_limit

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON."""
        values = {name: value for name, value in vars(self).items() if name not in ("output", "overwrite")}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
