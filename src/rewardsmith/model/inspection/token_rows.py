"""Tokens and the rows of the embedding: every token that a tokenizer can give must have one."""

import json
from pathlib import Path
from typing import Any

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.network import name_of
from rewardsmith.model.loading.folders import ModelFolder, tokenizer_files


def refuse_tokens_beyond(path: str, hf: Any, tokenizer: Any) -> None:
    """ModelError where a text could hold a token without a row: the pass over it would fail, whenever it comes."""
    rows = rows_of(hf)
    beyond = tokens_beyond(tokenizer, rows, Path(path))
    if beyond:
        raise ModelError(
            f"{path}: the embedding has {rows} rows, but the tokenizer has {len(beyond)} tokens beyond that "
            f"({shown(beyond)}); use the tokenizer of the model, or resize its embedding before saving "
            "(resize_token_embeddings)"
        )


def tokens_beyond(tokenizer: Any, rows: int, folder: Path) -> dict[str, int]:
    """Tokens whose id is no row of an embedding, by id.

    A special token that is in none of the tokenizer's files is left out: transformers adds such to every tokenizer of some
    families, and no text becomes one.
    """
    pad = tokenizer.pad_token_id
    found = {str(token): int(index) for token, index in tokenizer.get_vocab().items() if index >= rows}
    if found:
        written = "".join(file.read_text("utf-8", "replace") for file in tokenizer_files(folder))
        special = set(tokenizer.all_special_tokens)
        found = {
            token: index
            for token, index in found.items()
            if index == pad
            or token not in special
            or any(json.dumps(token, ensure_ascii=e) in written for e in (False, True))
        }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def shown(tokens: dict[str, int]) -> str:
    """Some of the tokens with their ids."""
    first = [f"{index} {token!r:.40}" for token, index in list(tokens.items())[:2]]
    return ", ".join([*first, *(["…"] if len(tokens) > len(first) else [])])


def rows_of(hf: Any) -> int:
    """How many tokens the embedding has a row for; ModelError for a class without one."""
    weight = getattr(hf.get_input_embeddings(), "weight", None)
    if weight is None:
        raise ModelError(f"{type(hf).__name__} has no token embedding; it cannot be used as a reward model")
    return int(weight.shape[0])


def make_room(hf: Any, folder: ModelFolder, tokenizer: Any, place: Path) -> None:
    """Give `hf` the rows that an adapter was trained with: those of the embedding it brings, else one per token of the
    tokenizer in `place`.

    ModelError where a token that a text may hold would get a row that neither the base nor the adapter has.
    """
    before = rows_of(hf)
    brought = rows_brought(folder, name_of(hf, hf.get_input_embeddings()))
    beyond = tokens_beyond(tokenizer, before, place)
    rows = brought or max([before, *(index + 1 for index in beyond.values())])
    if rows == before:
        return
    learned = set() if brought else trained_tokens(folder)
    bare = {token: n for token, n in beyond.items() if not brought and n not in learned and n != tokenizer.pad_token_id}
    if bare:
        raise ModelError(
            f"{folder.path} adds {len(bare)} tokens ({shown(bare)}), but neither the adapter nor its base model "
            f"({before} rows) has an embedding for them; save the adapter with its embedding "
            "(save_embedding_layers=True)"
        )
    hf.resize_token_embeddings(rows, mean_resizing=False)
    with torch.no_grad():
        hf.get_input_embeddings().weight[before:] = 0  # the pad token's stays so: nothing reads it


def rows_brought(folder: ModelFolder, name: str) -> int | None:
    """How many rows the embedding has that an adapter saves whole, or adapts; None where it does neither."""
    for weight in folder.weights:
        if f"{name}." not in weight.name or len(weight.shape) != 2:
            continue
        if weight.name.endswith("lora_embedding_A"):
            return weight.shape[1]
        if weight.name.endswith((f"{name}.weight", "modules_to_save.weight")):
            return weight.shape[0]
    return None


def trained_tokens(folder: ModelFolder) -> set[int]:
    """The ids of tokens whose rows an adapter replaces (peft's trainable_token_indices)."""
    listed = (folder.adapter or {}).get("trainable_token_indices") or ()
    lists = listed.values() if isinstance(listed, dict) else [listed]
    return {int(index) for indices in lists for index in indices}
