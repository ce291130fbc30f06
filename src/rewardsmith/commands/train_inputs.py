"""What `rewardsmith train` starts from: the split data, and the model with its contract."""

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rewardsmith.commands.sources import SPLITS, SplitRule, Splits, load_splits, read_json
from rewardsmith.commands.train_settings import Config
from rewardsmith.errors import TrainingError, UsageError
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.model.backbones import Backbone
    from rewardsmith.model.reward_model import RewardModel


def load_data(config: Config, progress: Progress) -> Splits:
    """Read and split the data; refuse data from which nothing can be learned."""
    from rewardsmith.data.merging import merge_prompts

    rule = SplitRule(seed=config.seed, by=config.split_by, test_groups=config.test_groups)
    splits = load_splits(
        config.dataset,
        validation=config.validation,
        test=config.test,
        rule=rule,
        strict=config.strict,
        progress=progress,
    )
    keep_one_attribute(splits, progress)
    comparisons = [c for record in splits.train for c in record.comparisons]
    if not comparisons:
        raise TrainingError(
            f"the training data holds no comparisons ({len(splits.train)} records); expected chosen and rejected, "
            "scores or rankings"
        )
    if all(comparison.is_tie for comparison in comparisons):
        raise TrainingError(f"all {len(comparisons)} training comparisons are ties; there is no preference to learn")
    if config.merge_prompts:
        splits.train = merge_prompts(splits.train)
    return splits


def keep_one_attribute(splits: Splits, progress: Progress) -> None:
    """A scalar reward follows one attribute: the overall judgement where several are there; TrainingError without one."""
    counts = Counter(c.attribute for record in splits.train for c in record.comparisons)
    if len(counts) < 2:
        return
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    if "overall" not in counts:
        raise TrainingError(f"the comparisons are about several attributes ({told}); keep the rows of one of them")
    progress.note(f"training on the overall judgement; comparisons by attribute: {told}")
    for name in SPLITS:
        kept = [
            replace(record, comparisons=tuple(c for c in record.comparisons if c.attribute == "overall"))
            for record in getattr(splits, name)
        ]
        setattr(splits, name, kept)


def open_model(config: Config) -> "tuple[RewardModel, str]":
    """The model to train with its contract, and the kind of training that picks the learning rate."""
    import datetime

    import torch

    from rewardsmith.model.backbones import open_backbone
    from rewardsmith.model.reward_model import RewardModel, describe_start, new_contract
    from rewardsmith.model.sidecar import Sidecar
    from rewardsmith.model.tiny import TinyConfig
    from rewardsmith.train.optimizer import freeze

    if config.threads:
        torch.set_num_threads(config.threads)
    tiny = TinyConfig(config.n_layer, config.n_head, config.n_embd, config.block_size)
    backbone = open_backbone(
        config.model,
        seed=config.seed,
        layers=config.layers,
        tiny=tiny,
        trust_remote_code=config.trust_remote_code,
    )
    before = Sidecar.load(backbone.folder) if backbone.folder else None
    # Clock calls in a template are pinned to the day that training begins; a model with a contract keeps its own.
    if before is None:
        date = start_date(config) or datetime.date.today()
        length = longest(config, backbone)
        contract = new_contract(backbone, max_length=length, date=date)
    elif config.max_length in (None, before.contract.max_length):
        contract = replace(before.contract, inferred=False)  # from here on this is what the model is trained with
    else:
        length = longest(config, backbone)
        contract = replace(before.contract, max_length=length, response_reserve=length // 2, inferred=False)
    model = RewardModel.build(backbone, contract, device=config.device, dtype=config.dtype)
    if before is None:
        model.understood = describe_start(backbone, contract)
    model.usable_probes()  # so that a model that could not be saved is not trained first
    freeze(model.network, config.freeze_layers)
    kind = "tiny" if config.model == "tiny" else ("head" if config.freeze_layers == -1 else "full")
    return model, kind


def start_date(config: Config) -> Any:
    """The date that an interrupted run pinned its template to."""
    import datetime

    stored = read_json(config.output / "settings.json").get("date") if config.resume else None
    return datetime.date.fromisoformat(str(stored)) if stored else None


def longest(config: Config, backbone: "Backbone") -> int:
    """--max-length, checked against what the model can read; by default 1024 or less."""
    from rewardsmith.scoring.contract import DEFAULT_MAX_LENGTH

    can = backbone.longest
    if config.max_length is None:
        return min(DEFAULT_MAX_LENGTH, can or DEFAULT_MAX_LENGTH)
    if can is not None and config.max_length > can:
        raise UsageError(f"--max-length {config.max_length}: the model reads at most {can} tokens")
    if config.max_length < 8:
        raise UsageError(f"--max-length {config.max_length}: too small for any conversation; use at least 64")
    return config.max_length
