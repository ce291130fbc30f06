"""The tables of document 001: sizes of its models and the figures it gives for them.

The document measured on an Apple Silicon processor of unknown kind, with Python 3.12.4 and PyTorch 2.9.1, and gives
rounded figures without repetitions or spread. It names neither the batch of its training table (its example has 4) nor
the model of its scoring table. They stand beside ours for orientation; the ratio compares two machines as well.
"""

from dataclasses import dataclass

MACHINE = (
    "reference figures, from the experiment record that the project started from: an Apple Silicon CPU (model not "
    "stated), PyTorch 2.9.1, rounded, repetitions not stated"
)
BATCH = 4
BLOCK_SIZE = 128


@dataclass(frozen=True)
class Size:
    """A tiny model by document 001's names, and what the document tells of training it (None: nothing).

    `steps_per_second` is said for training, `memory_mb` without telling what was counted. The document names the heads
    of its smallest model only; the others have the same 32 dimensions a head here.
    """

    n_layer: int
    n_head: int
    n_embd: int
    block_size: int = BLOCK_SIZE
    steps_per_second: float | None = None
    memory_mb: float | None = None

    @property
    def name(self) -> str:
        """As a person says it."""
        return f"{self.n_layer} layers, {self.n_embd} wide"


SIZES = (
    Size(2, 2, 64, steps_per_second=10, memory_mb=100),
    Size(4, 4, 128, steps_per_second=5, memory_mb=200),
    Size(6, 8, 256, steps_per_second=2, memory_mb=500),
)
SAMPLES_PER_SECOND = {1: 20.0, 4: 40.0, 8: 50.0}
LATENCY_MS = {1: 50.0, 4: 100.0, 8: 160.0}
"""Scoring by batch size; the document does not say with which model."""
