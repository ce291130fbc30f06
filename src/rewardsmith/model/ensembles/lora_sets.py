"""Several LoRA sets on one backbone: each has a model of its own around the same weights, which are in memory once.

A folder of such an ensemble holds the backbone without any head, in `backbone/`, and each set with its head in
`members/NN/adapter/`. The mean of the sets' rewards is not the reward of the mean set, since each is a product of two
matrices with layers behind it, so no such model is written.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rewardsmith.model.adapters.lora import Adapter, AdapterFiles
from rewardsmith.model.checkpoint.hf_folder import save_hf_folder
from rewardsmith.model.ensembles.description import Description
from rewardsmith.model.ensembles.members import OpenModel, write_config
from rewardsmith.model.forward.network import find_head
from rewardsmith.model.loading.adapter_folders import put_adapter
from rewardsmith.model.loading.backbones import Backbone, draw_head, open_backbone
from rewardsmith.model.loading.folders import inspect_folder
from rewardsmith.scoring.contract import ScoringContract

BACKBONE = "backbone"
M = TypeVar("M", bound=OpenModel)


def member_folder(number: int) -> str:
    """Where the member of this number, from 1 on, lies in an ensemble's folder."""
    return f"members/{number:02d}"


def view_of(hf: Any) -> Any:
    """A model of the same weights: its modules are new, its parameters and buffers are those of `hf`.

    An adapter that is put on a view is on none of the others; a head that learns has to be given its own weights first.
    """
    kept = {id(tensor): tensor for tensor in (*hf.parameters(), *hf.buffers())}
    return copy.deepcopy(hf, kept)


def with_own_head(backbone: Backbone, *, seed: int) -> Backbone:
    """A view of a backbone whose head is its own, drawn with `seed` as for a single run; a trained head is copied.

    A head that reads more than the class's own is made, and drawn with the seed, when the model is built.
    """
    view = view_of(backbone.hf)
    head = find_head(view)
    for name, parameter in list(head.named_parameters()):
        setattr(head, name, copy.deepcopy(parameter))
    if backbone.head_is_new and backbone.folder is not None:  # `tiny` keeps the one of its class
        draw_head(head, seed=seed)
    return replace(backbone, hf=view, seed=seed)


@dataclass(frozen=True)
class LoraMembers:
    """LoRA sets on one backbone; `base` is a view without them, `tokenizer` and `contract` are those of all."""

    description: Description
    base: Any
    tokenizer: Any
    contract: ScoringContract
    adapters: tuple[AdapterFiles, ...]

    def write(self, folder: Path, final: Path) -> None:
        """Write backbone, sets and `ensemble.json`; the places in it are inside the folder, whatever it will be called."""
        save_hf_folder(self.base.base_model, self.tokenizer, self.contract, folder / BACKBONE)
        for number, adapter in enumerate(self.adapters, start=1):
            adapter.write(folder / member_folder(number) / "adapter", base=BACKBONE)
        self.description.save(folder)
        write_config(folder)

    def described(self, description: Description) -> "LoraMembers":
        """The same members under another description."""
        return replace(self, description=description)


def open_sets(
    folder: Path, description: Description, build: Callable[[Backbone], M]
) -> tuple[Backbone, list[M], tuple[AdapterFiles, ...]]:
    """The backbone of an ensemble's folder, and a model for each of its sets around it; `build` makes a model of a view."""
    backbone = open_backbone(str(folder / BACKBONE))
    models, adapters = [], []
    for entry in description.members:
        place = inspect_folder(folder / entry.path / "adapter")
        model = build(with_own_head(backbone, seed=0))
        wrapped = put_adapter(model.network.hf, place)
        model.network.take_head()
        models.append(model)
        adapters.append(Adapter(wrapped).files())
    return backbone, models, tuple(adapters)
