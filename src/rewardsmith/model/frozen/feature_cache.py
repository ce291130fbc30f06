"""Features of a frozen backbone, computed once per text and kept on disk: heads are then trained on them in seconds.

A folder per backbone (its weights, its readout and its precision decide the name) holds parts of SIZE texts each, written
as they are computed, so that an interrupted run goes on where it was. Texts are known by a hash of their token ids.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import ModelError, OutputError, first_line
from rewardsmith.files.leftovers import delete
from rewardsmith.model.forward.batches import KnownFeatures
from rewardsmith.model.forward.network import RewardNetwork, name_of
from rewardsmith.model.frozen.parts import KEY_BYTES, STORE, bytes_of, delete_store, parts_of, read_part, save_part
from rewardsmith.model.scorer import Sequences, Text, features
from rewardsmith.progress import SILENT, Progress
from rewardsmith.scoring.trees import TokenTree

SIZE = 512
"""Texts of a part: what an interrupted run may lose."""
LIMIT = "REWARDSMITH_FEATURES_GB"
DEFAULT_LIMIT = 20.0


class FeatureStore:
    """Features of texts by the hash of their ids; `folder` None keeps them in memory only.

    A folder that cannot be written, or a disk that is full, costs the next run its time and not this one: `folder` becomes
    None, and `problem` says why.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problem: str | None = None
        self.parts: list[Tensor] = []
        self.places: dict[bytes, tuple[int, int]] = {}
        for path in parts_of(folder) if folder is not None else ():
            self._read(path)
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._only_in_memory(error)
            with contextlib.suppress(OSError):
                os.utime(folder)  # when it was last used

    def add(self, keys: Sequence[bytes], rows: Float[Tensor, "N F"]) -> None:
        """Keep the features of some texts, on disk before this returns."""
        if self.folder is not None:
            flat = torch.frombuffer(bytearray(b"".join(keys)), dtype=torch.uint8).reshape(len(keys), KEY_BYTES)
            try:
                save_part(self.folder, flat.numpy().tobytes(), {"keys": flat, "features": rows})
            except OutputError as error:
                self._only_in_memory(error)
        self._index(keys, rows)

    def rows(self, keys: Iterable[bytes]) -> Float[Tensor, "R F"] | None:
        """The features of these texts, in order; None where one is not known."""
        found = [self.places.get(key) for key in keys]
        if any(place is None for place in found):
            return None
        return torch.stack([self.parts[place[0]][place[1]] for place in found if place is not None])

    def batch(self, network: RewardNetwork, trees: Sequence[TokenTree]) -> KnownFeatures | None:
        """The trees' features, one row per response; None where one is not known."""
        rows = self.rows(key_of(text) for tree in trees for text in texts_of(tree))
        return None if rows is None else KnownFeatures(rows.to(network.device))

    def _only_in_memory(self, error: Exception) -> None:
        self.folder, self.problem = None, first_line(error)

    def _read(self, path: Path) -> None:
        part = read_part(path)
        if part is None or part.keys() != {"keys", "features"}:  # damaged: its texts are computed again
            delete(path)
            return
        self._index([row.tobytes() for row in part["keys"].numpy()], part["features"])

    def _index(self, keys: Sequence[bytes], rows: Tensor) -> None:
        number = len(self.parts)
        self.parts.append(rows)
        for at, key in enumerate(keys):
            self.places.setdefault(key, (number, at))


def key_of(text: Text) -> bytes:
    """A hash of the ids that are computed and of which of them are the answer."""
    return hashlib.blake2b(text.key, digest_size=KEY_BYTES).digest()


def texts_of(tree: TokenTree) -> Iterator[Text]:
    """The tree's sequences one by one."""
    return Sequences("", tuple(tree.sequences), tree.answers).texts()


def fill_store(
    store: FeatureStore,
    network: RewardNetwork,
    records: Sequence[Sequences],
    *,
    budget: int | None = None,
    progress: Progress = SILENT,
) -> int:
    """Compute what the store does not know of these records; returns how many texts that were."""
    missing: dict[bytes, tuple[str, Text]] = {}
    for record in records:
        for text in record.texts():
            if (key := key_of(text)) not in store.places:
                missing.setdefault(key, (record.prompt, text))
    waiting = list(missing.items())
    with progress.task("features", len(waiting), "texts") as task:
        for at in range(0, len(missing), SIZE):
            part = waiting[at : at + SIZE]
            wanted = [single(prompt, text) for _, (prompt, text) in part]
            rows = np.concatenate(list(features(network, wanted, budget=budget)))
            store.add([key for key, _ in part], torch.from_numpy(rows))
            task.advance(len(part))
    return len(missing)


def single(prompt: str, text: Text) -> Sequences:
    """A text as a record of its own; the scorer shares what texts of one prompt have in common."""
    return Sequences(prompt, (text.ids,), () if text.answer is None else (text.answer,))


def open_store(root: Path, network: RewardNetwork, texts: int) -> FeatureStore:
    """The store of this backbone under `root`, or one in memory where `texts` would take more than the limit.

    The limit is REWARDSMITH_FEATURES_GB (20 by default) for all backbones together: those used longest ago are deleted.
    """
    size = texts * network.head.in_features * 4
    limit = limit_bytes()
    if size > limit:
        return FeatureStore(None)
    folder = root / store_name(network)
    store = FeatureStore(folder)
    if store.folder is not None:
        make_room(root, keep=folder, room=limit - size)
    return store


def limit_bytes() -> float:
    """How much all stores together may take."""
    given = os.environ.get(LIMIT, str(DEFAULT_LIMIT))
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise ModelError(f"{LIMIT} is {given!r}; expected a size in GB, for example 20, or 0 to disable the cache")
    return value * 1e9


def make_room(root: Path, *, keep: Path, room: float) -> None:
    """Delete the stores used longest ago until the others take no more than `room` bytes."""
    others = sorted(
        (path for path in root.iterdir() if STORE.fullmatch(path.name) and path.is_dir() and path != keep),
        key=lambda path: path.stat().st_mtime,
    )
    sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in others}
    total = sum(sizes.values())
    for path in others:
        if total <= room:
            return
        delete_store(path)
        total -= sizes[path]


def store_name(network: RewardNetwork) -> str:
    """A hash of all that decides a text's features, to rounding: weights below the head, config, readout, precision."""
    return hash_of(network, network.hf, f"{name_of(network.hf, network.head)}.", network.readout)


def weights_hash(network: RewardNetwork) -> str:
    """16 hex digits over all weights and their names; for noticing other weights, not for naming files."""
    import xxhash

    digest = xxhash.xxh3_64()
    for name, value in sorted(network.hf.state_dict().items()):
        digest.update(f"{name}:{tuple(value.shape)}:{value.dtype}:".encode())
        digest.update(bytes_of(value))
    return digest.hexdigest()


def hash_of(network: RewardNetwork, module: torch.nn.Module, left_out: str | tuple[str, ...], *facts: object) -> str:
    """A hash of a module's weights but those whose names begin with `left_out`, of how they are computed, and of `facts`."""
    digest = hashlib.blake2b(digest_size=KEY_BYTES)
    for name, value in sorted(module.state_dict().items()):
        if not name.startswith(left_out):
            digest.update(f"{name}:{tuple(value.shape)}:{value.dtype}:".encode())
            digest.update(bytes_of(value))
    told = [network.hf.config.to_json_string(use_diff=False), *facts, network.autocast, network.device.type]
    digest.update(repr([*map(str, told), network.kind, network.packed, torch.__version__]).encode())
    return digest.hexdigest()
