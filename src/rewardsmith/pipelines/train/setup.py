"""What `rewardsmith train` starts from: the split data, and the model with its contract."""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rewardsmith.data.splits.sources import (
    Intake,
    Splits,
    attributes_of,
    follow_attribute,
    load_splits,
    missing_attribute,
)
from rewardsmith.data.splits.splitter import SPLITS
from rewardsmith.errors import ModelError, TrainingError, UsageError
from rewardsmith.pipelines.critique.settings import CLOUD, refuse_without_critiques
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.head import (
    BY_ATTRIBUTE,
    GATED,
    OWN_REWARD,
    PROCESS,
    VALUE,
    follow_main,
    refuse_other_rows,
    refuse_reading,
    take_over_head,
)
from rewardsmith.pipelines.train.loss import ON_RATINGS
from rewardsmith.pipelines.train.run_folder import stored_settings
from rewardsmith.progress import Progress
from rewardsmith.records import Record

if TYPE_CHECKING:
    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.model.forward.readout import Readout
    from rewardsmith.model.heads.attributes import AttributePlan
    from rewardsmith.model.loading.backbones import Backbone
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.scoring.contract import ScoringContract
    from rewardsmith.train.examples import Encoding, Example

KEPT_HEAD = "--head-start probe fits new heads only; the head of this model is already trained and is kept"
LONGEST_TINY = 2048  # bytes that --max-length alone makes the tiny model read; attention's memory grows with the square


def load_data(config: Config, progress: Progress) -> Splits:
    """Read and split the data; refuse data from which nothing can be learned."""
    from rewardsmith.data.loading.mixing import Mix
    from rewardsmith.data.merging import merge_prompts

    splits = load_splits(
        config.dataset,
        validation=config.validation,
        test=config.test,
        rule=config.split_rule,
        intake=Intake(config.strict, config.map, Mix(config.seed, config.max_per_source)),
        progress=progress,
    )
    if splits.not_taken:
        progress.note(f"{splits.not_taken} rows were not sampled (shares and --max-per-source)")
    refuse_other_rows(config.head.name, splits)
    if config.head.name in BY_ATTRIBUTE:
        if config.merge_prompts:
            splits.train = merge_prompts(splits.train)
        follow_main(splits, config.head.name, config.attribute)
        return splits
    keep_one_attribute(splits, config.attribute, progress)
    refuse_without_critiques(config.head.name, config.critique, splits.train)
    if config.loss.name not in ON_RATINGS:
        refuse_undecided(splits.train)
    if config.merge_prompts:
        splits.train = merge_prompts(splits.train)
    return splits


def refuse_undecided(records: Sequence[Record]) -> None:
    """TrainingError for training data in which no response is preferred to another."""
    comparisons = [c for record in records for c in record.comparisons]
    if not comparisons:
        raise TrainingError(
            f"the training data contains no comparisons ({count_records(records)}); expected chosen and rejected, scores "
            "or rankings"
        )
    if all(comparison.is_tie for comparison in comparisons):
        raise TrainingError(
            f"all {len(comparisons)} training comparisons are ties; expected at least one with a preferred response"
        )


def count_records(records: Sequence[Record]) -> str:
    """How many records there are, and how many of them are single responses with a rating, as in KTO's data."""
    single = sum(len(record.responses) == 1 and bool(record.ratings) for record in records)
    if not single:
        return f"{len(records)} records"
    return f"{len(records)} records, {single} of them single rated responses, without comparisons"


def keep_one_attribute(splits: Splits, attribute: str, progress: Progress) -> None:
    """A scalar reward follows one attribute; TrainingError where no training comparison is about it."""
    counts = attributes_of(splits.train)
    if problem := missing_attribute(attribute, counts):
        raise TrainingError(problem)
    if len(counts) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        progress.note(f"training on the attribute {attribute}; comparisons by attribute: {listed}")
    for name in SPLITS:
        setattr(splits, name, follow_attribute(getattr(splits, name), attribute))


@dataclass(frozen=True)
class Start:
    """What training begins with: the model with its contract, the kind of training, which picks the learning rate, and
    the head ("own": the trained one that the model came with, "random", "probe"); `notes` is what to tell about them,
    `date` the day that training began. The embeddings and the first `frozen_layers` layers never change (-1: none does).
    """

    model: "RewardModel"
    kind: str
    head: str
    notes: tuple[str, ...]
    date: datetime.date
    frozen_layers: int = 0

    def summary(self) -> list[str]:
        """The notes, and why prefixes are not shared, if they are not."""
        why = self.model.why_separate
        return [*self.notes, *([f"prefixes are not shared: {why}"] if why else [])]

    @property
    def exact(self) -> bool:
        """Whether the head alone is wanted, and fitted: then no step could better it."""
        return self.kind == "head" and self.head == "probe"


@dataclass(frozen=True)
class Opened:
    """A model that was read, with its tokenizer, and the contract to train it under: enough to tokenize by.

    `new_contract` says that the model came without one.
    """

    backbone: "Backbone"
    contract: "ScoringContract"
    new_contract: bool
    date: datetime.date


def open_model(
    config: Config,
    *,
    device: str | None = None,
    date: datetime.date | None = None,
    plan: "AttributePlan | None" = None,
) -> Start:
    """Open the model on `device` (default: that of the settings), settle its contract, let learn what the settings say.

    Clock calls in a template are pinned to `date` (default: the run's); a model with a contract keeps its own. `plan` holds
    the attributes of a head that learns such.
    """
    return ready_model(config, read_model(config, date=date), device=device, plan=plan)


def read_model(config: Config, *, date: datetime.date | None = None) -> Opened:
    """Read the model's weights and tokenizer, and settle its contract."""
    import torch

    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.loading.tiny import TinyConfig

    date = date or start_date(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    block_size = config.block_size or min(max(256, config.max_length or 0), LONGEST_TINY)
    tiny = TinyConfig(config.n_layer, config.n_head, config.n_embd, block_size)
    backbone = open_backbone(
        config.model,
        seed=config.seed,
        layers=config.layers or (max(config.read_layers) if config.read_layers and config.model != "tiny" else None),
        tiny=tiny,
        trust_remote_code=config.trust_remote_code,
        reading=reading_of(config),
    )
    before = Sidecar.load(backbone.folder) if backbone.folder else None
    return Opened(backbone, settle_contract(config, backbone, before, date), before is None, date)


def ready_model(
    config: Config, opened: Opened, *, device: str | None = None, plan: "AttributePlan | None" = None
) -> Start:
    """Check the model that was read, bring it to its device, let learn what the settings say."""
    from rewardsmith.model.heads import NO_ATTRIBUTES, attach_outputs, describe_head
    from rewardsmith.model.inferred import describe_start
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.train.losses import choose

    backbone, contract = opened.backbone, opened.contract
    model = RewardModel.build(
        backbone, contract, device=device or config.device, dtype=config.dtype, bits=config.quantize
    )
    model.usable_probes()  # so that a model that could not be saved is not trained first
    head = head_start(config, backbone)
    if config.member_kind == "heads" and head == "own":
        raise UsageError(
            f"--members.kind heads: {config.model} has a trained head, which is kept; start from a model without a reward "
            "head, or use --members.kind runs"
        )
    notes = [*backbone.notes, *([describe_start(backbone, contract)] if opened.new_contract else [])]
    if config.head_start == "probe":
        notes.append(prepare_probe(model) if head == "probe" else without_probe(config, kept=head == "own"))
    kind = prepare_to_learn(config, model)
    loss = choose(config.loss.name, config.loss.options, members=config.stepped_heads)
    described = describe_head(config.head.name, config.head.options, plan or NO_ATTRIBUTES)
    attach_outputs(model.network, loss.outputs, described, members=loss.members, seed=config.seed)
    notes.append(take_over_head(config.model, backbone, model.network, described))
    check_token_use(config, model, backbone, on_text=loss.text is not None or config.head.name == CLOUD)
    return Start(model, kind, head, tuple(filter(None, notes)), opened.date, config.freeze_layers)


def head_start(config: Config, backbone: "Backbone") -> str:
    """How the scalar head begins; where it is computed from other outputs in the end, it needs no fit."""
    if not backbone.head_is_new:
        return "own"
    return "random" if config.head.name in OWN_REWARD else config.head_start


def without_probe(config: Config, *, kept: bool) -> str:
    """Why --head-start probe fits nothing."""
    if kept:
        return KEPT_HEAD
    return (
        f"--head-start probe has no effect with --head {config.head.name}, whose reward is made of outputs of its own"
    )


def check_token_use(config: Config, model: "RewardModel", backbone: "Backbone", *, on_text: bool) -> None:
    """ModelError where a value head has no values per token; with terms `on_text`, the network gets the head of the language
    model that they need, which learns where all weights do.
    """
    from rewardsmith.model.language_head.weights import attach_language_head
    from rewardsmith.model.token_values import refuse_without_values

    if config.head.name == GATED and model.network.kind == "encoder":
        raise ModelError(
            f"--head {GATED} needs a decoder: in {config.model}, an encoder, the state of the prompt depends on the "
            "response; use --head multi-objective"
        )
    if config.head.name in (VALUE, PROCESS):
        refuse_without_values(model.network, f"--head={config.head.name}")
    if not on_text:
        return
    if not model.network.padded:
        raise ModelError(f"{config.model} is computed one text at a time, for which losses on text are not supported")
    learns = config.lora.r is None and config.freeze_layers == 0
    attach_language_head(model.network, backbone.folder, learns=learns)
    if config.head.name == CLOUD:
        from rewardsmith.critique.critic import ends_of, with_room

        with_room(model.contract, config.critique.tokens)  # both refused before anything is written
        ends_of(model.tokenizer, model.contract)


def settle_contract(
    config: Config, backbone: "Backbone", before: "Sidecar | None", date: datetime.date
) -> "ScoringContract":
    """The contract to train under: the model's own, at the length asked for, or a new one of that day."""
    from rewardsmith.model.inferred import new_contract
    from rewardsmith.scoring.question import template_with

    if config.question is not None:
        if before is not None or not backbone.head_is_new:
            raise UsageError(
                f"--question applies to a new head only; the head of {config.model} was trained without the question; "
                "remove --question"
            )
        backbone.tokenizer.chat_template = template_with(backbone.tokenizer, backbone.kind, config.question)
    if before is None:
        contract = new_contract(backbone, max_length=longest(config, backbone), date=date)
    elif config.max_length in (None, before.contract.max_length):
        contract = replace(before.contract, inferred=False)  # from here on this is what the model is trained with
    else:
        length = longest(config, backbone)
        contract = replace(before.contract, max_length=length, response_reserve=length // 2, inferred=False)
    return contract if config.reasoning is None else replace(contract, reasoning=config.reasoning)


def reading_of(config: Config) -> "Callable[[int], Readout] | None":
    """What a new head shall read, from how many layers the model has; None for the class's own way."""
    from rewardsmith.model.forward.readout import LAST, PROMPT, Readout

    refuse_reading(config.head, layers=bool(config.read_layers), pooling=bool(config.pooling))
    if config.head.name == GATED:
        return lambda layers: Readout((layers,), (LAST, PROMPT))
    if not config.read_layers and not config.pooling:
        return None
    return lambda layers: Readout(config.read_layers or (layers,), config.pooling or (LAST,))


def prepare_probe(model: "RewardModel") -> str:
    """Switch the model's own dropout off, under which a fitted head would begin far worse than it was fitted."""
    from rewardsmith.model.frozen.dropout import switch_off_dropout

    highest = switch_off_dropout(model.network.hf)
    return (
        (f"the dropout of the model ({highest:g}) is turned off, because its head is fitted without dropout")
        if highest
        else ""
    )


def prepare_to_learn(config: Config, model: "RewardModel") -> str:
    """Freeze, or attach an adapter, as the settings say; returns the kind of training."""
    from rewardsmith.model.adapters.lora import LoraSettings, attach
    from rewardsmith.train.optimizer import freeze, offload_activations, recompute_activations

    lora = config.lora
    if lora.r is None:
        freeze(model.network, config.freeze_layers)
    else:
        settings = LoraSettings(lora.r, lora.scale or lora.r, lora.dropout, lora.target)
        model.adapter = attach(model.network, settings, first_layer=config.freeze_layers, seed=config.seed)
    if config.gradient_checkpointing:  # last: peft would change the embeddings for the other, reentrant kind of it
        recompute_activations(model.network)
    if config.activation_offload:
        offload_activations(model.network)
    if lora.r is not None:
        return "lora"
    if config.freeze_layers == -1:
        return "head"
    return "tiny" if config.model == "tiny" else "full"


def microbatch_tokens(config: Config, start: Start, examples: "Sequence[Example]", progress: Progress) -> int:
    """--tokens-per-microbatch, else what a short calibration on this device finds best."""
    from rewardsmith.train.budget import find_budget

    if config.tokens_per_microbatch:
        return config.tokens_per_microbatch
    steps = -(-len(examples) // config.batch) * config.epochs
    found = find_budget(start.model.network, examples, batch=config.batch, steps=min(steps, config.max_steps or steps))
    if found.told:
        progress.note(found.told)
    return found.tokens


def sampled(config: Config, train: "Encoding", progress: Progress) -> "Encoding":
    """The training records, or a bootstrap sample of their prompts where that was asked for."""
    from rewardsmith.train.examples import bootstrap

    if not config.bootstrap or config.member_kind == "heads":
        return train
    drawn = bootstrap(train.examples, seed=config.seed)
    if not drawn:
        raise TrainingError("--bootstrap drew none of the few training prompts; add data, or use another --seed")
    progress.note(f"bootstrap sample: {len(drawn)} of {len(train.examples)} training records, some of them repeated")
    return replace(train, examples=drawn)


def start_date(config: Config) -> datetime.date:
    """The day that training begins, or the one on which a run to resume began."""
    stored = stored_settings(config.output).get("date") if config.resume else None
    return datetime.date.fromisoformat(str(stored)) if stored else datetime.date.today()


def longest(config: Config, backbone: "Backbone") -> int:
    """--max-length, checked against what the model can read; by default 1024 or less."""
    from rewardsmith.scoring.contract import DEFAULT_MAX_LENGTH

    can = backbone.longest
    if config.max_length is None:
        return min(DEFAULT_MAX_LENGTH, can or DEFAULT_MAX_LENGTH)
    if can is not None and config.max_length > can:
        raise UsageError(f"--max-length {config.max_length}: the model supports at most {can} tokens")
    if config.max_length < 8:
        raise UsageError(f"--max-length {config.max_length}: too small for any conversation; use at least 64")
    return config.max_length
