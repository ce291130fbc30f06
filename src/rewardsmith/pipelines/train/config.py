"""Settings of `rewardsmith train`: the one source of its flags, YAML keys and help."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rewardsmith.errors import MissingExtraError, UsageError
from rewardsmith.pipelines.publish.hub_names import check_hub_name
from rewardsmith.track.trackers import check_settings
from rewardsmith.train.engines.deepspeed_config import zero_settings

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
    "max_per_source": 1,
    "tokens_per_microbatch": 1,
    "seed": 0,
    "heads": 1,
    "max_steps": 1,
    "block_size": 1,
}
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Settings of a LoRA adapter; without a rank there is none."""

    r: int | None = None
    """Train a LoRA adapter of this rank, and the head, instead of all weights."""
    alpha: int | None = None
    """Scale of the adapter: it is multiplied by alpha / r (default: 2 r)."""
    target: tuple[str, ...] = ()
    """Linear layers that get an adapter, for instance q_proj v_proj (default: all of the blocks)."""
    dropout: float = 0.0
    """Dropout before the adapter."""

    @property
    def scale(self) -> int | None:
        """alpha as it is used: what was given, else 2 r."""
        return self.alpha or (2 * self.r if self.r else None)

    def __post_init__(self) -> None:
        if self.r is None and (self.alpha is not None or self.target or self.dropout):
            raise UsageError(
                "--lora.alpha, --lora.target and --lora.dropout need a rank; add --lora.r, for instance 16"
            )
        for name in ("r", "alpha"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UsageError(f"--lora.{name} {getattr(self, name)}: expected at least 1")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--lora.dropout {self.dropout}: expected a share between 0 and 1, not 1 itself")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith train`."""

    model: str
    """What to start from: tiny, smollm2-135m, minilm-l6, a folder, or a hub name ORG/NAME."""
    dataset: tuple[str, ...]
    """Preference data: files, folders, the output of `prepare`, a hub name, or synthetic:N; `a.jsonl:0.3` is a share."""
    output: Path
    """Run folder: model/, report.html, metrics.jsonl, checkpoints/."""
    validation: tuple[str, ...] = ()
    """Own validation data (default: 10 % of the prompts of --dataset)."""
    test: tuple[str, ...] = ()
    """Own test data (default: 10 % of the prompts of --dataset)."""
    map: tuple[str, ...] = ()
    """Columns under other names, as in prompt=instruction or chosen=annotations.best."""
    max_per_source: int | None = None
    """Take no more than this many records of each source of --dataset, chosen by hash."""
    attribute: str = "overall"
    """Attribute to follow where the data judges several, such as helpful or safe."""
    lr: float | None = None
    """Peak learning rate (default by kind: full 5e-5, LoRA 2e-4, tiny 2e-3, head only 1e-3)."""
    epochs: int = 1
    """Passes over the training data."""
    max_steps: int | None = None
    """Stop after this many optimizer steps, if the epochs hold as many; the schedule ends there too."""
    batch: int = 16
    """Records per optimizer step, over all micro-batches."""
    max_length: int | None = None
    """Longest conversation in tokens (default: 1024, or what the model can)."""
    frac: float = 1.0
    """Share of the training records to use."""
    loss: str = "bradley-terry"
    """Loss on comparisons: bradley-terry."""
    head_start: Literal["random", "probe"] = "random"
    """Head of a model that has none yet: random, or probe: fitted to the untrained model first."""
    heads: int = 1
    """Fit as many heads to bootstrap samples of the prompts; their mean is the reward, their spread is kept."""
    merge_prompts: bool = False
    """Join rows with the same prompt into one ranking: each text is computed once."""
    layers: int | None = None
    """Keep only the first N layers of the model."""
    question: str | None = None
    """Question put behind every answer, as in "How good is this answer?"; a new head reads the state behind it."""
    read_layers: tuple[int, ...] = ()
    """Layers that a new head reads, as in 12 15 18 (default: the last one); those above the highest are left out."""
    pooling: tuple[Literal["last", "mean"], ...] = ()
    """What a new head reads of each layer: last (token), mean (over the answer), or both (default: the model's own)."""
    freeze_layers: int = 0
    """Freeze embeddings and the first N layers; -1 trains the head only."""
    n_layer: int = 2
    """Layers of the tiny model."""
    n_head: int = 4
    """Attention heads of the tiny model."""
    n_embd: int = 64
    """Width of the tiny model."""
    block_size: int | None = None
    """Longest sequence of the tiny model, in bytes (default: 256, or a longer --max-length up to 2048)."""
    lora: Lora = Lora()
    quantize: Literal["4bit", "8bit"] | None = None
    """Hold the frozen weights under a LoRA adapter in 4 or 8 bits (QLoRA)."""
    gradient_checkpointing: bool = False
    """Compute activations a second time in the backward pass instead of keeping them: less memory, slower."""
    activation_offload: bool = False
    """Keep activations in the host's memory until the backward pass needs them: less GPU memory, slower."""
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
    """With --split-by: hold out this many groups for the test, and a share of the others for validation."""
    tokens_per_microbatch: int | None = None
    """Tokens per forward pass (default: found by a short calibration where that pays, else by device)."""
    dtype: str = "auto"
    """Precision below the head: auto, fp32, bf16, fp16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None
    """Under torchrun or accelerate: ddp copies the model to every process (default), fsdp and deepspeed cut it."""
    deepspeed_config: str | None = None
    """With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload (default: zero2)."""
    threads: int | None = None
    """CPU threads (default: all cores)."""
    seed: int = 0
    """Seed of head, order, dropout and split."""
    report: bool = True
    """Evaluate on the test split and write the report at the end."""
    track: tuple[str, ...] = ()
    """Record the run with tensorboard, mlflow, wandb, trackio, swanlab (several allowed)."""
    track_project: str | None = None
    """Project or experiment in the trackers (default: rewardsmith)."""
    run_name: str | None = None
    """Name of the run in the trackers (default: the name of --output)."""
    track_uri: str | None = None
    """Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder)."""
    strict: bool = False
    """Stop at the first row that cannot be read."""
    resume: bool = False
    """Go on with the run in --output from its newest whole checkpoint."""
    overwrite: bool = False
    """Replace what an earlier run of this command wrote to --output; nothing else is ever deleted."""
    trust_remote_code: bool = False
    """Run code that comes with a hub model."""
    push_to_hub: str | None = None
    """Upload the finished model to the hub as ORG/NAME, private unless --push-public."""
    push_public: bool = False
    """With --push-to-hub: let everybody read it."""

    @property
    def engine(self) -> Literal["ddp", "fsdp", "deepspeed"]:
        """--parallel as it is used: what was given, else what accelerate was configured for."""
        if self.parallel is None and os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
            return "deepspeed"
        return self.parallel or ("fsdp" if os.environ.get("ACCELERATE_USE_FSDP") == "true" else "ddp")

    def __post_init__(self) -> None:
        refuse_numbers(self)
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite exclude each other: go on with the run, or start it anew")
        check_hub_name(self.push_to_hub, "--push-to-hub")
        if self.layers is not None and self.model == "tiny":
            raise UsageError("--layers cuts a pretrained model; the size of tiny is set by --n-layer")
        check_settings(self.track, project=self.track_project, run_name=self.run_name, uri=self.track_uri)
        refuse_adapter_settings(self)


def refuse_numbers(config: Config) -> None:
    """UsageError for a number that makes no sense."""
    for name, lowest in AT_LEAST.items():
        value = getattr(config, name)
        if value is not None and not value >= lowest:
            raise UsageError(f"--{name.replace('_', '-')} {value}: expected at least {lowest}")
    for name in ("frac", "dropout", "warmup"):
        if not 0 <= getattr(config, name) <= 1:
            raise UsageError(f"--{name} {getattr(config, name)}: expected a share between 0 and 1")
    if config.frac == 0 or config.dropout == 1:
        raise UsageError("--frac 0 leaves nothing to train on, and --dropout 1 nothing to train with")
    if config.lr is not None and not 0 < config.lr < float("inf"):
        raise UsageError(f"--lr {config.lr}: expected a number above 0")
    if config.seed >= 2**63:
        raise UsageError(f"--seed {config.seed}: expected a number below 2^63")


def check_engine(config: Config, processes: int) -> None:
    """UsageError for what several processes cannot do, or one alone."""
    if processes == 1 and config.parallel is not None:
        raise UsageError(
            f"--parallel {config.parallel} needs several processes: torchrun --nproc-per-node 2 -m rewardsmith train …"
        )
    if config.deepspeed_config is not None and config.engine != "deepspeed":
        raise UsageError(f"--deepspeed-config {config.deepspeed_config} needs --parallel deepspeed; add it")
    if processes > 1 and config.engine != "ddp":
        refuse_uncuttable(config)


def refuse_uncuttable(config: Config) -> None:
    """UsageError for a model that cannot be cut over processes; MissingExtraError without the package that would."""
    if config.freeze_layers == -1:
        raise UsageError("--freeze-layers -1 leaves nothing to cut over processes; use --parallel ddp")
    if config.quantize:
        raise UsageError(f"--quantize {config.quantize} cannot be cut over processes; use --parallel ddp")
    if config.engine == "deepspeed":
        if find_spec("deepspeed") is None:
            raise MissingExtraError(
                "--parallel deepspeed needs the package deepspeed: pip install 'rewardsmith[deepspeed]'"
            )
        zero_settings(config.deepspeed_config)


def refuse_adapter_settings(config: Config) -> None:
    """UsageError for settings of an adapter, or of several heads, that exclude each other."""
    if config.lora.r is not None and config.freeze_layers == -1:
        raise UsageError("--freeze-layers -1 trains the head only and leaves nothing to --lora.r; drop one of them")
    if config.heads > 1 and (config.freeze_layers != -1 or config.head_start != "probe"):
        raise UsageError(
            f"--heads {config.heads}: heads are fitted, not stepped; add --freeze-layers -1 --head-start probe"
        )
    if config.quantize and config.lora.r is None:
        raise UsageError(f"--quantize {config.quantize} freezes the backbone; add an adapter that learns: --lora.r 16")
