"""Outputs of frozen lower layers, computed once per token and kept on disk: training then begins above them.

A folder per backbone holds parts of whole trees: the prefix that texts share stands there once. A part appears whole or
not at all, so an interrupted run goes on where it was. Nothing but the index is held in memory: a batch's rows are read from
the files when they are needed. Rows have the dtype of the hidden states themselves (fp32 under mixed precision, whose sums
stay in fp32), so that a pass that begins with them differs from a whole one only by the rounding of another packing.
"""

import hashlib
import json
import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rewardsmith.errors import ModelError
from rewardsmith.files.leftovers import delete
from rewardsmith.model.forward.batches import PackedTrees, TextBatch, micro_batches
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.frozen.parts import KEY_BYTES, delete_store, parts_of, read_part, save_part
from rewardsmith.model.scorer import WINDOW, Sequences, Text, split, tree_of
from rewardsmith.progress import SILENT, Progress
from rewardsmith.scoring.trees import Ids, TokenTree

PART_BYTES = 2**26
"""What an interrupted run may lose."""
PARTS = 256
"""About as many a store has at most, since each is an open file: larger stores have larger parts."""
NAMES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class Form(NamedTuple):
    """The states of one token: how many layers are kept, their width, and the dtype."""

    layers: int
    width: int
    dtype: torch.dtype

    @property
    def bytes(self) -> int:
        """Bytes of one token."""
        return self.layers * self.width * self.dtype.itemsize


@dataclass(frozen=True)
class StoredRows:
    """Where a text's rows stand in a part: those it shares with other texts, and its own."""

    part: int
    shared: int
    shared_length: int
    own: int

    def spans(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Rows (first, number) of the part that hold the text's tokens from `start` up to `stop`."""
        border = min(max(start, self.shared_length), stop)
        if start < border:
            yield self.shared + start, border - start
        if border < stop:
            yield self.own + border - self.shared_length, stop - border


class StateStore:
    """States of texts by the hash of their ids, under `folder`; for one thread."""

    def __init__(self, folder: Path, form: Form) -> None:
        self.folder = folder
        self.form = form
        self.bytes = 0
        self.files: list[tuple[FileIO, int]] = []  # with where the rows begin
        self.places: dict[bytes, StoredRows] = {}
        weakref.finalize(self, close, self.files)
        if folder.is_dir():
            os.utime(folder)  # when it was last used
        for path in parts_of(folder):
            if read_part(path) is None:  # damaged: its texts are computed again
                delete(path)
            else:
                self._open(path)

    def clear(self) -> None:
        """Delete all parts."""
        close(self.files)
        delete_store(self.folder)
        self.bytes, self.places = 0, {}

    def add(self, trees: Sequence[TokenTree], rows: Float[Tensor, "T S H"]) -> None:
        """Keep the states of some trees, prefix and branches one after the other; on disk before this returns."""
        keys, spans, start = [], [], 0
        for tree in trees:
            own = start + len(tree.prefix)
            for branch, ids in zip(tree.branches, tree.sequences, strict=True):
                keys.append(key_of(ids))
                spans.append((start, len(tree.prefix), own))
                own += len(branch)
            start = own
        flat = b"".join(keys)
        self.folder.mkdir(parents=True, exist_ok=True)
        given = torch.frombuffer(bytearray(flat), dtype=torch.uint8).reshape(len(keys), KEY_BYTES)
        path = save_part(self.folder, flat, {"keys": given, "spans": torch.tensor(spans), "states": rows})
        self._open(path)

    def read(self, ids: Ids, start: int, out: UInt8[np.ndarray, "N B"]) -> None:
        """Write the states of N tokens of a known text, from `start` on, into `out`."""
        place = self.places[key_of(ids)]
        file, offset = self.files[place.part]
        at = 0
        for first, number in place.spans(start, start + len(out)):
            file.seek(offset + first * self.form.bytes)
            if file.readinto(out[at : at + number].data) != number * self.form.bytes:
                raise ModelError(f"{file.name} is incomplete; delete {self.folder} and start again")
            at += number

    def batch(self, network: RewardNetwork, trees: Sequence[TokenTree]) -> TextBatch | None:
        """The trees as a batch with their states; None where a text is not known."""
        sequences = [tree.sequences for tree in trees]
        if any(key_of(ids) not in self.places for texts in sequences for ids in texts):
            return None
        batch = network.texts(trees)
        rows, tokens = batch.ids.shape
        states = torch.zeros((rows, tokens, self.form.layers, self.form.width), dtype=self.form.dtype)
        out = states.view(rows * tokens, -1).view(torch.uint8).numpy()
        at = 0
        for tree, texts in zip(trees, sequences, strict=True):
            shared = len(tree.prefix) if isinstance(batch, PackedTrees) else 0
            self.read(texts[0], 0, out[at : at + shared])
            at += shared
            for ids in texts:
                self.read(ids, shared, out[at : at + len(ids) - shared])
                at += len(ids) - shared if isinstance(batch, PackedTrees) else tokens
        return replace(batch, states=states.to(network.device))

    def _open(self, path: Path) -> None:
        """Take up a part; one that is not as it should be (a disk that was full, another form) is deleted."""
        file = FileIO(path)
        found = header_of(file)
        if found is None or found.form != self.form:
            file.close()
            path.unlink(missing_ok=True)
            return
        part = len(self.files)
        self.files.append((file, found.states))
        self.bytes += found.end
        keys, spans = (read_array(file, *place) for place in (found.keys, found.spans))
        for key, (shared, length, own) in zip(
            keys.reshape(-1, KEY_BYTES), spans.view("<i8").reshape(-1, 3).tolist(), strict=True
        ):
            self.places.setdefault(key.tobytes(), StoredRows(part, shared, length, own))


def close(files: list[tuple[FileIO, int]]) -> None:
    """Let go of the files; they stay readable as long as they are held, even where another run deletes them."""
    for file, _ in files:
        file.close()
    files.clear()


class Header(NamedTuple):
    """Of a part: the form of its states, where they begin, (begin, bytes) of keys and spans, and the file's length."""

    form: Form
    states: int
    keys: tuple[int, int]
    spans: tuple[int, int]
    end: int


def header_of(file: FileIO) -> Header | None:
    """Read a safetensors header (8 bytes of length, then JSON); None where the file is not a whole part."""
    try:
        length = int.from_bytes(file.read(8) or b"", "little")
        tensors = json.loads(file.read(length) or b"")
        _, layers, width = tensors["states"]["shape"]
        begin = 8 + length
        offsets = {name: [begin + at for at in tensors[name]["data_offsets"]] for name in ("keys", "spans", "states")}
        form = Form(layers, width, NAMES[tensors["states"]["dtype"]])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
        return None
    end = max(stop for _, stop in offsets.values())
    if os.fstat(file.fileno()).st_size != end:
        return None
    keys, spans = ((start, stop - start) for start, stop in (offsets["keys"], offsets["spans"]))
    return Header(form, offsets["states"][0], keys, spans, end)


def read_array(file: FileIO, start: int, size: int) -> UInt8[np.ndarray, " N"]:
    """Some bytes of a file."""
    file.seek(start)
    return np.frombuffer(file.read(size), dtype=np.uint8)


def key_of(ids: Ids) -> bytes:
    """A hash of a text's ids."""
    return hashlib.blake2b(ids.tobytes(), digest_size=KEY_BYTES).digest()


def plan(
    network: RewardNetwork, records: Sequence[Sequences], budget: int, known: StateStore | None = None
) -> list[TokenTree]:
    """Trees of all texts of the records that `known` does not hold; texts of one prompt share what they begin with."""
    groups: dict[str, dict[bytes, Text]] = {}
    seen: set[bytes] = set(known.places) if known is not None else set()
    for record in records:
        for text in record.texts():
            if (key := key_of(text.ids)) not in seen:
                seen.add(key)
                groups.setdefault(record.prompt, {})[key] = Text(text.ids, None)
    share = network.packed
    return [
        tree_of(chunk, share=share)
        for group in groups.values()
        for chunk in split(list(group.values()), budget, share=share)
    ]


def fill(
    store: StateStore, network: RewardNetwork, trees: Sequence[TokenTree], budget: int, progress: Progress = SILENT
) -> None:
    """Compute the states of these trees and keep them, part by part."""
    whole = sum(tree.tokens for tree in trees) * store.form.bytes
    size = max(PART_BYTES, whole // PARTS)
    waiting: list[TokenTree] = []
    parts: list[Tensor] = []
    tokens = 0
    with progress.task("states of frozen layers", len(trees), "trees") as task:
        for number, (tree, rows) in enumerate(states_of(network, trees, budget), start=1):
            waiting.append(tree)
            parts.append(rows)
            tokens += tree.tokens
            task.advance()
            if tokens * store.form.bytes >= size or number == len(trees):
                store.add(waiting, torch.cat(parts))
                waiting, parts, tokens = [], [], 0


def states_of(
    network: RewardNetwork, trees: Sequence[TokenTree], budget: int
) -> Iterator[tuple[TokenTree, Float[Tensor, "T S H"]]]:
    """Every tree with the states of its tokens, prefix and branches one after the other."""
    iterator = iter(trees)
    was_training = network.training
    network.eval()
    try:
        while window := list(islice(iterator, WINDOW)):
            for group in micro_batches(window, budget, packed=network.packed):
                chosen = [window[index] for index in group]
                rows = states_of_batch(network, network.texts(chosen)).cpu()
                yield from zip(chosen, by_tree(rows, chosen, packed=network.packed), strict=True)
    finally:
        network.train(was_training)


def by_tree(
    rows: Float[Tensor, "rows tokens S H"], trees: Sequence[TokenTree], *, packed: bool
) -> Iterator[Float[Tensor, "T S H"]]:
    """The states of each tree, taken out of those of a batch: of one packed row, or of a padded row for every text."""
    if packed:
        for part in torch.split(rows[0], [tree.tokens for tree in trees]):
            yield part.clone()  # a view would keep the whole batch in memory
        return
    lengths = [len(ids) for tree in trees for ids in tree.sequences]
    texts = iter(row[:length] for row, length in zip(rows, lengths, strict=True))
    for tree in trees:
        yield torch.cat(list(islice(texts, len(tree.branches))))


def states_of_batch(network: RewardNetwork, batch: TextBatch) -> Float[Tensor, "rows tokens S H"]:
    """The outputs of the network's lower layers."""
    assert network.lower is not None
    with torch.no_grad():
        return network.lower.outputs(lambda: network(batch, head=False))
