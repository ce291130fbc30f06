"""Settings of `rewardsmith train`: the one source of its flags, YAML keys and help."""

from dataclasses import dataclass
from pathlib import Path

from rewardsmith.errors import UsageError

AT_LEAST = {
    "epochs": 1,
    "batch": 1,
    "evals": 1,
    "keep": 1,
    "patience": 0,
    "clip": 0,
    "weight_decay": 0,
    "freeze_layers": -1,
    "layers": 1,
    "test_groups": 0,
    "threads": 1,
    "tokens_per_microbatch": 1,
    "seed": 0,
}
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith train`."""

    model: str
    """What to start from: tiny, smollm2-135m, minilm-l6, a folder, or a hub name ORG/NAME."""
    dataset: tuple[str, ...]
    """Preference data: files, folders, the output of `prepare`, a hub name, or synthetic:N."""
    output: Path
    """Run folder: model/, report.html, metrics.jsonl, checkpoints/."""
    validation: tuple[str, ...] = ()
    """Own validation data (default: 10 % of the prompts of --dataset)."""
    test: tuple[str, ...] = ()
    """Own test data (default: 10 % of the prompts of --dataset)."""
    lr: float | None = None
    """Peak learning rate (default by kind: full 5e-5, tiny 2e-3, head only 1e-3)."""
    epochs: int = 1
    """Passes over the training data."""
    batch: int = 16
    """Records per optimizer step, over all micro-batches."""
    max_length: int | None = None
    """Longest conversation in tokens (default: 1024, or what the model can)."""
    frac: float = 1.0
    """Share of the training records to use."""
    loss: str = "bradley-terry"
    """Loss on comparisons: bradley-terry."""
    merge_prompts: bool = False
    """Join rows with the same prompt into one ranking: each text is computed once."""
    layers: int | None = None
    """Keep only the first N layers of the model."""
    freeze_layers: int = 0
    """Freeze embeddings and the first N layers; -1 trains the head only."""
    n_layer: int = 2
    """Layers of the tiny model."""
    n_head: int = 4
    """Attention heads of the tiny model."""
    n_embd: int = 64
    """Width of the tiny model."""
    block_size: int = 256
    """Longest sequence of the tiny model, in bytes."""
    weight_decay: float = 0.01
    """AdamW weight decay on matrices."""
    warmup: float = 0.05
    """Share of the steps over which the learning rate rises."""
    clip: float = 1.0
    """Largest gradient norm (0 = no clipping)."""
    dropout: float = 0.0
    """Dropout before the reward head."""
    evals: int = 4
    """Validation passes (and checkpoints) per epoch."""
    patience: int = 0
    """Stop after so many validation passes without a better loss (0 = never)."""
    keep: int = 2
    """Checkpoints to resume from that stay on disk."""
    split_by: str | None = None
    """Field to split by instead of the prompt, for instance topic."""
    test_groups: int = 0
    """With --split-by: hold out this many groups for the test."""
    tokens_per_microbatch: int | None = None
    """Tokens per forward pass (default by device)."""
    dtype: str = "auto"
    """Precision below the head: auto, fp32, bf16, fp16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    threads: int | None = None
    """CPU threads (default: all cores)."""
    seed: int = 0
    """Seed of head, order, dropout and split."""
    report: bool = True
    """Evaluate on the test split and write the report at the end."""
    strict: bool = False
    """Stop at the first row that cannot be read."""
    resume: bool = False
    """Go on with the run in --output from its newest whole checkpoint."""
    overwrite: bool = False
    """Empty --output first if it holds something."""
    trust_remote_code: bool = False
    """Run code that comes with a hub model."""

    def __post_init__(self) -> None:
        for name, lowest in AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= lowest:
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected at least {lowest}")
        for name in ("frac", "dropout", "warmup"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name} {getattr(self, name)}: expected a share between 0 and 1")
        if self.frac == 0 or self.dropout == 1:
            raise UsageError("--frac 0 leaves nothing to train on, and --dropout 1 nothing to train with")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise UsageError(f"--lr {self.lr}: expected a number above 0")
        if self.seed >= 2**63:
            raise UsageError(f"--seed {self.seed}: expected a number below 2^63")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite exclude each other: go on with the run, or start it anew")
        if self.layers is not None and self.model == "tiny":
            raise UsageError("--layers cuts a pretrained model; the size of tiny is set by --n-layer")
