"""The settings of `rewardsmith dpo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.settings.fields import refuse_below
from rewardsmith.settings.hardware import DtypeName, check_device

PreferenceLoss = Literal["sigmoid", "ipo", "robust", "hinge"]
LEARNING_RATES = {"full": 1e-6, "lora": 2e-5}
"""Starting points, not the result of a search; that of all weights is TRL's."""
AT_LEAST = {
    "epochs": 1, "batch": 1, "evals": 1, "keep": 1, "patience": 0, "clip": 0, "weight_decay": 0, "max_length": 16,
    "threads": 1, "tokens_per_microbatch": 1, "seed": 0, "max_steps": 1, "kl_prompts": 0, "kl_tokens": 1, "sft": 0,
}  # fmt: skip
"""The lowest value of settings that are numbers."""


@dataclass(frozen=True, kw_only=True)
class PolicyTraining:
    """Settings of how a policy learns that `self-reward` has too."""

    max_length: int | None = None
    """Maximum number of tokens of prompt and response (default: 1024, or less if the model supports fewer)."""
    thinking: bool | None = None
    """Whether a reasoning model's chat template asks for reasoning (enable_thinking); default: as the template has it."""
    sft: float = 0.0
    """Coefficient of the negative log likelihood per token of the preferred response, added to the loss."""
    lr: float | None = None
    """Peak learning rate (default: 1e-6, with LoRA 2e-5)."""
    lora: Lora = Lora()  # noqa: RUF009 - frozen
    tokens_per_microbatch: int | None = None
    """Tokens per forward pass (default: measured in a short calibration if worthwhile, else by device)."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    threads: int | None = None
    """Number of CPU threads (default: all cores)."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""


@dataclass(frozen=True, kw_only=True)
class Config(PolicyTraining):
    """Settings of `rewardsmith dpo`."""

    model: str
    """Language model to train: a folder, smollm2-135m, or a Hub name; as it is at the start, it is the reference."""
    pairs: tuple[str, ...]
    """Preference data: files, folders, Hub names, what `pairs` wrote; rankings and several comparisons per prompt too."""
    output: Path
    """Output folder for the run; the trained model is in its folder model."""
    validation: tuple[str, ...] = ()
    """Validation data (default: --validation-share of the pairs, split by prompt)."""
    validation_share: float = 0.1
    """Fraction of the prompts to validate on, below 1; 0 for none, and the weights of the last step are kept."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to learn from if the data has several, such as helpful or safe."""
    loss: PreferenceLoss = "sigmoid"
    """Loss: sigmoid (DPO), ipo, robust (unbiased under wrong labels), or hinge (SLiC)."""
    beta: float = 0.1
    """Factor of the log ratio between model and reference; larger values keep the model closer to the reference."""
    label_smoothing: float = 0.0
    """Probability that a label is wrong, below 0.5: sigmoid becomes conservative DPO, robust needs it."""
    length_normalized: bool = False
    """Divide log ratios by the number of the response's tokens (always done with --loss ipo)."""
    epochs: int = 1
    """Number of passes over the training data."""
    max_steps: int | None = None
    """Maximum number of optimizer steps (default: all epochs)."""
    batch: int = 32
    """Number of records (prompts with their comparisons) per optimizer step."""
    weight_decay: float = 0.0
    """AdamW weight decay of weight matrices."""
    warmup: float = 0.1
    """Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0."""
    clip: float = 1.0
    """Maximum gradient norm for clipping (0 = no clipping)."""
    evals: int = 4
    """Number of validation passes (and checkpoints) per epoch."""
    patience: int = 0
    """Stop after this many validation passes without a lower loss (0 = never)."""
    keep: int = 2
    """Number of checkpoints to keep on disk for resuming."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass instead of storing them: less memory, but slower."""
    dtype: DtypeName = "auto"
    """Precision of the forward and backward pass: auto, fp32, bf16, fp16; weights stay in fp32."""
    seed: int = 0
    """Random seed of the split, the order of the records and the adapter."""
    kl_prompts: int = 32
    """Number of held-out prompts to estimate the KL divergence from the reference on, one sample each; 0 for none."""
    kl_tokens: int = 128
    """Most tokens of such a sample."""
    strict: bool = False
    """Stop at the first invalid row."""
    resume: bool = False
    """Resume the run in --output from its latest valid checkpoint."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""

    def __post_init__(self) -> None:
        check_device(self.device)
        refuse_below(self, AT_LEAST)
        self._refuse_shares()
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite cannot be combined; resume the run or start it again")
        if self.validation and self.validation_share != Config.__dataclass_fields__["validation_share"].default:
            raise UsageError("--validation-share has no effect with --validation; remove one of them")
        self._refuse_loss()

    def _refuse_shares(self) -> None:
        if not 0 <= self.validation_share < 1:
            raise UsageError(f"--validation-share {self.validation_share}: expected a share from 0 to below 1")
        if not 0 <= self.warmup <= 1:
            raise UsageError(f"--warmup {self.warmup}: expected a share between 0 and 1")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise UsageError(f"--lr {self.lr}: expected a number above 0")

    def _refuse_loss(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise UsageError(f"--beta {self.beta}: expected a number above 0")
        if not 0 <= self.label_smoothing < 0.5:
            raise UsageError(f"--label-smoothing {self.label_smoothing}: expected a probability from 0 to below 0.5")
        if self.label_smoothing and self.loss in ("ipo", "hinge"):
            raise UsageError(f"--label-smoothing has no meaning with --loss {self.loss}; use --loss sigmoid or robust")
        if self.loss == "robust" and not self.label_smoothing:
            raise UsageError("--loss robust needs --label-smoothing, the share of labels that are wrong")

    @property
    def per_token(self) -> bool:
        """Whether log ratios are divided by the number of tokens."""
        return self.length_normalized or self.loss == "ipo"
