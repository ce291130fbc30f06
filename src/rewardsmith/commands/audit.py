"""`rewardsmith audit`: what a model rewards besides quality, and whether its rewards depend on how they are computed."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from rewardsmith.data.splits.splitter import check_split
from rewardsmith.errors import OutputError, UsageError
from rewardsmith.files import check_output, claimed, prepare_output, refuse_inside
from rewardsmith.files.kinds import AUDIT, RUN
from rewardsmith.language import current
from rewardsmith.progress import SILENT, Progress
from rewardsmith.rewards.opening import kind_of
from rewardsmith.settings.hardware import DtypeName, check_device

if TYPE_CHECKING:
    from rewardsmith.audit.result import BiasAudit
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.audit.reading import Audited
    from rewardsmith.pipelines.audit.scorer import AuditScorer
    from rewardsmith.rewards.source import RewardSource

NOT_OF_PREFIXES = "the reward is not read at each token of the response"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith audit`."""

    model: str
    """Reward model: a folder, a run folder, or a Hub name; or a judge file (YAML, kind: pointwise)."""
    sources: tuple[str, ...] = ()
    """Data to audit on: files, folders, the output of `prepare` (its test split is read), or synthetic:N; without any,
    conformance alone is checked."""
    split: str | None = None
    """Split of prepared or synthetic data: train, validation, test (default: test for prepared data, else all data)."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    attribute: str = "overall"
    """Attribute to audit on if the data has several, such as helpful or safe."""
    part: tuple[Literal["effects", "conformance", "best_of_n"], ...] = ()
    """Part of the audit; repeat the flag for several (default: all)."""
    prompts: int = 300
    """Number of prompts to audit, drawn by a hash of each prompt; 0 for all."""
    bound: float = 0.2
    """Smallest effect that matters, in standard deviations of the reward within prompts; a bias is excluded if its whole
    95 % interval is below it."""
    rewrites: Path | None = None
    """JSON Lines file with rewrites and rewrites of rewrites by a language model (RATE): attribute, has, prompt, response,
    rewrite, rewrite_of_rewrite."""
    policies: Path | None = None
    """JSON Lines file with gold ratings of policies trained against this reward: kl (from the initial policy, nats), gold,
    and prompt; the initial policy has kl 0."""
    explain: int = 0
    """Number of the most wrongly ordered comparisons whose responses are written to explained.jsonl with the
    contribution of each word."""
    text: str | None = None
    """A response to show with the contribution of each token or word to its reward, instead of an audit."""
    prompt: str = ""
    """With --text: the prompt before it."""
    method: Literal["prefix", "occlusion"] = "occlusion"
    """With --text: occlusion (reward without each word) or prefix (reward after each token, decoders only)."""
    output: Path | None = None
    """Output folder for audit.json and audit.md (default: the run folder if MODEL is one, which diagnose reads)."""
    seed: int = 0
    """Random seed of the sample, the bootstrap and the tests."""
    dtype: DtypeName = "fp32"
    """Precision of the backbone: fp32, auto, bf16, fp16."""
    device: str = "auto"
    """Device: auto, cpu, cuda, cuda:1, mps."""
    allow_mismatch: bool = False
    """Audit even if the probes (conversations stored with their rewards to check the model) no longer give the stored
    rewards."""
    strict: bool = False
    """Stop at the first invalid row."""
    overwrite: bool = False
    """Replace an existing audit in the output folder; other files are never deleted."""
    trust_remote_code: bool = False
    """Allow execution of code that comes with a Hub model."""

    def __post_init__(self) -> None:
        check_device(self.device)
        check_split(self.split)
        if not 0 < self.bound < float("inf"):
            raise UsageError(f"--bound {self.bound}: expected a number above 0")
        for name in ("prompts", "explain"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name} {getattr(self, name)}: expected 0 or more")
        if self.text is not None and self.sources:
            raise UsageError("--text shows one response; remove SOURCES, or remove --text to audit on them")


@dataclass(frozen=True)
class Result:
    """The audit (see docs/audit.md for its keys), and the folder that it was written to, None where it was not."""

    audit: "BiasAudit"
    folder: Path | None
    quotes_data: ClassVar[bool] = True

    def to_json(self) -> Mapping[str, Any]:
        """What audit.json holds."""
        return self.audit.to_json()

    def to_text(self) -> str:
        """What was found, in tables of at most 80 columns, and what to do."""
        from rewardsmith.audit.wording import attribution_lines, lines_of

        if self.audit.attribution is not None:
            return "\n".join(attribution_lines(self.audit.attribution, current()))
        return "\n".join(
            [*lines_of(self.audit, current()), *([f"→ {self.folder / 'audit.json'}"] if self.folder else [])]
        )


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Audit one model."""
    if config.text is not None:
        return shown_text(config, progress)
    folder = config.output or (Path(config.model) if RUN.recognises(Path(config.model)) else None)
    in_run = folder is not None and config.output is None
    if folder is None:
        return Result(audited(config, None, progress), None)
    with contextlib.nullcontext() if in_run else claimed(folder, AUDIT):
        check_folder(config, folder, in_run=in_run)
        return Result(audited(config, folder, progress), folder)


def check_folder(config: Config, folder: Path, *, in_run: bool) -> None:
    """OutputError where an audit is there already and --overwrite is not set, or the output holds something else."""
    if in_run:
        if (folder / "audit.json").exists() and not config.overwrite:
            raise OutputError(f"{folder / 'audit.json'} already exists; choose another output or pass --overwrite")
        return
    refuse_inside(folder, [config.model, str(Path(config.model) / "model"), *config.sources])
    check_output(folder, AUDIT, overwrite=config.overwrite)


def audited(config: Config, folder: Path | None, progress: Progress) -> "BiasAudit":
    """The audit, written to the folder where there is one."""
    from rewardsmith.audit.biases.rewrites import read_rewrites
    from rewardsmith.audit.policies import read_policies
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.audit.pipeline import PARTS, Plan, audit_model, audit_source, explained, save

    rewrites = read_rewrites(config.rewrites) if config.rewrites else ()
    policies = read_policies(config.policies) if config.policies else None
    subject = opened(config, progress)
    records = read(config, progress)
    plan = Plan(config.part or PARTS, config.bound, config.seed, rewrites, policies)
    source = " ".join(config.sources)
    if isinstance(subject, RewardModel):
        found = audit_model(subject, records, plan, name=config.model, source=source, progress=progress)
    else:
        found = audit_source(subject, records, plan, name=config.model, source=source, progress=progress)
    score = scorer_of(subject)
    if folder is not None:
        explanations = explained(score, records, config.explain) if config.explain else []
        if config.output is not None:
            prepare_output(folder, AUDIT, overwrite=config.overwrite)
        save(found, folder, explanations)
    return found


def opened(config: Config, progress: Progress) -> "RewardModel | RewardSource":
    """What is audited, with what a person should know of it said."""
    kind = kind_of(config.model)
    subject = opened_model(config) if kind == "model" else opened_source(config, kind)
    for remark in subject.remarks():
        progress.note(remark)
    return subject


def opened_model(config: Config) -> "RewardModel":
    """The reward model; ModelError for one that judges steps."""
    from rewardsmith.errors import ModelError
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.evaluate.steps import is_process

    model = RewardModel.load(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )
    if is_process(model):
        raise ModelError(
            f"{config.model} judges the steps of solutions (--head process), and audit edits whole responses; pass a model "
            "that judges responses"
        )
    return model


def opened_source(config: Config, kind: str) -> "RewardSource":
    """A model that writes critiques, or a judge that scores one response at a time; UsageError for anything else."""
    from rewardsmith.judge.definition import read_judge
    from rewardsmith.rewards.opening import open_rewards

    if kind == "verifiable":
        raise UsageError(
            f"{config.model} is a rewards file, whose checks read columns that edited texts do not have; pass a model"
        )
    if kind == "judge" and (judge := read_judge(Path(config.model)).kind) != "pointwise":
        raise UsageError(
            f"{config.model} is a {judge} judge, whose rewards depend on the other responses of a prompt; audit edits one "
            "at a time; pass a pointwise judge"
        )
    return open_rewards(
        config.model,
        device=config.device,
        dtype=config.dtype,
        allow_mismatch=config.allow_mismatch,
        trust_remote_code=config.trust_remote_code,
    )


def scorer_of(subject: "RewardModel | RewardSource") -> "AuditScorer":
    """Rewards of whole records, texts that are cut too."""
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.audit.scorer import Scorer, SourceScorer

    return Scorer(subject, whole=False) if isinstance(subject, RewardModel) else SourceScorer(subject, whole=False)


def read(config: Config, progress: Progress) -> "Audited":
    """The records to audit on; none where no source is given."""
    from rewardsmith.data.splits.sources import Intake
    from rewardsmith.pipelines.audit.reading import Audited, audited_records

    if not config.sources:
        return Audited((), 0, "none", ())
    return audited_records(
        config.sources,
        Intake(config.strict, config.map),
        split=config.split,
        attribute=config.attribute,
        most=config.prompts,
        seed=config.seed,
        progress=progress,
    )


def shown_text(config: Config, progress: Progress) -> Result:
    """One response with the value of its words, and no audit."""
    from rewardsmith.audit.attribution import attribute, why_no_prefixes
    from rewardsmith.audit.biases.built_in import conversation
    from rewardsmith.audit.result import BiasAudit
    from rewardsmith.model.reward_model import RewardModel

    subject = opened(config, progress)
    model = subject if isinstance(subject, RewardModel) else None
    if config.method == "prefix" and (why := NOT_OF_PREFIXES if model is None else why_no_prefixes(model)):
        raise UsageError(f"--method prefix: {why}; use --method occlusion")
    record = conversation(config.prompt, config.text or "")
    found = attribute(model, scorer_of(subject), record, 0, method=config.method)
    nothing = BiasAudit(config.model, "", "none", 0, 0, 1, config.bound, config.seed, attribution=found)
    return Result(nothing, None)
