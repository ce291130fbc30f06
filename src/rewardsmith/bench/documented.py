"""Reference figures: model sizes, speed and memory from the experiment record that the project started from (document 001).

They were measured on an Apple Silicon processor (model not stated) with Python 3.12.4 and PyTorch 2.9.1 and are rounded,
without repetitions or spread. The record states neither the batch size of its training table (its example uses 4) nor the
model of its scoring table. They are shown for orientation only: a ratio to them also compares two machines.
"""

from dataclasses import dataclass

MACHINE = (
    "reference figures, from the experiment record that the project started from: an Apple Silicon CPU (model not "
    "stated), PyTorch 2.9.1, rounded, repetitions not stated"
)
BATCH = 4
BATCHES = (1, 2, 4, 8, 16, 32)
"""Ours; the record has three of them."""
BLOCK_SIZE = 128


@dataclass(frozen=True)
class Size:
    """The configuration of a tiny model of the record, and its figures for training (None: not stated).

    `memory_mb` is given without stating what it includes. The record gives the number of heads of its smallest model
    only; the others have the same 32 dimensions per head here.
    """

    n_layer: int
    n_head: int
    n_embd: int
    block_size: int = BLOCK_SIZE
    steps_per_second: float | None = None
    memory_mb: float | None = None

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.n_layer} layers, {self.n_embd} wide"


SIZES = (
    Size(2, 2, 64, steps_per_second=10, memory_mb=100),
    Size(4, 4, 128, steps_per_second=5, memory_mb=200),
    Size(6, 8, 256, steps_per_second=2, memory_mb=500),
)
SAMPLES_PER_SECOND = {1: 20.0, 4: 40.0, 8: 50.0}
LATENCY_MS = {1: 50.0, 4: 100.0, 8: 160.0}
"""Scoring by batch size; the model is not stated."""
LARGER = Size(12, 8, 512, 512)
"""Of ours, beyond the record."""
