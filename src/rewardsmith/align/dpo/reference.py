"""What the frozen start of training says of every response, kept by content: computed once, found again after a kill."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from rewardsmith.errors import TrainingError
from rewardsmith.files import write_bytes
from rewardsmith.model.scorer import Sequences, Text
from rewardsmith.scoring.trees import TokenTree

FILE = "reference.safetensors"
DIGEST = 16


class Reference:
    """log p of responses under the reference, by a hash of their tokens."""

    def __init__(self, values: Mapping[bytes, float]) -> None:
        self.values = dict(values)

    def of(self, tree: TokenTree) -> list[float]:
        """log p of each response of a tree; TrainingError for one that was not computed."""
        texts = Sequences("", tuple(tree.sequences), tree.answers).texts()
        try:
            return [self.values[key_of(text)] for text in texts]
        except KeyError:
            raise TrainingError(
                "the reference was not computed for one of the responses; start again with --overwrite"
            ) from None

    def holds(self, records: Iterable[Sequences]) -> bool:
        """Whether every response is known."""
        return all(key_of(text) in self.values for record in records for text in record.texts())

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        from safetensors.numpy import save

        keys = np.frombuffer(b"".join(self.values), dtype=np.uint8).reshape(-1, DIGEST)
        values = np.array(list(self.values.values()), dtype=np.float64)
        write_bytes(path, save({"keys": keys, "values": values}))

    @classmethod
    def read(cls, path: Path) -> "Reference | None":
        """What `save` wrote; None where it is not there or is damaged, and has to be computed again."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            found = load(path.read_bytes())
            return cls({key.tobytes(): float(each) for key, each in zip(found["keys"], found["values"], strict=True)})
        except (OSError, KeyError, ValueError, SafetensorError):
            return None


def key_of(text: Text) -> bytes:
    """The name of a response behind its prompt: a hash of its token ids and of how many of them are the response."""
    return hashlib.blake2b(text.key, digest_size=DIGEST).digest()
