"""The public interface with all types, defaults and options. Written by scripts/make-stubs; do not edit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from rewardsmith.api import TokenIds
from rewardsmith.commands.compare import Result as CompareResult
from rewardsmith.commands.evaluate import Result as EvaluateResult
from rewardsmith.data.loading.load import Loaded
from rewardsmith.errors import ContractError as ContractError
from rewardsmith.errors import DataError as DataError
from rewardsmith.errors import MissingExtraError as MissingExtraError
from rewardsmith.errors import ModelError as ModelError
from rewardsmith.errors import OutputError as OutputError
from rewardsmith.errors import RewardsmithError as RewardsmithError
from rewardsmith.errors import TrainingError as TrainingError
from rewardsmith.errors import UsageError as UsageError
from rewardsmith.language import say as say
from rewardsmith.model.reward_model import RewardModel as RewardModel
from rewardsmith.pipelines.diagnose import Diagnosis
from rewardsmith.pipelines.prepare.result import Result as ResultResult
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.pipelines.train.pipeline import Result as TrainResult
from rewardsmith.pipelines.verify import Verification
from rewardsmith.progress import Progress
from rewardsmith.records import Comparison as Comparison
from rewardsmith.records import Message as Message
from rewardsmith.records import Record as Record
from rewardsmith.records import Response as Response

__version__: str
__all__ = [
    "Comparison",
    "ContractError",
    "DataError",
    "Message",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Record",
    "Response",
    "RewardModel",
    "RewardsmithError",
    "TrainingError",
    "UsageError",
    "__version__",
    "clean",
    "compare",
    "compute_reward",
    "diagnose",
    "evaluate",
    "load",
    "load_reward_model",
    "say",
    "train",
    "verify",
]

class _LoraFields(TypedDict, total=False):
    """Settings of a LoRA adapter; without a rank there is none."""

    r: int | None
    """Train a LoRA adapter of this rank, and the head, instead of all weights."""
    alpha: int | None
    """Scale of the adapter: it is multiplied by alpha / r (default: 2 r)."""
    target: str | Sequence[str]
    """Linear layers that get an adapter, for instance q_proj v_proj (default: all of the blocks)."""
    dropout: float
    """Dropout before the adapter."""

def clean(
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    min_chars: int | None = None,
    max_chars: int | None = None,
    min_words: int | None = None,
    max_words: int | None = None,
    max_similarity: float = 0.9,
    max_repetition: float = 0.6,
    max_compression: float = 8.0,
    min_agreement: float = 0.6,
    min_votes: int = 2,
    languages: str | Sequence[str] = (),
    label_noise: Literal["off", "report", "soften", "drop", "flip"] = "off",
    margins: str | Path | Sequence[str | Path] = (),
    seed: int = 0,
    max_per_source: int | None = None,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    split_by: str | None = None,
    test_groups: int | None = None,
    max_rows: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    keep_duplicates: bool = False,
    remove: str | Sequence[str] = (),
    repair: bool = False,
    signals: str | Path | None = None,
    near_threshold: float = 0.8,
    decontaminate: str | Path | Sequence[str | Path] = (),
    overlap: float = 0.5,
    workers: int | None = None,
    engine: Literal["local", "ray"] = "local",
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> ResultResult:
    """`rewardsmith prepare`: check, split and write.

    Options:
        min_chars: Fewest characters of a response; default: no limit.
        max_chars: Most characters of a response; default: no limit.
        min_words: Fewest words of a response, where a Chinese or Japanese character is a word; default: no limit.
        max_words: Most words of a response, where a Chinese or Japanese character is a word; default: no limit.
        max_similarity: Highest edit similarity (0.7 to 1) of responses that are compared.
        max_repetition: Highest share (0 to 1) of a response's four-word runs that repeat an earlier one.
        max_compression: How many times smaller zlib may make a response of 200 bytes or more.
        min_agreement: Lowest share of annotators (0 to 1) who agree.
        min_votes: Fewest votes of a comparison that tells its votes.
        languages: A language that responses may have, as in zh, en, ja or other; repeat it for several; default:
            all.
        label_noise: What to do with labels of train that are probably wrong: off, report, soften (expected label),
            drop, flip.
        margins: Rewards of a model for the same rows, as rewardsmith score writes them; repeat it for several
            models.
        sources: Files, folders or hub names (owner/name:config:split) to read; `a.jsonl:0.3` takes three records in
            ten.
        output: Folder to write train.jsonl, validation.jsonl, test.jsonl and the reports into.
        seed: Seed of the split and of what is taken; a row's side depends on it and on the row's prompt only.
        map: Columns under other names, as in prompt=instruction or chosen=annotations.best.
        max_per_source: Take no more than this many records of each source, chosen by hash; default: all.
        fractions: Shares of prompts for train, validation and test; they add up to 1, and 0 leaves a split out.
        split_by: Field whose values are kept on one side, such as topic, or near-prompt; default: the
            conversation's opening.
        test_groups: Hold out this many values of --split-by as the test split, and a share of the rest for
            validation.
        max_rows: Read no more than this many rows; default: all.
        strict: Stop at the first bad row, instead of putting it into quarantine.
        overwrite: Replace what the output folder holds.
        keep_duplicates: Keep rows that repeat an earlier row exactly.
        remove: A check whose rows are removed, as in refusal or near_duplicate; repeat it for several; default:
            report only.
        repair: Undo encoding damage where nothing was lost; default: report only.
        signals: Folder of an earlier run over the same sources whose measured values are taken over, to try other
            thresholds.
        near_threshold: Similarity from which rows and prompts are near-duplicates, 0.7 to 1; 0 does not look for
            them.
        decontaminate: Benchmark files; rows that hold one of their texts are taken out and listed in
            contamination.jsonl.
        overlap: Share of a benchmark text's runs of 13 words (or Chinese characters) that makes a row contaminated.
        workers: Processes that look at rows; default: one per core, and none for a few thousand rows.
        engine: Where rows are looked at: local (this machine), or ray (Ray Data, a cluster that RAY_ADDRESS names).
    """

def compare(
    a: str | Path, b: str | Path, *, seed: int = 0, progress: Progress = ..., lang: Literal["en", "zh"] | None = None
) -> CompareResult:
    """`rewardsmith compare`: a paired test between two evaluated runs.

    Options:
        a: Run folder, or the --output of evaluate.
        b: The other one, evaluated on the same data.
        seed: Seed of the bootstrap and the permutation test.
    """

def compute_reward(
    rm: RewardModel,
    tok: Any,
    prompt: str | Sequence[Message] | Sequence[Mapping[str, str]],
    response_ids: Sequence[int] | TokenIds,
    device: str | None = None,
) -> float:
    """The raw reward of one generated response, for an RL loop.

    `tok` is the policy's tokenizer: it turns `response_ids` (a list or a one-dimensional tensor) into text, which is
    scored under the reward model's own contract, so policy and reward model may have different vocabularies. `prompt`
    is text or messages. `device` moves the reward model first if it lies elsewhere.
    """

def diagnose(
    run: str | Path,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> Diagnosis:
    """`rewardsmith diagnose`: the verdict on a run folder, and its report.

    Options:
        run: Output folder of train or evaluate, or a JSON file with figures such as train_loss, val_loss, val_acc,
            n.
        output: Folder for report.html, report.md and report.json; default: the run folder, or the JSON file's
            folder.
        overwrite: Replace a report that is already there.
    """

def evaluate(
    model: str | Path,
    sources: str | Path | Sequence[str | Path],
    *,
    split: str | None = None,
    validation: str | Path | Sequence[str | Path] = (),
    attribute: str = "overall",
    output: str | Path | None = None,
    dtype: str = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> EvaluateResult:
    """`rewardsmith evaluate`: how good a reward model is on some data, with intervals and baselines.

    Options:
        model: Reward model: a folder, a run folder, or a hub name.
        sources: Preference data: files, folders, the output of `prepare` (its test split is read), or synthetic:N.
        split: Which split of prepared or synthetic data: train, validation, test (default: test of prepared data,
            else all).
        validation: Data to fit the temperature on (default: five-fold by prompt).
        map: Columns under other names, as in prompt=instruction or chosen=annotations.best.
        attribute: Attribute to judge by where the data judges several, such as helpful or safe.
        output: Folder for evaluation.json and comparisons.jsonl, which diagnose and compare read.
        dtype: Precision below the head: fp32, auto, bf16, fp16.
        device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Evaluate even if the model's probes no longer give the stored rewards; verdict and card then
            say so.
        strict: Stop at the first row that cannot be read.
        overwrite: Replace what an earlier run of this command wrote to --output; nothing else is ever deleted.
        trust_remote_code: Run code that comes with a hub model.
    """

def load(
    *sources: Any,
    strict: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> Loaded:
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """

def load_reward_model(path: str | Path, *, device: str = "auto") -> RewardModel:
    """Open a reward model for scoring: a run folder, its model folder, or a hub name."""

def train(
    model: str | Path,
    dataset: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    validation: str | Path | Sequence[str | Path] = (),
    test: str | Path | Sequence[str | Path] = (),
    max_per_source: int | None = None,
    attribute: str = "overall",
    lr: float | None = None,
    epochs: int = 1,
    max_steps: int | None = None,
    batch: int = 16,
    max_length: int | None = None,
    frac: float = 1.0,
    loss: str = "bradley-terry",
    head_start: Literal["random", "probe"] = "random",
    heads: int = 1,
    merge_prompts: bool = False,
    layers: int | None = None,
    question: str | None = None,
    read_layers: int | Sequence[int] = (),
    pooling: Literal["last", "mean"] | Sequence[Literal["last", "mean"]] = (),
    freeze_layers: int = 0,
    n_layer: int = 2,
    n_head: int = 4,
    n_embd: int = 64,
    block_size: int | None = None,
    lora: Lora | _LoraFields = ...,
    quantize: Literal["4bit", "8bit"] | None = None,
    gradient_checkpointing: bool = False,
    activation_offload: bool = False,
    weight_decay: float = 0.01,
    warmup: float = 0.05,
    clip: float = 1.0,
    dropout: float = 0.0,
    evals: int = 4,
    patience: int = 0,
    keep: int = 2,
    split_by: str | None = None,
    test_groups: int = 0,
    tokens_per_microbatch: int | None = None,
    dtype: str = "auto",
    device: str = "auto",
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None,
    deepspeed_config: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    report: bool = True,
    track: str | Sequence[str] = (),
    track_project: str | None = None,
    run_name: str | None = None,
    track_uri: str | None = None,
    strict: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    push_to_hub: str | None = None,
    push_public: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> TrainResult:
    """`rewardsmith train`: train a reward model, evaluate it, judge it.

    Options:
        model: What to start from: tiny, smollm2-135m, minilm-l6, a folder, or a hub name ORG/NAME.
        dataset: Preference data: files, folders, the output of `prepare`, a hub name, or synthetic:N; `a.jsonl:0.3`
            is a share.
        output: Run folder: model/, report.html, metrics.jsonl, checkpoints/.
        validation: Own validation data (default: 10 % of the prompts of --dataset).
        test: Own test data (default: 10 % of the prompts of --dataset).
        map: Columns under other names, as in prompt=instruction or chosen=annotations.best.
        max_per_source: Take no more than this many records of each source of --dataset, chosen by hash.
        attribute: Attribute to follow where the data judges several, such as helpful or safe.
        lr: Peak learning rate (default by kind: full 5e-5, LoRA 2e-4, tiny 2e-3, head only 1e-3).
        epochs: Passes over the training data.
        max_steps: Stop after this many optimizer steps, if the epochs hold as many; the schedule ends there too.
        batch: Records per optimizer step, over all micro-batches.
        max_length: Longest conversation in tokens (default: 1024, or what the model can).
        frac: Share of the training records to use.
        loss: Loss on comparisons: bradley-terry.
        head_start: Head of a model that has none yet: random, or probe: fitted to the untrained model first.
        heads: Fit as many heads to bootstrap samples of the prompts; their mean is the reward, their spread is
            kept.
        merge_prompts: Join rows with the same prompt into one ranking: each text is computed once.
        layers: Keep only the first N layers of the model.
        question: Question put behind every answer, as in "How good is this answer?"; a new head reads the state
            behind it.
        read_layers: Layers that a new head reads, as in 12 15 18 (default: the last one); those above the highest
            are left out.
        pooling: What a new head reads of each layer: last (token), mean (over the answer), or both (default: the
            model's own).
        freeze_layers: Freeze embeddings and the first N layers; -1 trains the head only.
        n_layer: Layers of the tiny model.
        n_head: Attention heads of the tiny model.
        n_embd: Width of the tiny model.
        block_size: Longest sequence of the tiny model, in bytes (default: 256, or a longer --max-length up to
            2048).
        lora.r: Train a LoRA adapter of this rank, and the head, instead of all weights.
        lora.alpha: Scale of the adapter: it is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers that get an adapter, for instance q_proj v_proj (default: all of the blocks).
        lora.dropout: Dropout before the adapter.
        quantize: Hold the frozen weights under a LoRA adapter in 4 or 8 bits (QLoRA).
        gradient_checkpointing: Compute activations a second time in the backward pass instead of keeping them: less
            memory, slower.
        activation_offload: Keep activations in the host's memory until the backward pass needs them: less GPU
            memory, slower.
        weight_decay: AdamW weight decay on matrices.
        warmup: Share of the steps over which the learning rate rises.
        clip: Largest gradient norm (0 = no clipping).
        dropout: Dropout before the reward head.
        evals: Validation passes (and checkpoints) per epoch.
        patience: Stop after so many validation passes without a better loss (0 = never).
        keep: Checkpoints to resume from that stay on disk.
        split_by: Field to split by instead of the prompt, for instance topic.
        test_groups: With --split-by: hold out this many groups for the test, and a share of the others for
            validation.
        tokens_per_microbatch: Tokens per forward pass (default: found by a short calibration where that pays, else
            by device).
        dtype: Precision below the head: auto, fp32, bf16, fp16.
        device: auto, cpu, cuda, cuda:1, mps.
        parallel: Under torchrun or accelerate: ddp copies the model to every process (default), fsdp and deepspeed
            cut it.
        deepspeed_config: With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload
            (default: zero2).
        threads: CPU threads (default: all cores).
        seed: Seed of head, order, dropout and split.
        report: Evaluate on the test split and write the report at the end.
        track: Record the run with tensorboard, mlflow, wandb, trackio, swanlab (several allowed).
        track_project: Project or experiment in the trackers (default: rewardsmith).
        run_name: Name of the run in the trackers (default: the name of --output).
        track_uri: Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder).
        strict: Stop at the first row that cannot be read.
        resume: Go on with the run in --output from its newest whole checkpoint.
        overwrite: Replace what an earlier run of this command wrote to --output; nothing else is ever deleted.
        trust_remote_code: Run code that comes with a hub model.
        push_to_hub: Upload the finished model to the hub as ORG/NAME, private unless --push-public.
        push_public: With --push-to-hub: let everybody read it.
    """

def verify(
    place: str | Path,
    *,
    part: Literal["files", "data", "settings", "versions", "probes"]
    | Sequence[Literal["files", "data", "settings", "versions", "probes"]] = (),
    device: str = "auto",
    progress: Progress = ...,
    lang: Literal["en", "zh"] | None = None,
) -> Verification:
    """`rewardsmith verify`: whether a run or a model still is what it was.

    Options:
        place: Run folder of train, or a model's folder.
        part: Check this part only; may be given several times (default: all).
        device: Where the probes are scored: auto, cpu, cuda, cuda:1, mps.
    """
