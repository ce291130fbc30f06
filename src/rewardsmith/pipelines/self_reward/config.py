"""The settings of `rewardsmith self-reward`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.generate.candidates import Sampling
from rewardsmith.pipelines.dpo.config import Config as DpoConfig
from rewardsmith.pipelines.dpo.config import PolicyTraining
from rewardsmith.pipelines.generate.config import Config as GenerateConfig
from rewardsmith.pipelines.pairs.choosing import PairRule
from rewardsmith.pipelines.pairs.config import Config as PairsConfig
from rewardsmith.settings.fields import refuse_below
from rewardsmith.settings.hardware import DtypeName, check_device

Variant = Literal["plain", "cream", "temporal"]
SELF = "self"
AT_LEAST = {
    "iterations": 1, "n": 2, "max_tokens": 1, "prompts_per_iteration": 1, "eval_samples": 1, "batch": 1, "epochs": 1,
    "generation_batch": 1, "min_pairs": 1, "threads": 1, "seed": 0, "max_length": 16, "sft": 0, "margin": 0,
    "tokens_per_microbatch": 1,
}  # fmt: skip
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Config(PolicyTraining):
    """Settings of `rewardsmith self-reward`."""

    model: str
    """Language model to begin with: a folder, smollm2-135m, or a Hub name."""
    prompts: str
    """Prompts to respond to, as generate reads them; their other columns, such as the gold result, are kept."""
    output: Path
    """Output folder: ledger.jsonl, report.html, the models of all iterations, and the last good one in model."""
    rewards: str = SELF
    """What scores the candidates: self (how much likelier training has made them), a reward model, an ensemble, a rewards
    file, or a judge file."""
    variant: Literal["plain", "cream", "temporal"] = "plain"
    """plain; cream (labels smoothed by how inconsistently two iterations rank, needs --rewards self); temporal (rejected
    from the first model, chosen also from the next one, two trainings per iteration)."""
    iterations: int = 2
    """Number of iterations, each with a model of its own."""
    independent: str | None = None
    """Reward that does not train: the win rate of each model over the first one is measured by it."""
    labelled: tuple[str, ...] = ()
    """Preference data on which the accuracy of --rewards is measured in every iteration."""
    eval_prompts: str | None = None
    """Prompts to measure the models on (default: --eval-share of the prompts)."""
    eval_share: float = 0.1
    """Fraction of the prompts to measure on instead of training on."""
    eval_samples: int = 1
    """Samples per prompt to measure on, at temperature 1."""
    prompts_per_iteration: int | None = None
    """Number of prompts of one iteration, each prompt in one iteration only (default: all prompts in every iteration)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=task.text."""
    n: int = 4
    """Number of candidates per prompt."""
    max_tokens: int = 256
    """Most tokens of a candidate, reasoning included."""
    temperature: float = 1.0
    """Sampling temperature of the candidates."""
    top_p: float = 1.0
    """Nucleus sampling: the smallest set of tokens with this probability; 1 keeps all."""
    system: str | None = None
    """System prompt for conversations that have none."""
    generation_batch: int = 32
    """Number of responses generated together."""
    margin: float = 0.0
    """A pair needs a lead of more than this in reward; equal rewards never make a pair."""
    length_control: float = 0.0
    """Share of the range of rewards, below 1, within which the shortest response is chosen and the longest one rejected,
    against a bias to length."""
    length_ratio: float | None = None
    """Only pairs whose longer response has at most so many times the characters of the shorter one."""
    beta: float = 0.1
    """Factor of the log ratio between model and reference (the model before the iteration)."""
    epochs: int = 1
    """Number of passes over the pairs of an iteration."""
    batch: int = 32
    """Number of prompts per optimizer step."""
    min_pairs: int = 8
    """Stop where an iteration has fewer pairs."""
    max_kl: float | None = None
    """Stop where the divergence from the first model exceeds this, in nats per response (default: no limit)."""
    stop_worse: bool = True
    """Stop where the independent reward shows a model to be worse than the first one."""
    dtype: DtypeName = "auto"
    """Precision of training: auto, fp32, bf16, fp16; responses are generated in fp32."""
    seed: int = 0
    """Random seed of samples, splits and training."""
    resume: bool = False
    """Continue the loop in --output where it was stopped."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""

    def __post_init__(self) -> None:
        check_device(self.device)
        refuse_below(self, AT_LEAST)
        if not 0 < self.eval_share < 1:
            raise UsageError(f"--eval-share {self.eval_share}: expected a share above 0 and below 1")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite cannot be combined; resume the loop or start it again")
        if self.variant == "cream" and self.rewards != SELF:
            raise UsageError(
                f"--variant cream compares how two iterations rank, and {self.rewards} ranks alike in both; use --rewards "
                "self"
            )
        if not self.temperature > 0:
            raise UsageError(f"--temperature {self.temperature:g}: candidates have to differ; expected above 0")
        self.sampling(0)
        self.dpo(self.model, Path("pairs.jsonl"), Path("dpo"))
        self.pairs(Path("scored.jsonl"), Path("pairs.jsonl"))

    def sampling(self, seed: int) -> Sampling:
        """How candidates are drawn."""
        return Sampling(
            n=self.n, max_tokens=self.max_tokens, temperature=self.temperature, top_p=self.top_p, seed=seed,
            thinking=self.thinking,
        )  # fmt: skip

    def generating(
        self, model: str, source: Path, output: Path, *, seed: int, evaluating: bool = False
    ) -> GenerateConfig:
        """The settings of `generate` for candidates, or for the samples that a model is measured on."""
        same = ("max_tokens", "system", "thinking", "device", "trust_remote_code")
        drawn = (self.eval_samples, 1.0, 1.0) if evaluating else (self.n, self.temperature, self.top_p)
        return GenerateConfig(
            **{name: getattr(self, name) for name in same}, model=model, source=str(source), output=output, n=drawn[0],
            temperature=drawn[1], top_p=drawn[2], seed=seed, batch=self.generation_batch,
        )  # fmt: skip

    def pairs(self, source: Path, output: Path) -> PairsConfig:
        """The settings of `pairs`."""
        same = ("margin", "length_control", "length_ratio")
        return PairsConfig(**{name: getattr(self, name) for name in same}, source=str(source), output=output)

    def rule(self) -> PairRule:
        """How pairs are chosen."""
        return self.pairs(Path("scored.jsonl"), Path("pairs.jsonl")).rule()

    def dpo(self, model: str, pairs: Path, output: Path, *, label_smoothing: float = 0.0) -> DpoConfig:
        """The settings of `dpo`."""
        same = [*(field.name for field in fields(PolicyTraining)), "beta", "epochs", "batch", "dtype", "seed"]
        return DpoConfig(
            **{name: getattr(self, name) for name in same}, model=model, pairs=(str(pairs),), output=output,
            label_smoothing=label_smoothing, kl_prompts=0, keep=1, evals=2, resume=(output / "settings.json").is_file(),
        )  # fmt: skip
