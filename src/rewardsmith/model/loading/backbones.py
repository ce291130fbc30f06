"""Names to models: the embedded ones, a folder, or a hub name; with a fresh head, or the head it came with."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.checkpoint.intact import check_model
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.model.forward.network import find_head, kind_of, layer_stack, name_of
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.inspection.finite import refuse_not_finite
from rewardsmith.model.inspection.remote_code import settle_code, tokenizer_code_not_run
from rewardsmith.model.inspection.token_rows import refuse_tokens_beyond, rows_of
from rewardsmith.model.loading.classifier import Classifier, load_classifier
from rewardsmith.model.loading.folders import ModelFolder, inspect_folder
from rewardsmith.model.loading.locating import locate
from rewardsmith.model.loading.tiny import TinyConfig, byte_tokenizer, tiny_model
from rewardsmith.model.loading.tokenizer import load_tokenizer
from rewardsmith.model.loading.value_heads import Choice, Origin, read_tensor
from rewardsmith.scoring.contract import choose_pad_token, last_token

NO_CHOICE = Choice()
Reading = Callable[[int], Readout]
"""What a new head shall read, from how many layers the model has."""
UNKNOWN = Origin()
UNLIMITED = 10**9  # tokenizers write 10**30 for "no limit"


@dataclass(frozen=True)
class Backbone:
    """An opened model: the transformers model, its tokenizer, its kind, and whether its head is new.

    `origin` says what a model without `reward.json` was understood as, `notes` what was left out of it. `readout` is
    what a head reads that is not the class's own; its weights are `head`, or drawn with `seed` where it is new.
    """

    hf: Any
    tokenizer: Any
    kind: str
    head_is_new: bool
    folder: Path | None
    origin: Origin = UNKNOWN
    readout: Readout | None = None
    head: torch.Tensor | None = None
    seed: int = 0
    notes: tuple[str, ...] = ()

    @property
    def longest(self) -> int | None:
        """The longest sequence it can read, in tokens; None where neither config nor tokenizer sets a limit.

        The table of positions counts too: RoBERTa's has two rows more than a text may use.
        """
        positions = getattr(self.hf.config.get_text_config(), "max_position_embeddings", None)
        limits = (positions, position_rows(self.hf), self.tokenizer.model_max_length)
        return min((int(limit) for limit in limits if limit and limit < UNLIMITED), default=None)

    def set_head(self, head: torch.nn.Linear) -> None:
        """Fill a head that reads what `readout` says."""
        if self.head is None:
            draw_head(head, seed=self.seed)
            return
        with torch.no_grad():
            head.weight.copy_(self.head)


def position_rows(hf: Any) -> int | None:
    """How many positions a learned table of them leaves to a text; None for rotary and other models without a table."""
    for name, module in hf.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - reserved
    return None


def open_backbone(
    name: str,
    *,
    seed: int = 0,
    layers: int | None = None,
    tiny: TinyConfig | None = None,
    trust_remote_code: bool = False,
    choice: Choice = NO_CHOICE,
    reading: Reading | None = None,
    check_files: bool = True,
) -> Backbone:
    """Open a model for training: `tiny`, an embedded name, a folder, or a hub name.

    `layers` keeps the first N layers. A head that the weights bring along is kept, whoever wrote it; otherwise it
    starts near zero, so that the first loss is about ln 2 (not for `tiny`: learning from nothing needs gradients from the
    first step). `reading` tells what a new head shall read, from the number of layers. `check_files` refuses a folder
    that is not as its manifest says. Raises ModelError with one line that tells what to do.
    """
    torch.manual_seed(seed)
    if name == "tiny":
        tokenizer = byte_tokenizer()
        hf = tiny_model(tiny or TinyConfig(), vocab_size=len(tokenizer))
        return Backbone(hf, tokenizer, "decoder", True, None, readout=wanted(hf, reading), seed=seed)
    path = locate(name)
    if check_files:
        check_model(Path(path))
    opened = load_classifier(path, layers=layers, trust_remote_code=trust_remote_code, choice=choice)
    refuse_not_finite(path, opened.hf)
    stored = Sidecar.load(Path(path))
    brings_head = stored is not None or not opened.head_is_new
    not_run = (*opened.code_not_run, *tokenizer_code_not_run(Path(opened.tokenizer), trusted=trust_remote_code))
    note = settle_code(path, not_run, brings_head=brings_head, trusted=trust_remote_code)
    tokenizer = load_tokenizer(opened.tokenizer, trust_remote_code=trust_remote_code)
    refuse_tokens_beyond(opened.tokenizer, opened.hf, tokenizer)
    origin = settle_tokens(opened, tokenizer, stored)
    notes = tuple(filter(None, (*opened.notes, note)))
    plain = Backbone(
        opened.hf, tokenizer, kind_of(opened.hf), opened.head_is_new, Path(path), origin, seed=seed, notes=notes
    )
    return settle_head(plain, stored, reading, name)


def settle_tokens(opened: Classifier, tokenizer: Any, stored: Sidecar | None) -> Origin:
    """The pad token, as stored or chosen now, in the config as well; returns what the model came as."""
    hf = opened.hf
    if stored is not None:
        origin = Origin(offset=stored.offset)
        tokenizer.pad_token_id = stored.contract.pad_token_id
        rows = rows_of(hf)
        if not 0 <= stored.contract.pad_token_id < rows:
            raise ContractError(
                f"reward.json has pad_token_id {stored.contract.pad_token_id}, but the embedding has {rows} rows; "
                "restore the file from a backup"
            )
    else:
        origin = settle_pad_token(hf, tokenizer, kind_of(hf), opened.origin)
    hf.config.get_text_config().pad_token_id = hf.config.pad_token_id = tokenizer.pad_token_id
    hf.config.problem_type = "regression"  # else vLLM puts a sigmoid on the reward
    return origin


def settle_head(plain: Backbone, stored: Sidecar | None, reading: Reading | None, name: str) -> Backbone:
    """The backbone with its own head, or a new one, drawn; ModelError where a model with a contract has lost its own."""
    if stored is not None and stored.readout is not None:
        return with_stored_head(plain, stored.readout, reading, name)
    if plain.head_is_new:
        head = find_head(plain.hf)
        if stored is not None:
            raise ModelError(
                f"{plain.folder} has a reward.json but no reward head ({name_of(plain.hf, head)}.weight); copy the "
                "model again, or remove reward.json to train a new head"
            )
        draw_head(head, seed=plain.seed)
        return replace(plain, readout=wanted(plain.hf, reading))
    if reading is not None:
        raise ModelError(f"{name} already has a reward head; --read-layers and --pooling apply to a new head only")
    return plain


def with_stored_head(plain: Backbone, readout: Readout, reading: Reading | None, name: str) -> Backbone:
    """A folder of ours whose head reads what `readout` says; ModelError where another reading is asked for."""
    if reading is not None and reading(layer_count(plain.hf)) != readout:
        raise ModelError(f"{name} has a head that reads {readout.told()}; remove --read-layers and --pooling")
    assert plain.folder is not None
    head = stored_head(inspect_folder(plain.folder), name_of(plain.hf, find_head(plain.hf)))
    return replace(plain, head_is_new=False, readout=readout, head=head)


def wanted(hf: Any, reading: Reading | None) -> Readout | None:
    """What a new head shall read; None for the class's own way. ModelError for layers that the model has not."""
    if reading is None:
        return None
    count = layer_count(hf)
    readout = reading(count)
    if readout.layers[-1] > count:
        raise ModelError(f"--read-layers {readout.layers[-1]}: the model has {count} layers; expected 1 to {count}")
    return readout


def layer_count(hf: Any) -> int:
    """How many layers the model has."""
    return len(layer_stack(hf.base_model))


def settle_pad_token(hf: Any, tokenizer: Any, kind: str, origin: Origin) -> Origin:
    """Choose the pad token of a model without a stored contract.

    A decoder whose head was trained with a pad token that its template ends with keeps it: plain transformers has
    always pooled it one token earlier, and so do we. Every other gets a pad token that no text can end with.
    """
    own = hf.config.get_text_config().pad_token_id
    trained = origin.head and not origin.by_mask and kind == "decoder"
    if trained and own is not None and own == last_token(tokenizer, kind):
        tokenizer.pad_token_id = own
        return replace(origin, trim_id=own)
    if choose_pad_token(tokenizer, kind):
        hf.resize_token_embeddings(max(len(tokenizer), hf.config.get_text_config().vocab_size), mean_resizing=False)
    return origin


def stored_head(folder: ModelFolder, name: str) -> torch.Tensor:
    """The weights of a head that reads more than the class's own, under whose name they stand in another shape."""
    found = [weight for weight in folder.weights if weight.name == f"{name}.weight"]
    if not found:
        raise ModelError(f"{folder.path} has no reward head ({name}.weight); check that the copy is complete")
    return read_tensor(found[0])


def draw_head(head: torch.nn.Linear, *, seed: int) -> None:
    """Draw a head again with standard deviation 1 / (width + 1): rewards near zero, a first loss of about ln 2.

    The scale is OpenRLHF's (`get_llm_for_sequence_regression`, value head initialisation).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = torch.randn(head.weight.shape, generator=generator) / (head.in_features + 1)
        head.weight.copy_(drawn)
        if head.bias is not None:
            head.bias.zero_()
