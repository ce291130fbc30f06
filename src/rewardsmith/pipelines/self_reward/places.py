"""Where everything of a loop lies. A file that is there is whole, so its phase is done."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class IterationPlaces:
    """The folder of one iteration."""

    folder: Path

    @property
    def prompts(self) -> Path:
        """What is answered."""
        return self.folder / "prompts.jsonl"

    def candidates(self, of: str = "own") -> Path:
        """What was answered, by the iteration's own model, by the first one (base) or by the next (future)."""
        return self.folder / f"candidates-{of}.jsonl"

    def scored(self, of: str = "own") -> Path:
        """The candidates with their rewards."""
        return self.folder / f"scored-{of}.jsonl"

    def pairs(self, of: str = "own") -> Path:
        """Preference data (own: that the iteration's model is trained on)."""
        return self.folder / f"pairs-{of}.jsonl"

    def counts(self, of: str = "own") -> Path:
        """What was counted while the pairs were chosen; written last."""
        return self.folder / f"pairs-{of}.json"

    @property
    def consistency(self) -> Path:
        """How alike this iteration and the one before rank."""
        return self.folder / "consistency.json"

    def dpo(self, of: str = "own") -> Path:
        """The run of `dpo`."""
        return self.folder / ("dpo" if of == "own" else f"dpo-{of}")

    @property
    def samples(self) -> Path:
        """What the iteration's trained model answers to the prompts that it is measured on."""
        return self.folder / "samples.jsonl"

    @property
    def measured(self) -> Path:
        """What was measured on them."""
        return self.folder / "measured.json"

    @property
    def row(self) -> Path:
        """The row of the ledger."""
        return self.folder / "row.json"


@dataclass(frozen=True)
class LoopPlaces:
    """The output folder of the loop."""

    output: Path

    @property
    def settings(self) -> Path:
        """What the loop began with; tells that the folder is one of ours."""
        return self.output / "self_reward.json"

    @property
    def eval_prompts(self) -> Path:
        """The prompts that models are measured on."""
        return self.output / "eval_prompts.jsonl"

    @property
    def ledger(self) -> Path:
        """One row per iteration."""
        return self.output / "ledger.jsonl"

    @property
    def model(self) -> Path:
        """The last good model."""
        return self.output / "model"

    def iteration(self, number: int) -> IterationPlaces:
        """The folder of an iteration, counted from 1; 0 is that of the first model, which is only measured."""
        return IterationPlaces(self.output / f"iteration-{number:02d}")
