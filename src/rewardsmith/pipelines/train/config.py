"""Settings of `rewardsmith train`: the one source of its flags, YAML keys and help."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from rewardsmith.data.splits.sources import SplitRule
from rewardsmith.errors import MissingExtraError, UsageError
from rewardsmith.launch.installation import install_command
from rewardsmith.model.loading.locating import check_name
from rewardsmith.pipelines.critique.settings import NOT_WITH_CLOUD, CritiqueTraining, refuse_with_cloud
from rewardsmith.pipelines.publish.hub_names import check_hub_name
from rewardsmith.pipelines.train.augment import AUGMENT_WEIGHT, AugmentKind
from rewardsmith.pipelines.train.head import BY_ATTRIBUTE, PROCESS, HeadSettings, loss_for
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.pipelines.train.members import MembersSettings, refuse_members
from rewardsmith.pipelines.train.noise import NoiseSettings, refuse_with_noise
from rewardsmith.settings.fields import refuse_below
from rewardsmith.settings.hardware import DtypeName, check_device
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
    "max_length": 16,
    "n_layer": 1,
    "n_head": 1,
    "n_embd": 2,
    "test_groups": 0,
    "threads": 1,
    "max_per_source": 1,
    "tokens_per_microbatch": 1,
    "seed": 0,
    "split_seed": 0,
    "max_steps": 1,
    "block_size": 1,
}
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Settings of a LoRA adapter; without a rank there is none."""

    r: int | None = None
    """Train a LoRA adapter of this rank and the head instead of all weights."""
    alpha: int | None = None
    """LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r)."""
    target: tuple[str, ...] = ()
    """Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer blocks)."""
    dropout: float = 0.0
    """Dropout probability of the adapter's input."""

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
    """Model to start from: tiny, smollm2-135m, minilm-l6, e5-multilingual, a folder, or a Hub name ORG/NAME."""
    dataset: tuple[str, ...]
    """Preference data: files, folders, the output of `prepare`, a Hub name, or synthetic:N; `a.jsonl:0.3` samples 30 %."""
    output: Path
    """Output folder of the run: model/, report.html, metrics.jsonl, checkpoints/."""
    validation: tuple[str, ...] = ()
    """Separate validation data (default: 10 % of the prompts of --dataset)."""
    test: tuple[str, ...] = ()
    """Separate test data (default: 10 % of the prompts of --dataset)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    max_per_source: int | None = None
    """Maximum number of records per source of --dataset, sampled by hash."""
    attribute: str = "overall"
    """Attribute to train on if the data has several, such as helpful or safe."""
    lr: float | None = None
    """Peak learning rate; linear warm-up, then cosine decay to 0 (default: full 5e-5, LoRA 2e-4, tiny 2e-3, head only
    1e-3)."""
    epochs: int = 1
    """Number of passes over the training data."""
    max_steps: int | None = None
    """Maximum number of optimizer steps; the learning-rate schedule ends there too."""
    batch: int = 16
    """Records per optimizer step, over all micro-batches."""
    max_length: int | None = None
    """Maximum length of a conversation in tokens (default: 1024, or the limit of the model)."""
    reasoning: Literal["omit", "think"] | None = None
    """Reasoning stored separately from a response: omit, or think to put it before the response in think tags
    (default: that of the model, or omit)."""
    frac: float = 1.0
    """Fraction of the training records to use, above 0 and at most 1."""
    loss: LossSettings = LossSettings()  # noqa: RUF009 - frozen, as Lora above
    head: HeadSettings = HeadSettings()  # noqa: RUF009 - frozen, as Lora above
    critique: CritiqueTraining = CritiqueTraining()  # noqa: RUF009 - frozen, as Lora above
    noise: NoiseSettings = NoiseSettings()  # noqa: RUF009 - frozen, as Lora above
    head_start: Literal["random", "probe"] = "random"
    """Initialisation of a new head: random, or probe (a linear probe: the head is first fitted on the features of the
    untrained model)."""
    members: MembersSettings = MembersSettings()  # noqa: RUF009 - frozen, as Lora above
    bootstrap: bool = False
    """Train on a bootstrap sample of the prompts, drawn with --seed; with --members each member on its own (heads are in
    any case)."""
    augment: tuple[AugmentKind, ...] = ()
    """Add training comparisons whose label is known: other-prompt and edit (ties), cut and
    other-response (a response made worse); repeat the flag for several."""
    augment_weight: float = AUGMENT_WEIGHT
    """With --augment: weight of an added comparison, that of one from the data being 1."""
    merge_prompts: bool = False
    """Join rows with the same prompt into one ranking, so that each text is processed once."""
    layers: int | None = None
    """Keep only the first N layers of the model."""
    question: str | None = None
    """Question appended to every response, for example "How good is this answer?"; a new head reads the hidden state
    after it."""
    read_layers: tuple[int, ...] = ()
    """Layers that a new head reads, for example 12 15 18 (default: the last layer); layers above the highest one are
    removed."""
    pooling: tuple[Literal["last", "mean"], ...] = ()
    """Pooling of each layer for a new head: last (last token), mean (mean over the response), or both (default: that
    of the model)."""
    freeze_layers: int = 0
    """Freeze the embeddings and the first N layers; -1 trains the head only."""
    n_layer: int = 2
    """Number of layers of the tiny model."""
    n_head: int = 4
    """Number of attention heads of the tiny model."""
    n_embd: int = 64
    """Hidden size of the tiny model."""
    block_size: int | None = None
    """Maximum sequence length of the tiny model in bytes (default: 256, or --max-length if that is longer, up to 2048)."""
    lora: Lora = Lora()
    quantize: Literal["4bit", "8bit"] | None = None
    """Quantise the frozen weights under a LoRA adapter to 4 or 8 bits (QLoRA)."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass instead of storing them: less memory, but slower."""
    activation_offload: bool = False
    """Keep activations in host memory until the backward pass needs them: less GPU memory, but slower."""
    weight_decay: float = 0.01
    """AdamW weight decay of weight matrices."""
    warmup: float = 0.05
    """Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0."""
    clip: float = 1.0
    """Maximum gradient norm for clipping (0 = no clipping)."""
    dropout: float = 0.0
    """Dropout probability before the reward head."""
    evals: int = 4
    """Number of validation passes (and checkpoints) per epoch."""
    patience: int = 0
    """Stop after this many validation passes without a lower loss (0 = never)."""
    keep: int = 2
    """Number of checkpoints to keep on disk for resuming."""
    split_by: str | None = None
    """Field to split by instead of the prompt, for example topic."""
    test_groups: int = 0
    """With --split-by: number of groups to hold out for the test; a share of the others is used for validation."""
    tokens_per_microbatch: int | None = None
    """Tokens per forward pass (default: measured in a short calibration if worthwhile, else by device)."""
    dtype: DtypeName = "auto"
    """Precision of the backbone: auto, fp32, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None
    """Under torchrun or accelerate: ddp replicates the model in every process (default), fsdp and deepspeed shard it."""
    deepspeed_config: str | None = None
    """With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload (default: zero2)."""
    threads: int | None = None
    """Number of CPU threads (default: all cores)."""
    seed: int = 0
    """Random seed of the head, the order of the records, dropout and the split."""
    split_seed: int | None = None
    """Random seed of the split alone, so that runs with different seeds are tested on the same prompts (default: --seed)."""
    report: bool = True
    """Evaluate on the test split after training and write the report."""
    track: tuple[str, ...] = ()
    """Trackers that record the run: tensorboard, mlflow, wandb, trackio, swanlab (several allowed)."""
    track_project: str | None = None
    """Project or experiment in the trackers (default: rewardsmith)."""
    run_name: str | None = None
    """Name of the run in the trackers (default: the name of --output)."""
    track_uri: str | None = None
    """Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder)."""
    strict: bool = False
    """Stop at the first invalid row."""
    resume: bool = False
    """Resume the run in --output from its latest valid checkpoint."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""
    dry_run: bool = False
    """Report what would be read, the steps, the tokens cut, and estimates of time and memory, and write nothing."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""
    push_to_hub: str | None = None
    """Upload the finished model to the Hub as ORG/NAME; private unless --push-public is given."""
    push_public: bool = False
    """With --push-to-hub: make the repository public."""

    @property
    def split_rule(self) -> SplitRule:
        """How data without splits of its own is split."""
        seed = self.seed if self.split_seed is None else self.split_seed
        return SplitRule(seed=seed, by=self.split_by, test_groups=self.test_groups)

    @property
    def engine(self) -> Literal["ddp", "fsdp", "deepspeed"]:
        """--parallel as it is used: what was given, else what accelerate was configured for."""
        if self.parallel is None and os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
            return "deepspeed"
        return self.parallel or ("fsdp" if os.environ.get("ACCELERATE_USE_FSDP") == "true" else "ddp")

    @property
    def member_kind(self) -> Literal["heads", "lora", "runs"] | None:
        """What the members are; None for a single model."""
        if self.members.count == 1:
            return None
        if self.members.kind is not None:
            return self.members.kind
        if self.freeze_layers == -1:
            return "heads"
        return "runs" if self.lora.r is None else "lora"

    @property
    def fitted_heads(self) -> int:
        """How many heads are fitted to the features of a frozen backbone; 1 where they are no ensemble."""
        fitted = self.freeze_layers == -1 and self.head_start == "probe"
        return self.members.count if fitted and self.member_kind == "heads" else 1

    @property
    def stepped_heads(self) -> int:
        """How many heads learn together by steps; 1 where they are no ensemble."""
        return self.members.count if self.member_kind == "heads" and self.fitted_heads == 1 else 1

    def __post_init__(self) -> None:
        check_device(self.device)
        check_name(self.model)
        refuse_numbers(self)
        object.__setattr__(self, "loss", loss_for(self.head, self.loss))
        refuse_ignored(self)
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite cannot be combined; resume the run or start it again")
        check_hub_name(self.push_to_hub, "--push-to-hub")
        if self.layers is not None and self.model == "tiny":
            raise UsageError("--layers truncates a pretrained model; use --n-layer to set the size of tiny")
        check_settings(self.track, project=self.track_project, run_name=self.run_name, uri=self.track_uri)
        refuse_adapter_settings(self)
        refuse_with_noise(self.noise, head_start=self.head_start, members=self.members.count, parallel=self.engine)
        refuse_by_attribute(self)
        changed = [name for name in NOT_WITH_CLOUD if getattr(self, name) != Config.__dataclass_fields__[name].default]
        refuse_with_cloud(self.head.name, self.critique, changed, loss=self.loss.name, on_text=self.loss.on_text)


def refuse_numbers(config: Config) -> None:
    """UsageError for a number that makes no sense."""
    refuse_below(config, AT_LEAST)
    for name in ("frac", "dropout", "warmup"):
        if not 0 <= getattr(config, name) <= 1:
            raise UsageError(f"--{name} {getattr(config, name)}: expected a share between 0 and 1")
    if config.frac == 0 or config.dropout == 1:
        raise UsageError(
            "--frac 0 leaves no training data, and --dropout 1 removes every feature; use --frac above 0 and "
            "--dropout below 1"
        )
    refuse_rate_and_seed(config)


def refuse_by_attribute(config: Config) -> None:
    """UsageError where one label a comparison is made or filtered, and the head learns from several."""
    given = {"--noise": config.noise.resists, "--augment": bool(config.augment)}
    flags = [flag for flag, is_given in given.items() if is_given]
    if flags and config.head.name in BY_ATTRIBUTE:
        raise UsageError(
            f"{', '.join(flags)} needs one label per comparison, but --head {config.head.name} learns several; remove one "
            "of them"
        )
    flags += ["--members"] * (config.members.count > 1)
    if flags and config.head.name == PROCESS:
        raise UsageError(f"{', '.join(flags)}: not used with --head {PROCESS}, which learns from steps; remove it")


def refuse_rate_and_seed(config: Config) -> None:
    """UsageError for a learning rate or a seed that makes no sense."""
    if config.lr is not None and not 0 < config.lr < float("inf"):
        raise UsageError(f"--lr {config.lr}: expected a number above 0")
    if not 0 < config.augment_weight < float("inf"):
        raise UsageError(f"--augment-weight {config.augment_weight}: expected a number above 0")
    if config.augment_weight != AUGMENT_WEIGHT and not config.augment:
        raise UsageError("--augment-weight has no effect without --augment; remove it or add --augment")
    if config.seed >= 2**63:
        raise UsageError(f"--seed {config.seed}: expected a number below 2^63")


def refuse_ignored(config: Config) -> None:
    """UsageError for a setting that another one, or the model, would leave without effect."""
    if config.test_groups and config.split_by is None:
        raise UsageError(f"--test-groups {config.test_groups} needs --split-by, the field whose values are held out")
    if config.push_public and config.push_to_hub is None:
        raise UsageError("--push-public needs --push-to-hub ORG/NAME")
    sizes = ("n_layer", "n_head", "n_embd", "block_size")
    changed = [name for name in sizes if getattr(config, name) != Config.__dataclass_fields__[name].default]
    if config.model != "tiny" and changed:
        flag = changed[0].replace("_", "-")
        raise UsageError(f"--{flag} is for the tiny model only; {config.model} has sizes of its own (--layers cuts it)")
    if config.n_embd % (2 * config.n_head):
        raise UsageError(
            f"--n-embd {config.n_embd} is not a multiple of 2 x --n-head {config.n_head}; rotary embeddings need an even "
            "head dimension"
        )


def check_engine(config: Config, processes: int) -> None:
    """UsageError for what several processes cannot do, or one alone."""
    if processes == 1 and config.parallel is not None:
        raise UsageError(
            f"--parallel {config.parallel} needs several processes: torchrun --nproc-per-node 2 -m rewardsmith train …"
        )
    if processes > 1 and config.engine == "deepspeed" and config.loss.on_text:
        raise UsageError("losses on text are not supported under --parallel deepspeed; use --parallel ddp or fsdp")
    if config.deepspeed_config is not None and config.engine != "deepspeed":
        raise UsageError(f"--deepspeed-config {config.deepspeed_config} needs --parallel deepspeed; add it")
    if processes > 1 and config.engine != "ddp":
        refuse_uncuttable(config)


def refuse_uncuttable(config: Config) -> None:
    """UsageError for a model that cannot be cut over processes; MissingExtraError without the package that would."""
    if config.freeze_layers == -1:
        raise UsageError("--freeze-layers -1 leaves no weights to shard across processes; use --parallel ddp")
    if config.quantize:
        raise UsageError(f"--quantize {config.quantize} cannot be sharded across processes; use --parallel ddp")
    if config.engine == "deepspeed":
        if find_spec("deepspeed") is None:
            raise MissingExtraError(
                f"--parallel deepspeed needs the package deepspeed; install it with: {install_command('deepspeed')}"
            )
        zero_settings(config.deepspeed_config)


def refuse_unused_loss(config: Config) -> None:
    """UsageError for a loss that a frozen backbone, or the direct fit of a head, would leave without effect."""
    if config.freeze_layers == -1 and config.loss.on_text:
        raise UsageError(
            "--freeze-layers -1 trains the head only, which losses on text do not reach; remove --loss.lm and --loss.grm-…"
        )
    if config.freeze_layers == -1 and config.loss.name == "contrastive":
        raise UsageError("--freeze-layers -1 keeps the features that --loss contrastive is about; remove one of them")
    if config.freeze_layers == -1 and config.head_start == "probe" and config.loss != LossSettings():
        if not config.head.plain:
            raise UsageError(
                f"--head {config.head.name}: --freeze-layers -1 --head-start probe fits a scalar head; remove "
                "--head-start probe, or --head"
            )
        raise UsageError(
            f"--loss {config.loss.name}: --freeze-layers -1 --head-start probe fits the head with bradley-terry; remove "
            "--head-start probe, or --loss"
        )


def refuse_adapter_settings(config: Config) -> None:
    """UsageError for settings of an adapter, or of members, that exclude each other."""
    refuse_unused_loss(config)
    if config.lora.r is not None and config.freeze_layers == -1:
        raise UsageError(
            "--freeze-layers -1 trains the head only, so --lora.r has no layers to adapt; remove one of them"
        )
    refuse_members(
        config.members,
        config.member_kind,
        head=config.head.name,
        loss=config.loss.name,
        rank=config.lora.r,
        quantize=config.quantize,
        push=config.push_to_hub,
    )
    if config.quantize and config.lora.r is None:
        raise UsageError(f"--quantize {config.quantize} freezes the backbone; add a trainable adapter: --lora.r 16")
