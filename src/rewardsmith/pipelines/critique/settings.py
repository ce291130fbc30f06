"""`train --critique.…`: how a critiqued reward model (CLoud) is trained, and what it excludes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rewardsmith.critique.given import given_critiques
from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.records import Record

CLOUD = "cloud"
LM_WEIGHT = 1.25
"""`lm_weight` of CLoud's 8B models (`cloud/train/configs/8b_cloud.yaml`); the 70B one has 0.75."""

NOT_WITH_CLOUD = (
    "noise", "members", "bootstrap", "augment", "head_start", "freeze_layers", "quantize", "read_layers", "pooling",
    "question", "reasoning", "parallel", "push_to_hub", "dry_run",
)  # fmt: skip
"""Settings of `train` that critiques exclude."""
NOT_BEFORE_A_CRITIQUE = ("plackett-luce", "regression", "uncertainty", "contrastive")
"""Losses that are not about comparisons, or take more of a head than the reward."""


@dataclass(frozen=True, kw_only=True)
class CritiqueTraining:
    """How `--head cloud` learns critiques and rewards behind them; without that head nothing here has an effect."""

    source: Literal["self", "given"] = "self"
    """cloud: critiques that the reward is trained behind: self (written by the model after stage 1) or given (those of the
    data)."""
    lm_weight: float = LM_WEIGHT
    """cloud: weight of the language-model loss on the critiques beside the loss on rewards, in stage 2."""
    sft_epochs: int = 1
    """cloud: passes over the given critiques in stage 1; 0 skips it, for a model that writes critiques already."""
    sft_lr: float | None = None
    """cloud: peak learning rate of stage 1 (default: --lr)."""
    tokens: int = 256
    """cloud: maximum length of a critique in tokens; prompt and response have the rest of --max-length."""
    samples: int = 1
    """cloud: critiques per response of the finished model, whose rewards are averaged (self-consistency)."""
    sampling_temperature: float | None = None
    """cloud: sampling temperature of critiques (default: 0, the likeliest token; 1 with several samples)."""
    language: Literal["auto", "en", "zh"] = "auto"
    """cloud: language of the question that asks for a critique: en, zh, or auto (that of the conversation)."""

    def __post_init__(self) -> None:
        for name, lowest in (("lm_weight", 0), ("sft_epochs", 0), ("tokens", 1), ("samples", 1)):
            if not lowest <= getattr(self, name) < float("inf"):
                raise UsageError(
                    f"--critique.{name.replace('_', '-')} {getattr(self, name)}: expected at least {lowest}"
                )
        if self.sft_lr is not None and not 0 < self.sft_lr < float("inf"):
            raise UsageError(f"--critique.sft-lr {self.sft_lr}: expected a number above 0")
        if self.sampling_temperature is not None and not 0 <= self.sampling_temperature <= 100:
            raise UsageError(f"--critique.sampling-temperature {self.sampling_temperature}: expected 0 to 100")
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        """UsageError for settings of which one leaves the other without effect."""
        if self.samples > 1 and self.sampling_temperature == 0:
            raise UsageError(
                f"--critique.samples {self.samples}: critiques at --critique.sampling-temperature 0 are all the same; use a "
                "temperature above 0"
            )
        if self.sft_epochs == 0 and (self.sft_lr is not None or self.source == "given"):
            raise UsageError(
                "--critique.sft-epochs 0 skips stage 1; remove --critique.sft-lr, and --critique.source given"
            )


def refuse_without_critiques(head: str, critique: CritiqueTraining, records: Sequence[Record]) -> None:
    """TrainingError where stage 1 has nothing to learn from: no record has a critique of every response."""
    if head == CLOUD and critique.sft_epochs and not any(all(given_critiques(record)) for record in records):
        raise TrainingError(
            f"none of the {len(records)} training records has a critique of every response; expected columns "
            "chosen_critique and rejected_critique, or the field critiques; or start from a model that writes critiques "
            "already, with --critique.sft-epochs 0"
        )


def refuse_with_cloud(
    head: str, critique: CritiqueTraining, changed: Sequence[str], *, loss: str, on_text: bool
) -> None:
    """UsageError for critique settings without `--head cloud`, and with it for other settings that critiques exclude.

    `changed` are those of NOT_WITH_CLOUD that are not at their default.
    """
    if head != CLOUD:
        if critique != CritiqueTraining():
            raise UsageError(
                f"--critique.… needs --head {CLOUD}, and the head is {head}; remove it or add --head {CLOUD}"
            )
        return
    if changed:
        flags = ", ".join("--" + name.replace("_", "-") for name in changed)
        raise UsageError(f"--head {CLOUD} cannot be combined with {flags}; remove it")
    if on_text:
        raise UsageError(
            f"--head {CLOUD} has a language-model loss of its own (--critique.lm-weight); remove --loss.lm and --loss.grm-…"
        )
    if loss in NOT_BEFORE_A_CRITIQUE:
        raise UsageError(f"--head {CLOUD} cannot be combined with --loss {loss}; use a loss on comparisons")
