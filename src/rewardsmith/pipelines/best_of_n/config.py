"""The settings of `rewardsmith best-of-n`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.generate.config import Config as GenerateConfig
from rewardsmith.pipelines.score.config import Config as ScoreConfig
from rewardsmith.settings.hardware import DtypeName, check_device

SelectionMethod = Literal["best", "threshold", "rso"]
KEEP, BETA = 1, 0.5
OF_A_GENERATOR = {
    "max_tokens": 512, "temperature": 1.0, "top_p": 1.0, "api_model": None,
}  # fmt: skip
"""The settings that a generator has, with their defaults."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith best-of-n`."""

    model: str
    """Reward model, or a rewards file (YAML), as score takes it."""
    source: str
    """Candidates: a file or folder with several responses per prompt, in one row or several; with --generator, prompts."""
    output: Path
    """Output folder: chosen.jsonl, sft.jsonl, kto.jsonl, scored.jsonl and best_of_n.json."""
    n: int | None = None
    """Choose among the first N responses of each prompt (default: all); with --generator, the number to generate."""
    method: SelectionMethod = "best"
    """How to choose: best (highest rewards), threshold (every response with a reward of --threshold or more), rso
    (statistical rejection sampling, a sample of the policy that maximises reward less beta times KL)."""
    keep: int = KEEP
    """With best and rso: number of responses to choose per prompt."""
    threshold: float | None = None
    """With threshold: smallest reward that is accepted."""
    beta: float = BETA
    """With rso: strength of the KL penalty, in units of the reward; the smaller, the closer to best."""
    generator: str | None = None
    """Language model that generates the candidates: a folder, smollm2-135m, a Hub name, or the address of an API."""
    max_tokens: int = 512
    """With --generator: most tokens of a response."""
    temperature: float = 1.0
    """With --generator: sampling temperature."""
    top_p: float = 1.0
    """With --generator: nucleus sampling."""
    api_model: str | None = None
    """With --generator and an API: name of the model to ask for."""
    seed: int = 0
    """Random seed of the generator, of rso and of the intervals."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction."""
    dtype: DtypeName = "fp32"
    """Precision of the reward model: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Choose even if the probes of the model no longer give the stored rewards."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace an earlier result in the output folder."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        if self.n is not None and self.n < 2:
            raise UsageError(f"--n {self.n}: expected at least 2 responses to choose among")
        if self.keep < 1:
            raise UsageError(f"--keep {self.keep}: expected at least 1")
        if not (self.beta > 0 and math.isfinite(self.beta)):
            raise UsageError(f"--beta {self.beta}: expected a number above 0")
        if (self.threshold is None) == (self.method == "threshold"):
            raise UsageError("--threshold and --method threshold belong together; pass both or neither")
        if self.threshold is not None and not math.isfinite(self.threshold):
            raise UsageError(f"--threshold {self.threshold}: expected a finite number")
        self._check_method()
        self._check_generator()

    def _check_method(self) -> None:
        """UsageError for a setting of another way to choose."""
        if self.method == "threshold" and self.keep != KEEP:
            raise UsageError("--keep applies to --method best and rso only; remove it, or choose another method")
        if self.method != "rso" and self.beta != BETA:
            raise UsageError("--beta applies to --method rso only; add --method rso, or remove it")

    def _check_generator(self) -> None:
        if self.generator is None:
            given = next((name for name, default in OF_A_GENERATOR.items() if getattr(self, name) != default), None)
            if given is not None:
                raise UsageError(
                    f"--{given.replace('_', '-')} applies to --generator only; add --generator, or remove it"
                )
        elif self.n is None:
            raise UsageError("--n is missing: how many responses --generator writes to each prompt")
        else:
            self.generation()

    def generation(self) -> GenerateConfig:
        """What `generate` is asked for; UsageError where it would refuse it."""
        assert self.generator is not None
        assert self.n is not None
        return GenerateConfig(
            model=self.generator,
            source=self.source,
            output=self.output / "candidates.jsonl",
            cache=self.output / "candidates.sqlite",
            n=self.n,
            overwrite=True,
            **{name: getattr(self, name) for name in (*OF_A_GENERATOR, "seed", "map", "strict", "trust_remote_code")},
        )

    def scoring(self) -> ScoreConfig:
        """What `score` is asked for."""
        generated = self.generator is not None
        return ScoreConfig(
            model=self.model,
            source=str(self.output / "candidates.jsonl") if generated else self.source,
            output=self.output / "scored.jsonl",
            map=() if generated else self.map,
            overwrite=True,
            **{
                name: getattr(self, name)
                for name in ("dtype", "device", "allow_mismatch", "strict", "trust_remote_code")
            },
        )

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON; a killed run is continued by a command with the same ones."""
        others = {"output", "overwrite", "strict"}
        values = {name: value for name, value in vars(self).items() if name not in others}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
