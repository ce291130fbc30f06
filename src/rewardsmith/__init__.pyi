"""The public interface with all types, defaults and options. Written by scripts/make-stubs; do not edit."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, overload

from rewardsmith.api.models import TokenIds
from rewardsmith.calls import Table
from rewardsmith.client import AsyncClient as AsyncClient
from rewardsmith.client import Client as Client
from rewardsmith.commands.audit import Result as AuditResult
from rewardsmith.commands.compare import Result as CompareResult
from rewardsmith.commands.ensemble import Result as EnsembleResult
from rewardsmith.commands.export import Result as ExportResult
from rewardsmith.commands.learning_curve import Result as LearningCurveResult
from rewardsmith.commands.merge import Result as MergeResult
from rewardsmith.critique.model import CritiqueModel as CritiqueModel
from rewardsmith.data.loading.load import Loaded
from rewardsmith.errors import ContractError as ContractError
from rewardsmith.errors import DataError as DataError
from rewardsmith.errors import MissingExtraError as MissingExtraError
from rewardsmith.errors import ModelError as ModelError
from rewardsmith.errors import OutputError as OutputError
from rewardsmith.errors import RewardsmithError as RewardsmithError
from rewardsmith.errors import ServerError as ServerError
from rewardsmith.errors import TrainingError as TrainingError
from rewardsmith.errors import UsageError as UsageError
from rewardsmith.language import say as say
from rewardsmith.model.reward_model import RewardModel as RewardModel
from rewardsmith.pipelines.best_of_n.result import Result as BestOfNResult
from rewardsmith.pipelines.calibrate.pipeline import CalibrationReport
from rewardsmith.pipelines.critique.settings import CritiqueTraining
from rewardsmith.pipelines.diagnose.result import Diagnosis
from rewardsmith.pipelines.dpo.result import Result as DpoResult
from rewardsmith.pipelines.ensembles.combine import CombineSettings
from rewardsmith.pipelines.evaluate.result import Result as EvaluateResult
from rewardsmith.pipelines.generate.result import Result as GenerateResult
from rewardsmith.pipelines.judge.result import Result as JudgeResult
from rewardsmith.pipelines.monitor.result import Result as MonitorResult
from rewardsmith.pipelines.pairs.result import Result as PairsResult
from rewardsmith.pipelines.policy_bench.result import Result as PolicyBenchResult
from rewardsmith.pipelines.prepare.result import Result as PrepareResult
from rewardsmith.pipelines.score.pipeline import Result as ScoreResult
from rewardsmith.pipelines.self_reward.result import Result as SelfRewardResult
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.pipelines.train.head import HeadSettings
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.pipelines.train.members import MembersSettings
from rewardsmith.pipelines.train.noise import NoiseSettings
from rewardsmith.pipelines.train.pipeline import Result as TrainResult
from rewardsmith.pipelines.tune.rates import RatesResult
from rewardsmith.pipelines.tune.result import Result as TuneResult
from rewardsmith.pipelines.verify import Verification
from rewardsmith.progress import SILENT as SILENT
from rewardsmith.progress import Progress
from rewardsmith.records import Comparison as Comparison
from rewardsmith.records import Message as Message
from rewardsmith.records import Record as Record
from rewardsmith.records import Response as Response
from rewardsmith.verifiable.reward import VerifiableReward as VerifiableReward

__version__: str
__all__ = [
    "SILENT",
    "AsyncClient",
    "Client",
    "Comparison",
    "ContractError",
    "CritiqueModel",
    "DataError",
    "Message",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "Record",
    "Response",
    "RewardModel",
    "RewardsmithError",
    "ServerError",
    "TrainingError",
    "UsageError",
    "VerifiableReward",
    "__version__",
    "audit",
    "best_of_n",
    "calibrate",
    "compare",
    "compute_reward",
    "diagnose",
    "dpo",
    "ensemble",
    "evaluate",
    "export",
    "find_learning_rate",
    "generate",
    "judge",
    "learning_curve",
    "load",
    "load_reward_model",
    "merge",
    "monitor",
    "pairs",
    "policy_bench",
    "prepare",
    "say",
    "score",
    "self_reward",
    "train",
    "tune",
    "verify",
]

class _LoraFields(TypedDict, total=False):
    """Settings of a LoRA adapter; without a rank there is none."""

    r: int | None
    """Train a LoRA adapter of this rank and the head instead of all weights."""
    alpha: int | None
    """LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r)."""
    target: str | Sequence[str]
    """Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer blocks)."""
    dropout: float
    """Dropout probability of the adapter's input."""

class _CombineSettingsFields(TypedDict, total=False):
    """The rule, and its weight."""

    name: Literal["mean", "min", "median", "mean-std"] | None
    """Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus --lambda
    standard deviations (default: as stored with the ensemble)."""
    std_weight: float | None
    """mean-std: number of standard deviations that are subtracted, also --lambda (default: 1)."""

class _LossSettingsFields(TypedDict, total=False):
    """The loss function and its options; an option that the loss does not use is refused."""

    name: str
    """Loss function: bradley-terry, margin, scaled-margin, label-smoothing, soft-labels, rao-kupper, davidson, hinge,
    focal, focal-ranking, symmetric, ramp, unbiased, gce, plackett-luce, regression, uncertainty, contrastive,
    odin, attributes, helpful-cost, gaussian, quantile, pinball, inform or step-cross-entropy (see
    docs/losses.md)."""
    center: float | None
    """Coefficient of the squared sum of the two rewards of a comparison, which keeps rewards near 0 (default: 0)."""
    margin_scale: float | None
    """margin, scaled-margin: factor of the margins of the data (default: 1)."""
    smoothing: float | None
    """label-smoothing: probability that a label is wrong, below 0.5 (default: 0.1)."""
    prior_votes: float | None
    """soft-labels: votes added to each side (default: 1; 0 takes the share of votes as it is)."""
    tie_share: float | None
    """rao-kupper, davidson: probability of a tie between equal rewards (default: 1/3)."""
    hinge_lead: float | None
    """hinge: lead of the preferred response from which on a comparison costs nothing (default: 1)."""
    gamma: float | None
    """focal, focal-ranking: exponent; larger values reduce the weight of comparisons already won (default: 2)."""
    flip_rate: float | None
    """unbiased: share of labels that are flipped, below 0.5 (default: 0.1)."""
    power: float | None
    """gce: exponent between bradley-terry (near 0) and symmetric (1) (default: 0.7)."""
    top: int | None
    """plackett-luce: number of first places of a ranking to learn from (default: all)."""
    members: int | None
    """uncertainty: number of heads, whose mean is the reward (default: 4)."""
    strength: float | None
    """uncertainty: how much less a comparison counts on which the heads disagree (default: 1)."""
    contrast: float | None
    """contrastive: coefficient of the contrastive term (default: 0.1)."""
    temperature: float | None
    """contrastive: temperature of the similarities (default: 0.1)."""
    view_dropout: float | None
    """contrastive: dropout that makes the two views of a response (default: 0.1)."""
    length_weight: float | None
    """odin: coefficient of the correlations with length (default: 1)."""
    orthogonal_weight: float | None
    """odin: coefficient of the similarity of the two heads (default: 1)."""
    given_label: int | None
    """odin: 1 correlates differences of preferred and other response, which keeps quality that goes with length; 0, as
    in the paper, takes all responses (default: 0)."""
    sign_weight: float | None
    """helpful-cost: coefficient of the term that makes the cost positive for unsafe responses (default: 1)."""
    kl_weight: float | None
    """inform: coefficient of the KL divergence of the bottleneck (default: 0.001)."""
    lm: float | None
    """Weight of the language-model loss on the preferred responses, a mean over their tokens; decoders only (default:
    0)."""
    lm_share: float | None
    """Share of the records whose text counts in each epoch, with --loss.lm (default: 1)."""
    grm_sft: float | None
    """Weight of GRM's regulariser on the log likelihood of the preferred response, 0.01 in its paper; the loss itself
    is weighted with 1 minus it (default: 0)."""
    grm_dpo: float | None
    """As --loss.grm-sft, for the difference of both responses' log likelihoods, without a reference model (default:
    0)."""
    grm_beta: float | None
    """Factor of the log likelihoods in GRM's regulariser (default: 0.1)."""

class _HeadSettingsFields(TypedDict, total=False):
    """The reward head and its options; an option that the head does not use is refused."""

    name: str
    """Reward head: scalar, value, multi-objective, gated, helpful-cost, gaussian, quantile, odin, inform or process
    (see docs/heads.md), or cloud, which reads the reward behind a critique that the model writes first (see
    docs/cloud.md)."""
    attributes: str | Sequence[str]
    """multi-objective, gated: attributes to learn (default: all of the training data but --attribute)."""
    weights: str | Sequence[str]
    """multi-objective: weight of each attribute in the reward, for example helpfulness=1 verbosity=-0.2 (default:
    fitted on the validation comparisons of --attribute, else equal)."""
    hidden: int | None
    """gated: hidden units of the gate that weighs the attributes by prompt (default: 1024)."""
    gate_steps: int | None
    """gated: steps in which the gate is fitted once the attributes have been learned (default: 2000)."""
    penalize: str | None
    """gated: attribute that is subtracted from the others until they no longer follow it, for example verbosity
    (default: none)."""
    levels: int | None
    """quantile: number of quantiles (default: 9)."""
    latent: int | None
    """inform: dimensions of the bottleneck (default: 32)."""
    aggregate: Literal["min", "product", "last"] | None
    """process: how one reward is made of the probabilities of a solution's steps: min, product or last (default: min)."""

class _CritiqueTrainingFields(TypedDict, total=False):
    """How `--head cloud` learns critiques and rewards behind them; without that head nothing here has an effect."""

    source: Literal["self", "given"]
    """cloud: critiques that the reward is trained behind: self (written by the model after stage 1) or given (those of
    the data)."""
    lm_weight: float
    """cloud: weight of the language-model loss on the critiques beside the loss on rewards, in stage 2."""
    sft_epochs: int
    """cloud: passes over the given critiques in stage 1; 0 skips it, for a model that writes critiques already."""
    sft_lr: float | None
    """cloud: peak learning rate of stage 1 (default: --lr)."""
    tokens: int
    """cloud: maximum length of a critique in tokens; prompt and response have the rest of --max-length."""
    samples: int
    """cloud: critiques per response of the finished model, whose rewards are averaged (self-consistency)."""
    sampling_temperature: float | None
    """cloud: sampling temperature of critiques (default: 0, the likeliest token; 1 with several samples)."""
    language: Literal["auto", "en", "zh"]
    """cloud: language of the question that asks for a critique: en, zh, or auto (that of the conversation)."""

class _NoiseSettingsFields(TypedDict, total=False):
    """How wrong labels in the training data are resisted."""

    name: Literal["none", "crm"]
    """Training against wrong labels: none, or crm (collaborative reward modelling: two models, each trains on the
    comparisons that the other fits best, and the better one on validation is saved; twice the memory, three
    times the time)."""
    rate: float | None
    """crm: share of each step's comparisons that is filtered out in the end, about that of wrong labels (default:
    0.3)."""
    ramp: float | None
    """crm: fraction of the run over which that share is reached, from 0 (default: 0.3)."""
    curriculum: int | None
    """crm: 1 to order every epoch but the first from easy records to hard ones, 0 to shuffle (default: 0)."""

class _MembersSettingsFields(TypedDict, total=False):
    """How many members an ensemble has, and what each is."""

    name: int
    """Number of members to train as an ensemble, each with its own seed; their disagreement is stored (see
    docs/ensembles.md)."""
    kind: Literal["heads", "lora", "runs"] | None
    """What a member is: heads (on one backbone), lora (LoRA adapters on one backbone) or runs (whole models) (default:
    heads with --freeze-layers -1, lora with --lora.r, else runs)."""

def audit(
    model: str | Path | RewardModel,
    sources: str | Path | Loaded | Table | Iterable[Any] = (),
    *,
    split: str | None = None,
    attribute: str = "overall",
    part: Literal["effects", "conformance", "best_of_n"]
    | Sequence[Literal["effects", "conformance", "best_of_n"]] = (),
    prompts: int = 300,
    bound: float = 0.2,
    rewrites: str | Path | None = None,
    policies: str | Path | None = None,
    explain: int = 0,
    text: str | None = None,
    prompt: str = "",
    method: Literal["prefix", "occlusion"] = "occlusion",
    output: str | Path | None = None,
    seed: int = 0,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> AuditResult:
    """`rewardsmith audit`: what a reward model rewards besides quality, and whether rewards depend on how they are computed.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test; without `sources`
    conformance alone is checked. Nothing is written without `output`, unless `model` is a run folder.

    Options:
        model: Reward model: a folder, a run folder, or a Hub name; or a judge file (YAML, kind: pointwise).
        sources: Data to audit on: files, folders, the output of `prepare` (its test split is read), or synthetic:N;
            without any, conformance alone is checked.
        split: Split of prepared or synthetic data: train, validation, test (default: test for prepared data, else
            all data).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to audit on if the data has several, such as helpful or safe.
        part: Part of the audit; repeat the flag for several (default: all).
        prompts: Number of prompts to audit, drawn by a hash of each prompt; 0 for all.
        bound: Smallest effect that matters, in standard deviations of the reward within prompts; a bias is excluded
            if its whole 95 % interval is below it.
        rewrites: JSON Lines file with rewrites and rewrites of rewrites by a language model (RATE): attribute, has,
            prompt, response, rewrite, rewrite_of_rewrite.
        policies: JSON Lines file with gold ratings of policies trained against this reward: kl (from the initial
            policy, nats), gold, and prompt; the initial policy has kl 0.
        explain: Number of the most wrongly ordered comparisons whose responses are written to explained.jsonl with
            the contribution of each word.
        text: A response to show with the contribution of each token or word to its reward, instead of an audit.
        prompt: With --text: the prompt before it.
        method: With --text: occlusion (reward without each word) or prefix (reward after each token, decoders
            only).
        output: Output folder for audit.json and audit.md (default: the run folder if MODEL is one, which diagnose
            reads).
        seed: Random seed of the sample, the bootstrap and the tests.
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Audit even if the probes (conversations stored with their rewards to check the model) no
            longer give the stored rewards.
        strict: Stop at the first invalid row.
        overwrite: Replace an existing audit in the output folder; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def best_of_n(
    model: str | Path | RewardModel,
    source: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    n: int | None = None,
    method: Literal["best", "threshold", "rso"] = "best",
    keep: int = 1,
    threshold: float | None = None,
    beta: float = 0.5,
    generator: str | None = None,
    max_tokens: int = 512,
    temperature: float = 1.0,
    top_p: float = 1.0,
    api_model: str | None = None,
    seed: int = 0,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> BestOfNResult:
    """`rewardsmith best-of-n`: the responses that a reward model ranks first, and SFT and KTO data made of them.

    `model` is a folder, a name, a rewards file or an open model. The rows are written to the folder `output`; `to_json()`
    of the result has the counts and the curve over n.

    Options:
        model: Reward model, or a rewards file (YAML), as score takes it.
        source: Candidates: a file or folder with several responses per prompt, in one row or several; with
            --generator, prompts.
        output: Output folder: chosen.jsonl, sft.jsonl, kto.jsonl, scored.jsonl and best_of_n.json.
        n: Choose among the first N responses of each prompt (default: all); with --generator, the number to
            generate.
        method: How to choose: best (highest rewards), threshold (every response with a reward of --threshold or
            more), rso (statistical rejection sampling, a sample of the policy that maximises reward less beta times
            KL).
        keep: With best and rso: number of responses to choose per prompt.
        threshold: With threshold: smallest reward that is accepted.
        beta: With rso: strength of the KL penalty, in units of the reward; the smaller, the closer to best.
        generator: Language model that generates the candidates: a folder, smollm2-135m, a Hub name, or the address
            of an API.
        max_tokens: With --generator: most tokens of a response.
        temperature: With --generator: sampling temperature.
        top_p: With --generator: nucleus sampling.
        api_model: With --generator and an API: name of the model to ask for.
        seed: Random seed of the generator, of rso and of the intervals.
        map: Column mapping, for example prompt=instruction.
        dtype: Precision of the reward model: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Choose even if the probes of the model no longer give the stored rewards.
        strict: Stop at the first invalid row.
        overwrite: Replace an earlier result in the output folder.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def calibrate(
    model: str | Path,
    sources: str | Path | Loaded | Table | Iterable[Any] = (),
    *,
    method: Literal["temperature", "isotonic", "length"] | Sequence[Literal["temperature", "isotonic", "length"]] = (
        "temperature",
    ),
    smoother: Literal["lowess", "local-average"] = "lowess",
    smoothing: float | None = None,
    length_unit: Literal["tokens", "characters"] = "tokens",
    output: str | Path | None = None,
    update: bool = False,
    overlap: Literal["refuse", "drop", "keep"] = "refuse",
    split: str | None = None,
    attribute: str = "overall",
    seed: int = 0,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> CalibrationReport:
    """`rewardsmith calibrate`: probabilities, and rewards without their trend in length, fitted on held-out data.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default validation. The
    calibration is stored in a copy with `output`, in the model itself with `update`; with neither it is only measured.

    Options:
        model: Reward model with a reward.json: a folder, a run folder, or a Hub name; or a judge file.
        sources: Held-out preference data: files, folders, the output of `prepare` (its validation split is read),
            or synthetic:N (default: the validation data of the run).
        method: What to fit: temperature or isotonic (margins to probabilities), length (rewards without their trend
            in length); repeat the flag for length and one of the others.
        smoother: With --method length: how the mean reward by length is estimated, lowess or local-average.
        smoothing: With --method length: share of the responses in each local fit (lowess), or half-width of the
            window in units of length (local-average); default: chosen by 5-fold cross-validation by prompt.
        length_unit: With --method length: unit of length, tokens (of the response as it is scored) or characters.
        output: Output folder for a copy of the model with the calibration, or output file for a copy of the judge
            file.
        update: Store the calibration in the model itself; nothing else of it changes.
        overlap: Records that are in the training data of the model: refuse (an error), drop (exclude them) or keep.
        split: Split of prepared or synthetic data: train, validation, test (default: validation of prepared data,
            else all).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to calibrate on if the data has several, such as helpful or safe.
        seed: Random seed of the folds and the bootstrap.
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it is a model folder; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def compare(
    a: str | Path,
    b: str | Path,
    *,
    also: str | Path | Sequence[str | Path] = (),
    seeds: bool = False,
    seed: int = 0,
    calibrated: bool = False,
    output: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> CompareResult:
    """`rewardsmith compare`: a paired test between two evaluated runs.

    Options:
        a: Run folder, or the --output of evaluate.
        b: The other run or evaluation, on the same data.
        also: Further runs or evaluations on the same data; each pair of all of them is compared.
        seeds: Compare two recipes, each run with several seeds: runs that differ in the seed only are of one
            recipe.
        seed: Random seed of the permutation test.
        calibrated: Compare calibrated instead of raw rewards, from evaluations made with evaluate --calibrated.
        output: Output folder for comparison.html, comparison.md and comparison.json; default: none are written.
        overwrite: Replace an existing comparison.
    """

def compute_reward(
    rm: RewardModel | CritiqueModel,
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
    data: str | Sequence[str] = (),
    output: str | Path | None = None,
    measure: bool = True,
    time_limit: float = 120.0,
    overwrite: bool = False,
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> Diagnosis:
    """`rewardsmith diagnose`: the verdict on a run folder, and its report.

    Options:
        run: Output folder of train or evaluate, a JSON file with metrics such as train_loss, val_loss, val_acc, n,
            or, with --data, a model.
        data: Preference data to evaluate the model on first; the evaluation is written to --output.
        output: Output folder for report.html, report.md and report.json (default: the run folder, or that of the
            JSON file).
        measure: Measure causes if the model and its data can be opened: overlap of test and training data, rewards
            of the saved model, a fitted linear head, wrong labels, whether 100 pairs can be learned. Results are
            kept in measurements.json.
        time_limit: Seconds after which no further measurement is started.
        overwrite: Replace an existing report.
    """

def dpo(
    model: str | Path,
    pairs: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    max_length: int | None = None,
    thinking: bool | None = None,
    sft: float = 0.0,
    lr: float | None = None,
    lora: Lora | _LoraFields = ...,
    tokens_per_microbatch: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    trust_remote_code: bool = False,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    validation_share: float = 0.1,
    attribute: str = "overall",
    loss: Literal["sigmoid", "ipo", "robust", "hinge"] = "sigmoid",
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    length_normalized: bool = False,
    epochs: int = 1,
    max_steps: int | None = None,
    batch: int = 32,
    weight_decay: float = 0.0,
    warmup: float = 0.1,
    clip: float = 1.0,
    evals: int = 4,
    patience: int = 0,
    keep: int = 2,
    gradient_checkpointing: bool = False,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    seed: int = 0,
    kl_prompts: int = 32,
    kl_tokens: int = 128,
    strict: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> DpoResult:
    """`rewardsmith dpo`: train a language model on preference pairs; a DPO run with the model in its folder `model`.

    Options:
        max_length: Maximum number of tokens of prompt and response (default: 1024, or less if the model supports
            fewer).
        thinking: Whether a reasoning model's chat template asks for reasoning (enable_thinking); default: as the
            template has it.
        sft: Coefficient of the negative log likelihood per token of the preferred response, added to the loss.
        lr: Peak learning rate (default: 1e-6, with LoRA 2e-5).
        lora.r: Train a LoRA adapter of this rank and the head instead of all weights.
        lora.alpha: LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer
            blocks).
        lora.dropout: Dropout probability of the adapter's input.
        tokens_per_microbatch: Tokens per forward pass (default: measured in a short calibration if worthwhile, else
            by device).
        device: Device: auto, cpu, cuda, cuda:1, mps.
        threads: Number of CPU threads (default: all cores).
        trust_remote_code: Allow execution of code that comes with a Hub model.
        model: Language model to train: a folder, smollm2-135m, or a Hub name; as it is at the start, it is the
            reference.
        pairs: Preference data: files, folders, Hub names, what `pairs` wrote; rankings and several comparisons per
            prompt too.
        output: Output folder for the run; the trained model is in its folder model.
        validation: Validation data (default: --validation-share of the pairs, split by prompt).
        validation_share: Fraction of the prompts to validate on, below 1; 0 for none, and the weights of the last
            step are kept.
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to learn from if the data has several, such as helpful or safe.
        loss: Loss: sigmoid (DPO), ipo, robust (unbiased under wrong labels), or hinge (SLiC).
        beta: Factor of the log ratio between model and reference; larger values keep the model closer to the
            reference.
        label_smoothing: Probability that a label is wrong, below 0.5: sigmoid becomes conservative DPO, robust
            needs it.
        length_normalized: Divide log ratios by the number of the response's tokens (always done with --loss ipo).
        epochs: Number of passes over the training data.
        max_steps: Maximum number of optimizer steps (default: all epochs).
        batch: Number of records (prompts with their comparisons) per optimizer step.
        weight_decay: AdamW weight decay of weight matrices.
        warmup: Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0.
        clip: Maximum gradient norm for clipping (0 = no clipping).
        evals: Number of validation passes (and checkpoints) per epoch.
        patience: Stop after this many validation passes without a lower loss (0 = never).
        keep: Number of checkpoints to keep on disk for resuming.
        gradient_checkpointing: Recompute activations in the backward pass instead of storing them: less memory, but
            slower.
        dtype: Precision of the forward and backward pass: auto, fp32, bf16, fp16; weights stay in fp32.
        seed: Random seed of the split, the order of the records and the adapter.
        kl_prompts: Number of held-out prompts to estimate the KL divergence from the reference on, one sample each;
            0 for none.
        kl_tokens: Most tokens of such a sample.
        strict: Stop at the first invalid row.
        resume: Resume the run in --output from its latest valid checkpoint.
        overwrite: Replace the output of an earlier run of this command in --output; other files are never deleted.
    """

def ensemble(
    members: Sequence[str | Path],
    output: str | Path,
    *,
    combine: CombineSettings | _CombineSettingsFields | str = ...,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    attribute: str = "overall",
    device: str = "auto",
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> EnsembleResult:
    """`rewardsmith ensemble`: several reward models as one; `members` stay where they are.

    `combine` is the name of a rule, or a mapping: {"name": "mean-std", "std_weight": 2}.

    Options:
        members: Two or more reward models (folders, run folders, Hub names) that score the same tokens, or one with
            several heads.
        output: Output folder for the ensemble; the members stay where they are and are named in its ensemble.json.
        combine: Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus
            --lambda standard deviations (default: as stored with the ensemble).
        combine.std_weight: mean-std: number of standard deviations that are subtracted, also --lambda (default: 1).
        validation: Preference data to fit the members' scales and the temperature on (default: the validation split
            of the first member's run).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to fit on if the data has several, such as helpful or safe.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def evaluate(
    model: str | Path | RewardModel,
    sources: str | Path | Loaded | Table | Iterable[Any] = (),
    *,
    benchmark: str | None = None,
    split: str | None = None,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    calibrated: bool = False,
    attribute: str = "overall",
    combine: CombineSettings | _CombineSettingsFields | str = ...,
    output: str | Path | None = None,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> EvaluateResult:
    """`rewardsmith evaluate`: how good a reward model is on some data, with intervals and baselines.

    Of a mapping of splits (a DatasetDict) as `sources`, the one named by `split` is read, by default test. With
    `benchmark` the sources are its files, and may be left out where it is on the hub.

    Options:
        model: Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with
            checks of responses, or a judge file (YAML, kind: pointwise, pairwise or listwise).
        sources: Preference data: files, folders, the output of `prepare` (its test split is read), or synthetic:N;
            with --benchmark the files of the benchmark (default: its data sets on the Hub).
        benchmark: Score by the published rule of a benchmark: rewardbench, rewardbench-2, rm-bench, judgebench,
            rmb, llmbar, hhh, ppe, m-rewardbench, if-rewardbench, cheemsbench, long-rewardbench, processbench, hh,
            pku-saferlhf, shp, ultrafeedback, or custom.
        split: Split of prepared or synthetic data: train, validation, test (default: test for prepared data, else
            all data).
        validation: Data to fit the temperature and the length rule on (default: 5-fold cross-validation by prompt).
        calibrated: Compare raw and calibrated rewards, by the calibration stored in the model, with paired
            intervals.
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to evaluate on if the data has several, such as helpful or safe.
        combine: Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus
            --lambda standard deviations (default: as stored with the ensemble).
        combine.std_weight: mean-std: number of standard deviations that are subtracted, also --lambda (default: 1).
        output: Output folder for evaluation.json and comparisons.jsonl, which diagnose and compare read.
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Evaluate even if the probes (conversations stored with their rewards to check the model) no
            longer give the stored rewards; the verdict and the card then state it.
        strict: Stop at the first invalid row.
        overwrite: Replace the output of an earlier run of this command in --output; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def export(
    model: str | Path,
    output: str | Path,
    *,
    to: Literal["trl-value-head"] = "trl-value-head",
    base: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> ExportResult:
    """`rewardsmith export`: write a model in the layout of another program, its values compared first.

    Options:
        model: Reward model: a folder, a run folder, or a Hub name.
        output: Output folder for the exported model.
        to: Layout: trl-value-head, a language model with `v_head.summary` for critics (TRL, LLaMA-Factory).
        base: Folder of the language model that training started from, for its output layer (not needed if that is
            tied to the embeddings).
        overwrite: Replace --output if it exists.
    """

def find_learning_rate(
    model: str | Path,
    dataset: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    test: str | Path | Loaded | Table | Iterable[Any] = (),
    max_per_source: int | None = None,
    attribute: str = "overall",
    lr: float | None = None,
    epochs: int = 1,
    max_steps: int | None = None,
    batch: int = 16,
    max_length: int | None = None,
    reasoning: Literal["omit", "think"] | None = None,
    frac: float = 1.0,
    loss: LossSettings | _LossSettingsFields | str = ...,
    head: HeadSettings | _HeadSettingsFields | str = ...,
    critique: CritiqueTraining | _CritiqueTrainingFields = ...,
    noise: NoiseSettings | _NoiseSettingsFields | str = ...,
    head_start: Literal["random", "probe"] = "random",
    members: MembersSettings | _MembersSettingsFields | str = ...,
    bootstrap: bool = False,
    augment: Literal["other-prompt", "edit", "cut", "other-response"]
    | Sequence[Literal["other-prompt", "edit", "cut", "other-response"]] = (),
    augment_weight: float = 0.5,
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
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    device: str = "auto",
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None,
    deepspeed_config: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    split_seed: int | None = None,
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
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> RatesResult:
    """`rewardsmith tune --lr-only`: a learning rate from a range test; the model on disk is only read.

    Options:
        model: Model to start from: tiny, smollm2-135m, minilm-l6, e5-multilingual, a folder, or a Hub name
            ORG/NAME.
        dataset: Preference data: files, folders, the output of `prepare`, a Hub name, or synthetic:N; `a.jsonl:0.3`
            samples 30 %.
        output: Output folder of the run: model/, report.html, metrics.jsonl, checkpoints/.
        validation: Separate validation data (default: 10 % of the prompts of --dataset).
        test: Separate test data (default: 10 % of the prompts of --dataset).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        max_per_source: Maximum number of records per source of --dataset, sampled by hash.
        attribute: Attribute to train on if the data has several, such as helpful or safe.
        lr: Peak learning rate; linear warm-up, then cosine decay to 0 (default: full 5e-5, LoRA 2e-4, tiny 2e-3,
            head only 1e-3).
        epochs: Number of passes over the training data.
        max_steps: Maximum number of optimizer steps; the learning-rate schedule ends there too.
        batch: Records per optimizer step, over all micro-batches.
        max_length: Maximum length of a conversation in tokens (default: 1024, or the limit of the model).
        reasoning: Reasoning stored separately from a response: omit, or think to put it before the response in
            think tags (default: that of the model, or omit).
        frac: Fraction of the training records to use, above 0 and at most 1.
        loss: Loss function: bradley-terry, margin, scaled-margin, label-smoothing, soft-labels, rao-kupper,
            davidson, hinge, focal, focal-ranking, symmetric, ramp, unbiased, gce, plackett-luce, regression,
            uncertainty, contrastive, odin, attributes, helpful-cost, gaussian, quantile, pinball, inform or
            step-cross-entropy (see docs/losses.md).
        loss.center: Coefficient of the squared sum of the two rewards of a comparison, which keeps rewards near 0
            (default: 0).
        loss.margin_scale: margin, scaled-margin: factor of the margins of the data (default: 1).
        loss.smoothing: label-smoothing: probability that a label is wrong, below 0.5 (default: 0.1).
        loss.prior_votes: soft-labels: votes added to each side (default: 1; 0 takes the share of votes as it is).
        loss.tie_share: rao-kupper, davidson: probability of a tie between equal rewards (default: 1/3).
        loss.hinge_lead: hinge: lead of the preferred response from which on a comparison costs nothing (default:
            1).
        loss.gamma: focal, focal-ranking: exponent; larger values reduce the weight of comparisons already won
            (default: 2).
        loss.flip_rate: unbiased: share of labels that are flipped, below 0.5 (default: 0.1).
        loss.power: gce: exponent between bradley-terry (near 0) and symmetric (1) (default: 0.7).
        loss.top: plackett-luce: number of first places of a ranking to learn from (default: all).
        loss.members: uncertainty: number of heads, whose mean is the reward (default: 4).
        loss.strength: uncertainty: how much less a comparison counts on which the heads disagree (default: 1).
        loss.contrast: contrastive: coefficient of the contrastive term (default: 0.1).
        loss.temperature: contrastive: temperature of the similarities (default: 0.1).
        loss.view_dropout: contrastive: dropout that makes the two views of a response (default: 0.1).
        loss.length_weight: odin: coefficient of the correlations with length (default: 1).
        loss.orthogonal_weight: odin: coefficient of the similarity of the two heads (default: 1).
        loss.given_label: odin: 1 correlates differences of preferred and other response, which keeps quality that
            goes with length; 0, as in the paper, takes all responses (default: 0).
        loss.sign_weight: helpful-cost: coefficient of the term that makes the cost positive for unsafe responses
            (default: 1).
        loss.kl_weight: inform: coefficient of the KL divergence of the bottleneck (default: 0.001).
        loss.lm: Weight of the language-model loss on the preferred responses, a mean over their tokens; decoders
            only (default: 0).
        loss.lm_share: Share of the records whose text counts in each epoch, with --loss.lm (default: 1).
        loss.grm_sft: Weight of GRM's regulariser on the log likelihood of the preferred response, 0.01 in its
            paper; the loss itself is weighted with 1 minus it (default: 0).
        loss.grm_dpo: As --loss.grm-sft, for the difference of both responses' log likelihoods, without a reference
            model (default: 0).
        loss.grm_beta: Factor of the log likelihoods in GRM's regulariser (default: 0.1).
        head: Reward head: scalar, value, multi-objective, gated, helpful-cost, gaussian, quantile, odin, inform or
            process (see docs/heads.md), or cloud, which reads the reward behind a critique that the model writes
            first (see docs/cloud.md).
        head.attributes: multi-objective, gated: attributes to learn (default: all of the training data but
            --attribute).
        head.weights: multi-objective: weight of each attribute in the reward, for example helpfulness=1
            verbosity=-0.2 (default: fitted on the validation comparisons of --attribute, else equal).
        head.hidden: gated: hidden units of the gate that weighs the attributes by prompt (default: 1024).
        head.gate_steps: gated: steps in which the gate is fitted once the attributes have been learned (default:
            2000).
        head.penalize: gated: attribute that is subtracted from the others until they no longer follow it, for
            example verbosity (default: none).
        head.levels: quantile: number of quantiles (default: 9).
        head.latent: inform: dimensions of the bottleneck (default: 32).
        head.aggregate: process: how one reward is made of the probabilities of a solution's steps: min, product or
            last (default: min).
        critique.source: cloud: critiques that the reward is trained behind: self (written by the model after stage
            1) or given (those of the data).
        critique.lm_weight: cloud: weight of the language-model loss on the critiques beside the loss on rewards, in
            stage 2.
        critique.sft_epochs: cloud: passes over the given critiques in stage 1; 0 skips it, for a model that writes
            critiques already.
        critique.sft_lr: cloud: peak learning rate of stage 1 (default: --lr).
        critique.tokens: cloud: maximum length of a critique in tokens; prompt and response have the rest of
            --max-length.
        critique.samples: cloud: critiques per response of the finished model, whose rewards are averaged
            (self-consistency).
        critique.sampling_temperature: cloud: sampling temperature of critiques (default: 0, the likeliest token; 1
            with several samples).
        critique.language: cloud: language of the question that asks for a critique: en, zh, or auto (that of the
            conversation).
        noise: Training against wrong labels: none, or crm (collaborative reward modelling: two models, each trains
            on the comparisons that the other fits best, and the better one on validation is saved; twice the
            memory, three times the time).
        noise.rate: crm: share of each step's comparisons that is filtered out in the end, about that of wrong
            labels (default: 0.3).
        noise.ramp: crm: fraction of the run over which that share is reached, from 0 (default: 0.3).
        noise.curriculum: crm: 1 to order every epoch but the first from easy records to hard ones, 0 to shuffle
            (default: 0).
        head_start: Initialisation of a new head: random, or probe (a linear probe: the head is first fitted on the
            features of the untrained model).
        members: Number of members to train as an ensemble, each with its own seed; their disagreement is stored
            (see docs/ensembles.md).
        members.kind: What a member is: heads (on one backbone), lora (LoRA adapters on one backbone) or runs (whole
            models) (default: heads with --freeze-layers -1, lora with --lora.r, else runs).
        bootstrap: Train on a bootstrap sample of the prompts, drawn with --seed; with --members each member on its
            own (heads are in any case).
        augment: Add training comparisons whose label is known: other-prompt and edit (ties), cut and other-response
            (a response made worse); repeat the flag for several.
        augment_weight: With --augment: weight of an added comparison, that of one from the data being 1.
        merge_prompts: Join rows with the same prompt into one ranking, so that each text is processed once.
        layers: Keep only the first N layers of the model.
        question: Question appended to every response, for example "How good is this answer?"; a new head reads the
            hidden state after it.
        read_layers: Layers that a new head reads, for example 12 15 18 (default: the last layer); layers above the
            highest one are removed.
        pooling: Pooling of each layer for a new head: last (last token), mean (mean over the response), or both
            (default: that of the model).
        freeze_layers: Freeze the embeddings and the first N layers; -1 trains the head only.
        n_layer: Number of layers of the tiny model.
        n_head: Number of attention heads of the tiny model.
        n_embd: Hidden size of the tiny model.
        block_size: Maximum sequence length of the tiny model in bytes (default: 256, or --max-length if that is
            longer, up to 2048).
        lora.r: Train a LoRA adapter of this rank and the head instead of all weights.
        lora.alpha: LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer
            blocks).
        lora.dropout: Dropout probability of the adapter's input.
        quantize: Quantise the frozen weights under a LoRA adapter to 4 or 8 bits (QLoRA).
        gradient_checkpointing: Recompute activations in the backward pass instead of storing them: less memory, but
            slower.
        activation_offload: Keep activations in host memory until the backward pass needs them: less GPU memory, but
            slower.
        weight_decay: AdamW weight decay of weight matrices.
        warmup: Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0.
        clip: Maximum gradient norm for clipping (0 = no clipping).
        dropout: Dropout probability before the reward head.
        evals: Number of validation passes (and checkpoints) per epoch.
        patience: Stop after this many validation passes without a lower loss (0 = never).
        keep: Number of checkpoints to keep on disk for resuming.
        split_by: Field to split by instead of the prompt, for example topic.
        test_groups: With --split-by: number of groups to hold out for the test; a share of the others is used for
            validation.
        tokens_per_microbatch: Tokens per forward pass (default: measured in a short calibration if worthwhile, else
            by device).
        dtype: Precision of the backbone: auto, fp32, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        parallel: Under torchrun or accelerate: ddp replicates the model in every process (default), fsdp and
            deepspeed shard it.
        deepspeed_config: With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload
            (default: zero2).
        threads: Number of CPU threads (default: all cores).
        seed: Random seed of the head, the order of the records, dropout and the split.
        split_seed: Random seed of the split alone, so that runs with different seeds are tested on the same prompts
            (default: --seed).
        report: Evaluate on the test split after training and write the report.
        track: Trackers that record the run: tensorboard, mlflow, wandb, trackio, swanlab (several allowed).
        track_project: Project or experiment in the trackers (default: rewardsmith).
        run_name: Name of the run in the trackers (default: the name of --output).
        track_uri: Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder).
        strict: Stop at the first invalid row.
        resume: Resume the run in --output from its latest valid checkpoint.
        overwrite: Replace the output of an earlier run of this command in --output; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
        push_to_hub: Upload the finished model to the Hub as ORG/NAME; private unless --push-public is given.
        push_public: With --push-to-hub: make the repository public.
    """

@overload
def generate(
    model: str | Path,
    source: str | Path | Loaded | Table | Iterable[Any],
    output: None = None,
    *,
    n: int = 1,
    max_tokens: int = 512,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
    system: str | None = None,
    thinking: bool | None = None,
    max_rows: int | None = None,
    batch: int = 32,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    trust_remote_code: bool = False,
    api_model: str | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    requests_per_minute: float | None = None,
    timeout: float = 300.0,
    retries: int = 5,
    logprobs: bool = False,
    price_in: float | None = None,
    price_out: float | None = None,
    cache: str | Path | None = None,
    strict: bool = False,
    overwrite: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> list[dict[str, Any]]:
    """`rewardsmith generate`: N responses per prompt, from a local language model or an OpenAI-compatible API.

    Without `output`, returns the rows, as the lines of the file would be, in the order of the source.

    Options:
        model: Language model: a folder, smollm2-135m, a Hub name, or the address of an OpenAI-compatible API
            (http://HOST/v1).
        source: File or folder with prompts: a column prompt, question or instruction, messages that end with the
            user, plain text, or any preference data, of which the prompts are taken.
        output: Output file in JSON Lines: each prompt with its responses, as score, evaluate and prepare read it.
        n: Number of responses per prompt.
        max_tokens: Most tokens of a response, reasoning included.
        temperature: Sampling temperature; 0 takes the likeliest token (greedy decoding).
        top_p: Nucleus sampling: the smallest set of tokens with this probability; 1 keeps all.
        top_k: Sample from the k likeliest tokens; 0 keeps all.
        seed: Random seed; a sample depends on it, on the prompt and on its number only.
        system: System prompt for conversations that have none.
        thinking: Ask a reasoning model's chat template for reasoning or for none (enable_thinking); default: as the
            template has it.
        map: Column mapping, for example prompt=task.text.
        max_rows: Maximum number of rows to read; default: all.
        batch: Local model: number of responses generated together.
        dtype: Local model: precision of the weights: fp32, auto, bf16, fp16.
        device: Local model: auto, cpu, cuda, cuda:1, mps.
        trust_remote_code: Allow execution of code that comes with a Hub model.
        api_model: API: name of the model to ask for.
        api_key_env: API: environment variable with the key, which is never stored or shown; without one, no key is
            sent.
        concurrency: API: most requests under way at a time.
        requests_per_minute: API: most requests started per minute; default: no limit.
        timeout: API: seconds until a request is given up, over the whole response.
        retries: API: further attempts after a failure that may pass (429, 5xx, time-out, damaged response).
        logprobs: API: ask for the log-probabilities of the generated tokens.
        price_in: API: price of a million prompt tokens, to report the cost.
        price_out: API: price of a million generated tokens, to report the cost.
        cache: File that keeps all candidates for later runs; default: one beside --output, removed when the output
            is complete.
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
    """

@overload
def generate(
    model: str | Path,
    source: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    n: int = 1,
    max_tokens: int = 512,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
    system: str | None = None,
    thinking: bool | None = None,
    max_rows: int | None = None,
    batch: int = 32,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    trust_remote_code: bool = False,
    api_model: str | None = None,
    api_key_env: str = "OPENAI_API_KEY",
    concurrency: int = 8,
    requests_per_minute: float | None = None,
    timeout: float = 300.0,
    retries: int = 5,
    logprobs: bool = False,
    price_in: float | None = None,
    price_out: float | None = None,
    cache: str | Path | None = None,
    strict: bool = False,
    overwrite: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> GenerateResult:
    """`rewardsmith generate`: N responses per prompt, from a local language model or an OpenAI-compatible API.

    Without `output`, returns the rows, as the lines of the file would be, in the order of the source.

    Options:
        model: Language model: a folder, smollm2-135m, a Hub name, or the address of an OpenAI-compatible API
            (http://HOST/v1).
        source: File or folder with prompts: a column prompt, question or instruction, messages that end with the
            user, plain text, or any preference data, of which the prompts are taken.
        output: Output file in JSON Lines: each prompt with its responses, as score, evaluate and prepare read it.
        n: Number of responses per prompt.
        max_tokens: Most tokens of a response, reasoning included.
        temperature: Sampling temperature; 0 takes the likeliest token (greedy decoding).
        top_p: Nucleus sampling: the smallest set of tokens with this probability; 1 keeps all.
        top_k: Sample from the k likeliest tokens; 0 keeps all.
        seed: Random seed; a sample depends on it, on the prompt and on its number only.
        system: System prompt for conversations that have none.
        thinking: Ask a reasoning model's chat template for reasoning or for none (enable_thinking); default: as the
            template has it.
        map: Column mapping, for example prompt=task.text.
        max_rows: Maximum number of rows to read; default: all.
        batch: Local model: number of responses generated together.
        dtype: Local model: precision of the weights: fp32, auto, bf16, fp16.
        device: Local model: auto, cpu, cuda, cuda:1, mps.
        trust_remote_code: Allow execution of code that comes with a Hub model.
        api_model: API: name of the model to ask for.
        api_key_env: API: environment variable with the key, which is never stored or shown; without one, no key is
            sent.
        concurrency: API: most requests under way at a time.
        requests_per_minute: API: most requests started per minute; default: no limit.
        timeout: API: seconds until a request is given up, over the whole response.
        retries: API: further attempts after a failure that may pass (429, 5xx, time-out, damaged response).
        logprobs: API: ask for the log-probabilities of the generated tokens.
        price_in: API: price of a million prompt tokens, to report the cost.
        price_out: API: price of a million generated tokens, to report the cost.
        cache: File that keeps all candidates for later runs; default: one beside --output, removed when the output
            is complete.
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
    """

def judge(
    judge: str | Path,
    sources: str | Path | Loaded | Table | Iterable[Any],
    *,
    output: str | Path | None = None,
    label: bool = False,
    tie: float = 0.0,
    show: int = 2,
    max_records: int | None = None,
    attribute: str = "overall",
    cache: str | Path | None = None,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> JudgeResult:
    """`rewardsmith judge`: what a language model says of responses, how consistent and how right it is, and preference data.

    `judge` is a judge file. With `output` each record is written with all answers, with `label` as preference data.

    Options:
        judge: Judge file (YAML, kind: pointwise, pairwise or listwise): which language model is asked what, and how
            it is read.
        sources: Preference data, candidates or rankings: files, folders, or synthetic:N.
        output: Output file in JSON Lines: each record with all judgements; with --label preference data.
        label: Write --output as preference data: the judge's preference for each pair of responses, weighted by its
            certainty.
        tie: With --label: certainty (2P - 1, P the judge's probability for the better response) up to which a pair
            is a tie.
        show: Number of records whose judgements are printed.
        max_records: Maximum number of records to judge, chosen by content; default: all.
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to compare with if the data has several, such as helpful or safe.
        cache: File that keeps all judgements for later runs (default: that of the judge file, else one beside the
            models).
        dtype: Local model: precision of the weights: fp32, auto, bf16, fp16.
        device: Local model: auto, cpu, cuda, cuda:1, mps.
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def learning_curve(
    run: str | Path,
    *,
    fractions: float | Sequence[float] = (0.0625, 0.125, 0.25, 0.5, 1.0),
    seeds: int = 3,
    factors: float | Sequence[float] = (2.0, 4.0),
    bound: float = 0.01,
    output: str | Path | None = None,
    keep_models: bool = False,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> LearningCurveResult:
    """`rewardsmith learning-curve`: what more training data would give; trains runs on fractions of the data of `run`.

    `curve` of the result is what learning_curve.json holds. A second call with the same settings continues.

    Options:
        run: Finished run of train; its settings are used for all runs, and it is the one on all records with its
            seed.
        fractions: Fractions of the run's training records to train on, smaller ones contained in larger ones; 1 is
            added if missing.
        seeds: Number of seeds per fraction, counted up from that of the run.
        factors: Extrapolate to this many times the records of the run, above 1 and at most 4.
        bound: Smallest gain in accuracy that matters; more data is ruled out if the whole 95 % interval of its gain
            is below it.
        output: Output folder of the runs (default: RUN-learning-curve beside the run); a second start continues
            there.
        keep_models: Keep models and checkpoints of the runs, which the curve does not need.
        seed: Random seed of the bootstrap.
        overwrite: Start again and replace the curve in --output; other files are never deleted.
    """

def load(
    *sources: Any,
    strict: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> Loaded:
    """Records and quarantined rows of files, folders, data sets, data frames or lists of rows.

    `map` names columns: {"prompt": "instruction"}, or texts as on the command line, "prompt=instruction".
    """

def load_reward_model(path: str | Path, *, device: str = "auto") -> RewardModel:
    """Open a reward model for scoring: a run folder, its model folder, or a hub name.

    One that was trained with `head="cloud"` is opened by `CritiqueModel.load`.
    """

def merge(
    members: Sequence[str | Path],
    output: str | Path,
    *,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    attribute: str = "overall",
    device: str = "auto",
    overwrite: bool = False,
    trust_remote_code: bool = False,
    data: str | Path | Loaded | Table | Iterable[Any] = (),
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> MergeResult:
    """`rewardsmith merge`: one model with the average weights of `members`, measured beside them on `data`.

    Options:
        members: Two or more reward models of one shape, trained from one backbone: folders, run folders, Hub names.
        output: Output folder for the averaged model.
        data: Held-out preference data to measure the average and its members on (default: the test split of the
            first member's run).
        validation: Preference data to fit the temperature on (default: the validation split of the first member's
            run).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        attribute: Attribute to measure on if the data has several, such as helpful or safe.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def monitor(
    log: str | Path | Sequence[Mapping[str, Any]],
    *,
    reference: str | Sequence[str] = (),
    false_alarms: float = 0.05,
    fail: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> MonitorResult:
    """`rewardsmith monitor`: an alarm for reward hacking from the log of a run.

    `log` is a file, or rows as a training loop has them (a callback may pass `trainer.state.log_history`). `map` names
    the columns of signals: {"kl": "objective/kl"}.

    Options:
        log: Log of a run: JSON Lines of policy-bench, TRL, verl or OpenRLHF, a CSV export of W&B, or a
            trainer_state.json.
        map: Column of a signal, for example kl=objective/kl; signals: reward, reward_std, kl (nats per response),
            length, entropy, agreement, disagreement, beyond, distance, length_correlation.
        reference: Log of a run known to be healthy; repeat the flag for several. The threshold is then taken from
            these logs.
        false_alarms: With --reference: share of healthy runs in which an alarm is accepted; 0.05 needs 19 logs.
        fail: End with exit code 1 if there is an alarm.
    """

def pairs(
    source: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    model: str | None = None,
    column: str = "rewards",
    select: Literal["best-worst", "all"] = "best-worst",
    margin: float = 0.0,
    per_prompt: int | None = None,
    length_control: float = 0.0,
    length_ratio: float | None = None,
    require: str | Sequence[str] = (),
    violations: Literal["keep", "lose", "drop"] = "keep",
    truncated: Literal["reject", "keep", "drop"] = "reject",
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> PairsResult:
    """`rewardsmith pairs`: write preference pairs chosen among scored candidates, which `train` and `dpo` read.

    Options:
        source: Candidates: rows with several responses, from `generate` or `score`, or any data with rated
            responses.
        output: Output file in JSON Lines: each prompt with the responses of its pairs, as train, dpo and prepare
            read it.
        model: What scores the candidates: a reward model, an ensemble, a rewards file, or a judge file (default:
            the rewards in --column).
        column: Column, field or rating with one reward per response, where no --model scores them.
        select: Which pairs: best-worst (one per prompt), or all that have a lead of more than --margin.
        margin: A pair needs a lead of more than this in reward; equal rewards never make a pair.
        per_prompt: Most pairs per prompt, those with the largest leads first (default: no limit).
        length_control: Best-worst: share of the range of rewards, below 1, within which the shortest response is
            chosen and the longest one rejected, against a bias to length.
        length_ratio: Only pairs whose longer response has at most so many times the characters of the shorter one.
        require: Condition on every chosen response, for example cost<0 or safe>=0.5; repeat for several.
        violations: What becomes of responses that violate a --require: keep (they can only be rejected), lose
            (against every response that satisfies it, whatever the rewards), or drop.
        truncated: Responses that ended at a limit of tokens: reject (they can only be rejected), keep (as others),
            or drop.
        map: Column mapping, for example prompt=task.text.
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def policy_bench(
    output: str | Path,
    model: str | Path | RewardModel | None = None,
    *,
    language: Literal["en", "zh"] = "en",
    algorithm: Literal["grpo", "ppo", "rloo"] = "grpo",
    objective: Literal["single", "ensemble", "constrained"]
    | Sequence[Literal["single", "ensemble", "constrained"]] = (),
    std_weight: float = 1.0,
    cost: Literal["novelty", "length"] = "novelty",
    cost_limit: float | None = None,
    seeds: int = 3,
    seed: int = 0,
    steps: int = 60,
    prompts: int = 32,
    responses: int = 4,
    lr: float = 0.003,
    kl: float = 0.05,
    clip: float = 0.2,
    epochs: int = 1,
    preferences: int = 300,
    members: int = 4,
    scrambled: float = 0.0,
    padded: float = 0.0,
    flipped: float = 0.1,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    overwrite: bool = False,
    trust_remote_code: bool = False,
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> PolicyBenchResult:
    """`rewardsmith policy-bench`: tiny policies optimised against a reward model where the gold reward is known.

    Without `model` the bench trains small reward models of its own. The logs and the page are written to `output`.

    Options:
        model: Reward model to test: a folder, a run folder, an ensemble, a Hub name or a rewards file (default:
            small reward models that the bench trains itself).
        output: Output folder: report.html, policy_bench.json and runs/*.jsonl, a line per step.
        language: Language of the task: orders from the synthetic data, whose gold reward is known.
        algorithm: How the policy learns: grpo, ppo or rloo.
        objective: What it is rewarded with; repeat the flag for several (default: all that apply): single (the
            first member of the reward model), ensemble (mean of the members less --std-weight standard deviations),
            constrained (the mean, with a Lagrange multiplier that limits the cost).
        std_weight: With ensemble: how many standard deviations of the members are subtracted from their mean.
        cost: With constrained: novelty (share of three-phrase sequences that the training texts do not have) or
            length (phrases beyond those of the longest response that says no more than it has to).
        cost_limit: With constrained: highest mean cost (default: 0.05 for novelty, 1 for length).
        seeds: Number of runs per objective, each with its own seed.
        seed: First seed.
        steps: Steps of a run.
        prompts: Prompts per step.
        responses: Responses per prompt.
        lr: Learning rate of the policy (Adam).
        kl: Coefficient of the KL penalty: per token and in the loss for grpo, in the reward for ppo and rloo.
        clip: Range within which the ratio of probabilities counts: 1 - clip to 1 + clip.
        epochs: Passes over the responses of a step.
        preferences: Own reward models: number of prompts they learn from, two responses each.
        members: Own reward models: number of members, each on its own bootstrap sample.
        scrambled: Own reward models: share of further training responses that no sentence looks like, relative to
            --preferences.
        padded: Own reward models: share of prompts whose preferred response is padded, a shortcut to length.
        flipped: Own reward models: share of prompts with wrong labels.
        dtype: Precision of MODEL: fp32, auto, bf16, fp16.
        device: Device of MODEL: auto, cpu, cuda, cuda:1, mps.
        overwrite: Replace an earlier bench in the output folder.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def prepare(
    sources: str | Path | Loaded | Table | Iterable[Any],
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
    label_model: str | Path = "auto",
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
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> PrepareResult:
    """`rewardsmith prepare`: check, split and write. Of several splits in `sources`, all rows are split anew.

    Options:
        min_chars: Minimum number of characters of a response; default: no limit.
        max_chars: Maximum number of characters of a response; default: no limit.
        min_words: Minimum number of words of a response (a Chinese or Japanese character counts as a word);
            default: no limit.
        max_words: Maximum number of words of a response (a Chinese or Japanese character counts as a word);
            default: no limit.
        max_similarity: Maximum edit similarity (0.7 to 1) of compared responses.
        max_repetition: Maximum share (0 to 1) of repeated word 4-grams in a response.
        max_compression: Maximum zlib compression ratio of a response of 200 bytes or more.
        min_agreement: Minimum annotator agreement (0 to 1).
        min_votes: Minimum number of votes of a comparison, if the data has votes.
        languages: Allowed language of responses, such as zh, en, ja or other; repeat the flag for several; default:
            all.
        label_noise: How to handle labels of the train split that are probably wrong: off, report, soften (replace
            by the expected label), drop, flip.
        label_model: Model whose frozen features --label-noise uses: auto (an installed one, if it takes about a
            minute), off, or a name.
        margins: Rewards of a model for the same rows, as written by rewardsmith score; repeat the flag for several
            models.
        sources: Files, folders or Hub names (owner/name:config:split) to read; `a.jsonl:0.3` samples 30 % of the
            records.
        output: Output folder for train.jsonl, validation.jsonl, test.jsonl and the reports.
        seed: Random seed of the split and of sampling; the split of a row depends only on the seed and its prompt.
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        max_per_source: Maximum number of records per source, sampled by hash; default: all.
        fractions: Shares of the prompts for train, validation and test; they sum to 1, and 0 omits a split.
        split_by: Field whose values never appear in more than one split, such as topic, or near-prompt; default:
            the prompt of the conversation.
        test_groups: Number of values of --split-by to hold out as the test split; a share of the remaining values
            is used for validation.
        max_rows: Maximum number of rows to read; default: all.
        strict: Stop at the first invalid row instead of quarantining it.
        overwrite: Replace the contents of the output folder.
        keep_duplicates: Keep exact duplicates of earlier rows.
        remove: Check whose rows are removed, such as refusal or near_duplicate; repeat the flag for several;
            default: report only.
        repair: Repair encoding damage where no bytes were lost; default: report only.
        signals: Output folder of an earlier run on the same sources; its measurements are reused, for example to
            try other thresholds.
        near_threshold: Minimum similarity of near-duplicate rows and prompts, 0.7 to 1; 0 disables the search.
        decontaminate: Benchmark files; rows that contain one of their texts are removed and listed in
            contamination.jsonl.
        overlap: Share of the 13-grams (words or Chinese characters) of a benchmark text from which a row is
            contaminated.
        workers: Number of worker processes; default: one per core, or none for a few thousand rows.
        engine: Where rows are processed: local (this machine), or ray (Ray Data, on the cluster at RAY_ADDRESS).
    """

@overload
def score(
    model: str | Path | RewardModel,
    source: str | Path | Loaded | Table | Iterable[Any],
    output: None = None,
    *,
    best_of: bool = False,
    per_token: bool = False,
    calibrated: bool = False,
    combine: CombineSettings | _CombineSettingsFields | str = ...,
    tokens_per_batch: int | None = None,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> list[dict[str, Any]]:
    """`rewardsmith score`: rewards for pairs, rankings or single responses.

    Without `output`, returns each row with its `rewards`, as the lines of the file would be, in the order of the source.

    Options:
        model: Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with
            checks of responses, or a judge file (YAML, kind: pointwise, pairwise or listwise).
        source: File, folder or synthetic:N to score.
        output: Output file, in Parquet where its name ends in .parquet, else in JSON Lines: each input row with its
            `rewards`, one per response, in the order of the row.
        map: Column mapping, for example prompt=instruction; the output keeps the original names.
        best_of: Add `best`, the index of the response with the highest reward.
        per_token: Add `per_token`: for each response the ids and texts of its tokens and the value at each, as a
            critic gives them.
        calibrated: Add `calibrated_rewards` and `p_better` (probability of being better than another response of
            the row), by the calibration stored in the model.
        combine: Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus
            --lambda standard deviations (default: as stored with the ensemble).
        combine.std_weight: mean-std: number of standard deviations that are subtracted, also --lambda (default: 1).
        tokens_per_batch: Tokens per forward pass (default by device).
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Score even if the probes (conversations stored with their rewards to check the model) no
            longer give the stored rewards; every row is then marked `mismatch`.
        engine: Where rows are scored: local (this process) or ray (the workers of a Ray session).
        workers: With --engine ray: number of CPUs of a locally started session (default: one per core).
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

@overload
def score(
    model: str | Path | RewardModel,
    source: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    best_of: bool = False,
    per_token: bool = False,
    calibrated: bool = False,
    combine: CombineSettings | _CombineSettingsFields | str = ...,
    tokens_per_batch: int | None = None,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
    device: str = "auto",
    allow_mismatch: bool = False,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    strict: bool = False,
    overwrite: bool = False,
    trust_remote_code: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> ScoreResult:
    """`rewardsmith score`: rewards for pairs, rankings or single responses.

    Without `output`, returns each row with its `rewards`, as the lines of the file would be, in the order of the source.

    Options:
        model: Reward model: a folder, a run folder, or a Hub name; or a rewards file (YAML, kind: verifiable) with
            checks of responses, or a judge file (YAML, kind: pointwise, pairwise or listwise).
        source: File, folder or synthetic:N to score.
        output: Output file, in Parquet where its name ends in .parquet, else in JSON Lines: each input row with its
            `rewards`, one per response, in the order of the row.
        map: Column mapping, for example prompt=instruction; the output keeps the original names.
        best_of: Add `best`, the index of the response with the highest reward.
        per_token: Add `per_token`: for each response the ids and texts of its tokens and the value at each, as a
            critic gives them.
        calibrated: Add `calibrated_rewards` and `p_better` (probability of being better than another response of
            the row), by the calibration stored in the model.
        combine: Reward of an ensemble from those of its members: mean, min, median, or mean-std, the mean minus
            --lambda standard deviations (default: as stored with the ensemble).
        combine.std_weight: mean-std: number of standard deviations that are subtracted, also --lambda (default: 1).
        tokens_per_batch: Tokens per forward pass (default by device).
        dtype: Precision of the backbone: fp32, auto, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        allow_mismatch: Score even if the probes (conversations stored with their rewards to check the model) no
            longer give the stored rewards; every row is then marked `mismatch`.
        engine: Where rows are scored: local (this process) or ray (the workers of a Ray session).
        workers: With --engine ray: number of CPUs of a locally started session (default: one per core).
        strict: Stop at the first invalid row.
        overwrite: Replace --output if it exists.
        trust_remote_code: Allow execution of code that comes with a Hub model.
    """

def self_reward(
    model: str | Path,
    prompts: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    max_length: int | None = None,
    thinking: bool | None = None,
    sft: float = 0.0,
    lr: float | None = None,
    lora: Lora | _LoraFields = ...,
    tokens_per_microbatch: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    trust_remote_code: bool = False,
    rewards: str = "self",
    variant: Literal["plain", "cream", "temporal"] = "plain",
    iterations: int = 2,
    independent: str | None = None,
    labelled: str | Sequence[str] = (),
    eval_prompts: str | None = None,
    eval_share: float = 0.1,
    eval_samples: int = 1,
    prompts_per_iteration: int | None = None,
    n: int = 4,
    max_tokens: int = 256,
    temperature: float = 1.0,
    top_p: float = 1.0,
    system: str | None = None,
    generation_batch: int = 32,
    margin: float = 0.0,
    length_control: float = 0.0,
    length_ratio: float | None = None,
    beta: float = 0.1,
    epochs: int = 1,
    batch: int = 32,
    min_pairs: int = 8,
    max_kl: float | None = None,
    stop_worse: bool = True,
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> SelfRewardResult:
    """`rewardsmith self-reward`: iterations of generating, scoring, pairing and training, and their ledger.

    Options:
        max_length: Maximum number of tokens of prompt and response (default: 1024, or less if the model supports
            fewer).
        thinking: Whether a reasoning model's chat template asks for reasoning (enable_thinking); default: as the
            template has it.
        sft: Coefficient of the negative log likelihood per token of the preferred response, added to the loss.
        lr: Peak learning rate (default: 1e-6, with LoRA 2e-5).
        lora.r: Train a LoRA adapter of this rank and the head instead of all weights.
        lora.alpha: LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer
            blocks).
        lora.dropout: Dropout probability of the adapter's input.
        tokens_per_microbatch: Tokens per forward pass (default: measured in a short calibration if worthwhile, else
            by device).
        device: Device: auto, cpu, cuda, cuda:1, mps.
        threads: Number of CPU threads (default: all cores).
        trust_remote_code: Allow execution of code that comes with a Hub model.
        model: Language model to begin with: a folder, smollm2-135m, or a Hub name.
        prompts: Prompts to respond to, as generate reads them; their other columns, such as the gold result, are
            kept.
        output: Output folder: ledger.jsonl, report.html, the models of all iterations, and the last good one in
            model.
        rewards: What scores the candidates: self (how much likelier training has made them), a reward model, an
            ensemble, a rewards file, or a judge file.
        variant: plain; cream (labels smoothed by how inconsistently two iterations rank, needs --rewards self);
            temporal (rejected from the first model, chosen also from the next one, two trainings per iteration).
        iterations: Number of iterations, each with a model of its own.
        independent: Reward that does not train: the win rate of each model over the first one is measured by it.
        labelled: Preference data on which the accuracy of --rewards is measured in every iteration.
        eval_prompts: Prompts to measure the models on (default: --eval-share of the prompts).
        eval_share: Fraction of the prompts to measure on instead of training on.
        eval_samples: Samples per prompt to measure on, at temperature 1.
        prompts_per_iteration: Number of prompts of one iteration, each prompt in one iteration only (default: all
            prompts in every iteration).
        map: Column mapping, for example prompt=task.text.
        n: Number of candidates per prompt.
        max_tokens: Most tokens of a candidate, reasoning included.
        temperature: Sampling temperature of the candidates.
        top_p: Nucleus sampling: the smallest set of tokens with this probability; 1 keeps all.
        system: System prompt for conversations that have none.
        generation_batch: Number of responses generated together.
        margin: A pair needs a lead of more than this in reward; equal rewards never make a pair.
        length_control: Share of the range of rewards, below 1, within which the shortest response is chosen and the
            longest one rejected, against a bias to length.
        length_ratio: Only pairs whose longer response has at most so many times the characters of the shorter one.
        beta: Factor of the log ratio between model and reference (the model before the iteration).
        epochs: Number of passes over the pairs of an iteration.
        batch: Number of prompts per optimizer step.
        min_pairs: Stop where an iteration has fewer pairs.
        max_kl: Stop where the divergence from the first model exceeds this, in nats per response (default: no
            limit).
        stop_worse: Stop where the independent reward shows a model to be worse than the first one.
        dtype: Precision of training: auto, fp32, bf16, fp16; responses are generated in fp32.
        seed: Random seed of samples, splits and training.
        resume: Continue the loop in --output where it was stopped.
        overwrite: Replace the output of an earlier run of this command in --output; other files are never deleted.
    """

def train(
    model: str | Path,
    dataset: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    test: str | Path | Loaded | Table | Iterable[Any] = (),
    max_per_source: int | None = None,
    attribute: str = "overall",
    lr: float | None = None,
    epochs: int = 1,
    max_steps: int | None = None,
    batch: int = 16,
    max_length: int | None = None,
    reasoning: Literal["omit", "think"] | None = None,
    frac: float = 1.0,
    loss: LossSettings | _LossSettingsFields | str = ...,
    head: HeadSettings | _HeadSettingsFields | str = ...,
    critique: CritiqueTraining | _CritiqueTrainingFields = ...,
    noise: NoiseSettings | _NoiseSettingsFields | str = ...,
    head_start: Literal["random", "probe"] = "random",
    members: MembersSettings | _MembersSettingsFields | str = ...,
    bootstrap: bool = False,
    augment: Literal["other-prompt", "edit", "cut", "other-response"]
    | Sequence[Literal["other-prompt", "edit", "cut", "other-response"]] = (),
    augment_weight: float = 0.5,
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
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    device: str = "auto",
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None,
    deepspeed_config: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    split_seed: int | None = None,
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
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> TrainResult:
    """`rewardsmith train`: train a reward model, evaluate and diagnose it.

    A mapping of splits (a DatasetDict) as `dataset` brings its train, validation and test splits.

    Options:
        model: Model to start from: tiny, smollm2-135m, minilm-l6, e5-multilingual, a folder, or a Hub name
            ORG/NAME.
        dataset: Preference data: files, folders, the output of `prepare`, a Hub name, or synthetic:N; `a.jsonl:0.3`
            samples 30 %.
        output: Output folder of the run: model/, report.html, metrics.jsonl, checkpoints/.
        validation: Separate validation data (default: 10 % of the prompts of --dataset).
        test: Separate test data (default: 10 % of the prompts of --dataset).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        max_per_source: Maximum number of records per source of --dataset, sampled by hash.
        attribute: Attribute to train on if the data has several, such as helpful or safe.
        lr: Peak learning rate; linear warm-up, then cosine decay to 0 (default: full 5e-5, LoRA 2e-4, tiny 2e-3,
            head only 1e-3).
        epochs: Number of passes over the training data.
        max_steps: Maximum number of optimizer steps; the learning-rate schedule ends there too.
        batch: Records per optimizer step, over all micro-batches.
        max_length: Maximum length of a conversation in tokens (default: 1024, or the limit of the model).
        reasoning: Reasoning stored separately from a response: omit, or think to put it before the response in
            think tags (default: that of the model, or omit).
        frac: Fraction of the training records to use, above 0 and at most 1.
        loss: Loss function: bradley-terry, margin, scaled-margin, label-smoothing, soft-labels, rao-kupper,
            davidson, hinge, focal, focal-ranking, symmetric, ramp, unbiased, gce, plackett-luce, regression,
            uncertainty, contrastive, odin, attributes, helpful-cost, gaussian, quantile, pinball, inform or
            step-cross-entropy (see docs/losses.md).
        loss.center: Coefficient of the squared sum of the two rewards of a comparison, which keeps rewards near 0
            (default: 0).
        loss.margin_scale: margin, scaled-margin: factor of the margins of the data (default: 1).
        loss.smoothing: label-smoothing: probability that a label is wrong, below 0.5 (default: 0.1).
        loss.prior_votes: soft-labels: votes added to each side (default: 1; 0 takes the share of votes as it is).
        loss.tie_share: rao-kupper, davidson: probability of a tie between equal rewards (default: 1/3).
        loss.hinge_lead: hinge: lead of the preferred response from which on a comparison costs nothing (default:
            1).
        loss.gamma: focal, focal-ranking: exponent; larger values reduce the weight of comparisons already won
            (default: 2).
        loss.flip_rate: unbiased: share of labels that are flipped, below 0.5 (default: 0.1).
        loss.power: gce: exponent between bradley-terry (near 0) and symmetric (1) (default: 0.7).
        loss.top: plackett-luce: number of first places of a ranking to learn from (default: all).
        loss.members: uncertainty: number of heads, whose mean is the reward (default: 4).
        loss.strength: uncertainty: how much less a comparison counts on which the heads disagree (default: 1).
        loss.contrast: contrastive: coefficient of the contrastive term (default: 0.1).
        loss.temperature: contrastive: temperature of the similarities (default: 0.1).
        loss.view_dropout: contrastive: dropout that makes the two views of a response (default: 0.1).
        loss.length_weight: odin: coefficient of the correlations with length (default: 1).
        loss.orthogonal_weight: odin: coefficient of the similarity of the two heads (default: 1).
        loss.given_label: odin: 1 correlates differences of preferred and other response, which keeps quality that
            goes with length; 0, as in the paper, takes all responses (default: 0).
        loss.sign_weight: helpful-cost: coefficient of the term that makes the cost positive for unsafe responses
            (default: 1).
        loss.kl_weight: inform: coefficient of the KL divergence of the bottleneck (default: 0.001).
        loss.lm: Weight of the language-model loss on the preferred responses, a mean over their tokens; decoders
            only (default: 0).
        loss.lm_share: Share of the records whose text counts in each epoch, with --loss.lm (default: 1).
        loss.grm_sft: Weight of GRM's regulariser on the log likelihood of the preferred response, 0.01 in its
            paper; the loss itself is weighted with 1 minus it (default: 0).
        loss.grm_dpo: As --loss.grm-sft, for the difference of both responses' log likelihoods, without a reference
            model (default: 0).
        loss.grm_beta: Factor of the log likelihoods in GRM's regulariser (default: 0.1).
        head: Reward head: scalar, value, multi-objective, gated, helpful-cost, gaussian, quantile, odin, inform or
            process (see docs/heads.md), or cloud, which reads the reward behind a critique that the model writes
            first (see docs/cloud.md).
        head.attributes: multi-objective, gated: attributes to learn (default: all of the training data but
            --attribute).
        head.weights: multi-objective: weight of each attribute in the reward, for example helpfulness=1
            verbosity=-0.2 (default: fitted on the validation comparisons of --attribute, else equal).
        head.hidden: gated: hidden units of the gate that weighs the attributes by prompt (default: 1024).
        head.gate_steps: gated: steps in which the gate is fitted once the attributes have been learned (default:
            2000).
        head.penalize: gated: attribute that is subtracted from the others until they no longer follow it, for
            example verbosity (default: none).
        head.levels: quantile: number of quantiles (default: 9).
        head.latent: inform: dimensions of the bottleneck (default: 32).
        head.aggregate: process: how one reward is made of the probabilities of a solution's steps: min, product or
            last (default: min).
        critique.source: cloud: critiques that the reward is trained behind: self (written by the model after stage
            1) or given (those of the data).
        critique.lm_weight: cloud: weight of the language-model loss on the critiques beside the loss on rewards, in
            stage 2.
        critique.sft_epochs: cloud: passes over the given critiques in stage 1; 0 skips it, for a model that writes
            critiques already.
        critique.sft_lr: cloud: peak learning rate of stage 1 (default: --lr).
        critique.tokens: cloud: maximum length of a critique in tokens; prompt and response have the rest of
            --max-length.
        critique.samples: cloud: critiques per response of the finished model, whose rewards are averaged
            (self-consistency).
        critique.sampling_temperature: cloud: sampling temperature of critiques (default: 0, the likeliest token; 1
            with several samples).
        critique.language: cloud: language of the question that asks for a critique: en, zh, or auto (that of the
            conversation).
        noise: Training against wrong labels: none, or crm (collaborative reward modelling: two models, each trains
            on the comparisons that the other fits best, and the better one on validation is saved; twice the
            memory, three times the time).
        noise.rate: crm: share of each step's comparisons that is filtered out in the end, about that of wrong
            labels (default: 0.3).
        noise.ramp: crm: fraction of the run over which that share is reached, from 0 (default: 0.3).
        noise.curriculum: crm: 1 to order every epoch but the first from easy records to hard ones, 0 to shuffle
            (default: 0).
        head_start: Initialisation of a new head: random, or probe (a linear probe: the head is first fitted on the
            features of the untrained model).
        members: Number of members to train as an ensemble, each with its own seed; their disagreement is stored
            (see docs/ensembles.md).
        members.kind: What a member is: heads (on one backbone), lora (LoRA adapters on one backbone) or runs (whole
            models) (default: heads with --freeze-layers -1, lora with --lora.r, else runs).
        bootstrap: Train on a bootstrap sample of the prompts, drawn with --seed; with --members each member on its
            own (heads are in any case).
        augment: Add training comparisons whose label is known: other-prompt and edit (ties), cut and other-response
            (a response made worse); repeat the flag for several.
        augment_weight: With --augment: weight of an added comparison, that of one from the data being 1.
        merge_prompts: Join rows with the same prompt into one ranking, so that each text is processed once.
        layers: Keep only the first N layers of the model.
        question: Question appended to every response, for example "How good is this answer?"; a new head reads the
            hidden state after it.
        read_layers: Layers that a new head reads, for example 12 15 18 (default: the last layer); layers above the
            highest one are removed.
        pooling: Pooling of each layer for a new head: last (last token), mean (mean over the response), or both
            (default: that of the model).
        freeze_layers: Freeze the embeddings and the first N layers; -1 trains the head only.
        n_layer: Number of layers of the tiny model.
        n_head: Number of attention heads of the tiny model.
        n_embd: Hidden size of the tiny model.
        block_size: Maximum sequence length of the tiny model in bytes (default: 256, or --max-length if that is
            longer, up to 2048).
        lora.r: Train a LoRA adapter of this rank and the head instead of all weights.
        lora.alpha: LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer
            blocks).
        lora.dropout: Dropout probability of the adapter's input.
        quantize: Quantise the frozen weights under a LoRA adapter to 4 or 8 bits (QLoRA).
        gradient_checkpointing: Recompute activations in the backward pass instead of storing them: less memory, but
            slower.
        activation_offload: Keep activations in host memory until the backward pass needs them: less GPU memory, but
            slower.
        weight_decay: AdamW weight decay of weight matrices.
        warmup: Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0.
        clip: Maximum gradient norm for clipping (0 = no clipping).
        dropout: Dropout probability before the reward head.
        evals: Number of validation passes (and checkpoints) per epoch.
        patience: Stop after this many validation passes without a lower loss (0 = never).
        keep: Number of checkpoints to keep on disk for resuming.
        split_by: Field to split by instead of the prompt, for example topic.
        test_groups: With --split-by: number of groups to hold out for the test; a share of the others is used for
            validation.
        tokens_per_microbatch: Tokens per forward pass (default: measured in a short calibration if worthwhile, else
            by device).
        dtype: Precision of the backbone: auto, fp32, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        parallel: Under torchrun or accelerate: ddp replicates the model in every process (default), fsdp and
            deepspeed shard it.
        deepspeed_config: With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload
            (default: zero2).
        threads: Number of CPU threads (default: all cores).
        seed: Random seed of the head, the order of the records, dropout and the split.
        split_seed: Random seed of the split alone, so that runs with different seeds are tested on the same prompts
            (default: --seed).
        report: Evaluate on the test split after training and write the report.
        track: Trackers that record the run: tensorboard, mlflow, wandb, trackio, swanlab (several allowed).
        track_project: Project or experiment in the trackers (default: rewardsmith).
        run_name: Name of the run in the trackers (default: the name of --output).
        track_uri: Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder).
        strict: Stop at the first invalid row.
        resume: Resume the run in --output from its latest valid checkpoint.
        overwrite: Replace the output of an earlier run of this command in --output; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
        push_to_hub: Upload the finished model to the Hub as ORG/NAME; private unless --push-public is given.
        push_public: With --push-to-hub: make the repository public.
    """

def tune(
    model: str | Path,
    dataset: str | Path | Loaded | Table | Iterable[Any],
    output: str | Path,
    *,
    validation: str | Path | Loaded | Table | Iterable[Any] = (),
    test: str | Path | Loaded | Table | Iterable[Any] = (),
    max_per_source: int | None = None,
    attribute: str = "overall",
    lr: float | None = None,
    epochs: int = 1,
    max_steps: int | None = None,
    batch: int = 16,
    max_length: int | None = None,
    reasoning: Literal["omit", "think"] | None = None,
    frac: float = 1.0,
    loss: LossSettings | _LossSettingsFields | str = ...,
    head: HeadSettings | _HeadSettingsFields | str = ...,
    critique: CritiqueTraining | _CritiqueTrainingFields = ...,
    noise: NoiseSettings | _NoiseSettingsFields | str = ...,
    head_start: Literal["random", "probe"] = "random",
    members: MembersSettings | _MembersSettingsFields | str = ...,
    bootstrap: bool = False,
    augment: Literal["other-prompt", "edit", "cut", "other-response"]
    | Sequence[Literal["other-prompt", "edit", "cut", "other-response"]] = (),
    augment_weight: float = 0.5,
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
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    device: str = "auto",
    parallel: Literal["ddp", "fsdp", "deepspeed"] | None = None,
    deepspeed_config: str | Path | None = None,
    threads: int | None = None,
    seed: int = 0,
    split_seed: int | None = None,
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
    search: str | Sequence[str] = (),
    space: str | Path | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    sampler: Literal["tpe", "random", "grid"] = "tpe",
    pruner: Literal["median", "hyperband", "none"] = "median",
    metric: Literal["accuracy", "loss"] | None = None,
    jobs: int = 1,
    keep_trials: int | None = None,
    lr_only: bool = False,
    map: Mapping[str, str] | Sequence[str] = (),
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> TuneResult:
    """`rewardsmith tune`: search the settings of `train`; `find_learning_rate` is its --lr-only.

    Every option of `train` holds in all trials. A mapping of splits (a DatasetDict) as `dataset` brings its splits.

    Options:
        model: Model to start from: tiny, smollm2-135m, minilm-l6, e5-multilingual, a folder, or a Hub name
            ORG/NAME.
        dataset: Preference data: files, folders, the output of `prepare`, a Hub name, or synthetic:N; `a.jsonl:0.3`
            samples 30 %.
        output: Output folder of the search: trials/, best.yaml, trials.csv, report.html.
        validation: Separate validation data (default: 10 % of the prompts of --dataset).
        test: Separate test data (default: 10 % of the prompts of --dataset).
        map: Column mapping, for example prompt=instruction or chosen=annotations.best.
        max_per_source: Maximum number of records per source of --dataset, sampled by hash.
        attribute: Attribute to train on if the data has several, such as helpful or safe.
        lr: Peak learning rate; linear warm-up, then cosine decay to 0 (default: full 5e-5, LoRA 2e-4, tiny 2e-3,
            head only 1e-3).
        epochs: Number of passes over the training data.
        max_steps: Maximum number of optimizer steps; the learning-rate schedule ends there too.
        batch: Records per optimizer step, over all micro-batches.
        max_length: Maximum length of a conversation in tokens (default: 1024, or the limit of the model).
        reasoning: Reasoning stored separately from a response: omit, or think to put it before the response in
            think tags (default: that of the model, or omit).
        frac: Fraction of the training records to use, above 0 and at most 1.
        loss: Loss function: bradley-terry, margin, scaled-margin, label-smoothing, soft-labels, rao-kupper,
            davidson, hinge, focal, focal-ranking, symmetric, ramp, unbiased, gce, plackett-luce, regression,
            uncertainty, contrastive, odin, attributes, helpful-cost, gaussian, quantile, pinball, inform or
            step-cross-entropy (see docs/losses.md).
        loss.center: Coefficient of the squared sum of the two rewards of a comparison, which keeps rewards near 0
            (default: 0).
        loss.margin_scale: margin, scaled-margin: factor of the margins of the data (default: 1).
        loss.smoothing: label-smoothing: probability that a label is wrong, below 0.5 (default: 0.1).
        loss.prior_votes: soft-labels: votes added to each side (default: 1; 0 takes the share of votes as it is).
        loss.tie_share: rao-kupper, davidson: probability of a tie between equal rewards (default: 1/3).
        loss.hinge_lead: hinge: lead of the preferred response from which on a comparison costs nothing (default:
            1).
        loss.gamma: focal, focal-ranking: exponent; larger values reduce the weight of comparisons already won
            (default: 2).
        loss.flip_rate: unbiased: share of labels that are flipped, below 0.5 (default: 0.1).
        loss.power: gce: exponent between bradley-terry (near 0) and symmetric (1) (default: 0.7).
        loss.top: plackett-luce: number of first places of a ranking to learn from (default: all).
        loss.members: uncertainty: number of heads, whose mean is the reward (default: 4).
        loss.strength: uncertainty: how much less a comparison counts on which the heads disagree (default: 1).
        loss.contrast: contrastive: coefficient of the contrastive term (default: 0.1).
        loss.temperature: contrastive: temperature of the similarities (default: 0.1).
        loss.view_dropout: contrastive: dropout that makes the two views of a response (default: 0.1).
        loss.length_weight: odin: coefficient of the correlations with length (default: 1).
        loss.orthogonal_weight: odin: coefficient of the similarity of the two heads (default: 1).
        loss.given_label: odin: 1 correlates differences of preferred and other response, which keeps quality that
            goes with length; 0, as in the paper, takes all responses (default: 0).
        loss.sign_weight: helpful-cost: coefficient of the term that makes the cost positive for unsafe responses
            (default: 1).
        loss.kl_weight: inform: coefficient of the KL divergence of the bottleneck (default: 0.001).
        loss.lm: Weight of the language-model loss on the preferred responses, a mean over their tokens; decoders
            only (default: 0).
        loss.lm_share: Share of the records whose text counts in each epoch, with --loss.lm (default: 1).
        loss.grm_sft: Weight of GRM's regulariser on the log likelihood of the preferred response, 0.01 in its
            paper; the loss itself is weighted with 1 minus it (default: 0).
        loss.grm_dpo: As --loss.grm-sft, for the difference of both responses' log likelihoods, without a reference
            model (default: 0).
        loss.grm_beta: Factor of the log likelihoods in GRM's regulariser (default: 0.1).
        head: Reward head: scalar, value, multi-objective, gated, helpful-cost, gaussian, quantile, odin, inform or
            process (see docs/heads.md), or cloud, which reads the reward behind a critique that the model writes
            first (see docs/cloud.md).
        head.attributes: multi-objective, gated: attributes to learn (default: all of the training data but
            --attribute).
        head.weights: multi-objective: weight of each attribute in the reward, for example helpfulness=1
            verbosity=-0.2 (default: fitted on the validation comparisons of --attribute, else equal).
        head.hidden: gated: hidden units of the gate that weighs the attributes by prompt (default: 1024).
        head.gate_steps: gated: steps in which the gate is fitted once the attributes have been learned (default:
            2000).
        head.penalize: gated: attribute that is subtracted from the others until they no longer follow it, for
            example verbosity (default: none).
        head.levels: quantile: number of quantiles (default: 9).
        head.latent: inform: dimensions of the bottleneck (default: 32).
        head.aggregate: process: how one reward is made of the probabilities of a solution's steps: min, product or
            last (default: min).
        critique.source: cloud: critiques that the reward is trained behind: self (written by the model after stage
            1) or given (those of the data).
        critique.lm_weight: cloud: weight of the language-model loss on the critiques beside the loss on rewards, in
            stage 2.
        critique.sft_epochs: cloud: passes over the given critiques in stage 1; 0 skips it, for a model that writes
            critiques already.
        critique.sft_lr: cloud: peak learning rate of stage 1 (default: --lr).
        critique.tokens: cloud: maximum length of a critique in tokens; prompt and response have the rest of
            --max-length.
        critique.samples: cloud: critiques per response of the finished model, whose rewards are averaged
            (self-consistency).
        critique.sampling_temperature: cloud: sampling temperature of critiques (default: 0, the likeliest token; 1
            with several samples).
        critique.language: cloud: language of the question that asks for a critique: en, zh, or auto (that of the
            conversation).
        noise: Training against wrong labels: none, or crm (collaborative reward modelling: two models, each trains
            on the comparisons that the other fits best, and the better one on validation is saved; twice the
            memory, three times the time).
        noise.rate: crm: share of each step's comparisons that is filtered out in the end, about that of wrong
            labels (default: 0.3).
        noise.ramp: crm: fraction of the run over which that share is reached, from 0 (default: 0.3).
        noise.curriculum: crm: 1 to order every epoch but the first from easy records to hard ones, 0 to shuffle
            (default: 0).
        head_start: Initialisation of a new head: random, or probe (a linear probe: the head is first fitted on the
            features of the untrained model).
        members: Number of members to train as an ensemble, each with its own seed; their disagreement is stored
            (see docs/ensembles.md).
        members.kind: What a member is: heads (on one backbone), lora (LoRA adapters on one backbone) or runs (whole
            models) (default: heads with --freeze-layers -1, lora with --lora.r, else runs).
        bootstrap: Train on a bootstrap sample of the prompts, drawn with --seed; with --members each member on its
            own (heads are in any case).
        augment: Add training comparisons whose label is known: other-prompt and edit (ties), cut and other-response
            (a response made worse); repeat the flag for several.
        augment_weight: With --augment: weight of an added comparison, that of one from the data being 1.
        merge_prompts: Join rows with the same prompt into one ranking, so that each text is processed once.
        layers: Keep only the first N layers of the model.
        question: Question appended to every response, for example "How good is this answer?"; a new head reads the
            hidden state after it.
        read_layers: Layers that a new head reads, for example 12 15 18 (default: the last layer); layers above the
            highest one are removed.
        pooling: Pooling of each layer for a new head: last (last token), mean (mean over the response), or both
            (default: that of the model).
        freeze_layers: Freeze the embeddings and the first N layers; -1 trains the head only.
        n_layer: Number of layers of the tiny model.
        n_head: Number of attention heads of the tiny model.
        n_embd: Hidden size of the tiny model.
        block_size: Maximum sequence length of the tiny model in bytes (default: 256, or --max-length if that is
            longer, up to 2048).
        lora.r: Train a LoRA adapter of this rank and the head instead of all weights.
        lora.alpha: LoRA scaling: the adapter is multiplied by alpha / r (default: 2 r).
        lora.target: Linear layers with an adapter, for example q_proj v_proj (default: all in the transformer
            blocks).
        lora.dropout: Dropout probability of the adapter's input.
        quantize: Quantise the frozen weights under a LoRA adapter to 4 or 8 bits (QLoRA).
        gradient_checkpointing: Recompute activations in the backward pass instead of storing them: less memory, but
            slower.
        activation_offload: Keep activations in host memory until the backward pass needs them: less GPU memory, but
            slower.
        weight_decay: AdamW weight decay of weight matrices.
        warmup: Fraction of the steps used for linear warm-up of the learning rate; then cosine decay to 0.
        clip: Maximum gradient norm for clipping (0 = no clipping).
        dropout: Dropout probability before the reward head.
        evals: Number of validation passes (and checkpoints) per epoch.
        patience: Stop after this many validation passes without a lower loss (0 = never).
        keep: Number of checkpoints to keep on disk for resuming.
        split_by: Field to split by instead of the prompt, for example topic.
        test_groups: With --split-by: number of groups to hold out for the test; a share of the others is used for
            validation.
        tokens_per_microbatch: Tokens per forward pass (default: measured in a short calibration if worthwhile, else
            by device).
        dtype: Precision of the backbone: auto, fp32, bf16, fp16.
        device: Device: auto, cpu, cuda, cuda:1, mps.
        parallel: Under torchrun or accelerate: ddp replicates the model in every process (default), fsdp and
            deepspeed shard it.
        deepspeed_config: With --parallel deepspeed: a JSON file, or zero2, zero2-offload, zero3, zero3-offload
            (default: zero2).
        threads: Number of CPU threads (default: all cores).
        seed: Random seed of the head, the order of the records, dropout and the split.
        split_seed: Random seed of the split alone, so that runs with different seeds are tested on the same prompts
            (default: --seed).
        report: Evaluate the best settings and the defaults on the test split after the search.
        track: Trackers that record the run: tensorboard, mlflow, wandb, trackio, swanlab (several allowed).
        track_project: Project or experiment in the trackers (default: rewardsmith).
        run_name: Name of the run in the trackers (default: the name of --output).
        track_uri: Server or database for mlflow (default: MLFLOW_TRACKING_URI, or a database in the run folder).
        strict: Stop at the first invalid row.
        resume: Continue the search in --output.
        overwrite: Replace the output of an earlier search in --output; other files are never deleted.
        trust_remote_code: Allow execution of code that comes with a Hub model.
        push_to_hub: Upload the finished model to the Hub as ORG/NAME; private unless --push-public is given.
        push_public: With --push-to-hub: make the repository public.
        search: Settings to search, for example lr=1e-5..1e-3:log batch=4,8,16 (default: by the kind of training,
            see docs/tuning.md).
        space: YAML file with the settings to search, instead of --search.
        trials: Number of trials, failed ones included (default: 20, or all combinations of a grid; no limit with
            --minutes).
        minutes: Start no trial after this many minutes; those that run are finished.
        sampler: How the next trial is chosen: tpe (tree-structured Parzen estimator), random, or grid (every
            combination).
        pruner: When a trial is stopped early by its validation: median (worse than the median of the others),
            hyperband, none.
        metric: Validation figure that is searched for (default: loss, or accuracy where the loss function is
            searched).
        jobs: Number of trials that are trained at the same time, each in a process of its own.
        keep_trials: Number of trials whose weights stay on disk, the best ones and the one with the defaults
            (default: all).
        lr_only: Find a learning rate only: an exponential range test on a few hundred records, without a search.
    """

def verify(
    place: str | Path,
    *,
    part: Literal["files", "data", "settings", "versions", "probes"]
    | Sequence[Literal["files", "data", "settings", "versions", "probes"]] = (),
    device: str = "auto",
    progress: Progress | None = None,
    lang: Literal["en", "zh"] | None = None,
) -> Verification:
    """`rewardsmith verify`: whether a run or a model is unchanged since it was written.

    Options:
        place: Run folder of train, a model folder, or the --output of evaluate.
        part: Part to check; repeat the flag for several (default: all).
        device: Device for scoring the probes (conversations stored with their rewards to check the model): auto,
            cpu, cuda, cuda:1, mps.
    """
