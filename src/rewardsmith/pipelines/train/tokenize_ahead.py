"""Tokenizing for `rewardsmith train`, beside the opening of the model, by as many processes as there are cores."""

import contextlib
import copy
import functools
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from rewardsmith.data.splits.sources import Splits
from rewardsmith.parallel.processes import in_order, usable_cores
from rewardsmith.progress import Progress

if TYPE_CHECKING:
    from rewardsmith.pipelines.train.setup import Opened
    from rewardsmith.scoring.stream import EncodeResult
    from rewardsmith.scoring.tokens import Encoder
    from rewardsmith.scoring.wire import Texts

MOST = 16
"""Processes by default at most; each takes 0.6 seconds to start and 100 MB."""


@contextlib.contextmanager
def tokens_ahead(
    opened: "Opened", splits: Splits, *, workers: int | None, team: int, progress: Progress
) -> "Iterator[Iterator[EncodeResult] | None]":
    """While the block runs, the comparable records of train and validation are tokenized, in that order.

    `workers` processes do it (default: one per core, shared by the `team` processes of this run). Yields None where the
    tokenizer is of a kind that cannot be copied, so that nothing can be done ahead.
    """
    from rewardsmith.scoring.stream import ahead, encoded
    from rewardsmith.train.examples import compared

    encoder = own_encoder(opened)
    if encoder is None:
        yield None
        return
    count = workers or max(1, min(MOST, usable_cores() // team))
    if not type(encoder.tokenizer).__module__.startswith("transformers."):
        count = 1  # code that came with the model is not there in another process

    def spread(encoder: "Encoder", pieces: "Iterable[list[Texts]]") -> "Generator[list[bytes | str], None, None]":
        from rewardsmith.scoring.wire import encode_piece

        with contextlib.closing(in_order(encode_piece, encoder, pieces, workers=count)) as found:
            for _, values in found:
                yield values

    once = functools.cache(progress.note)

    def every() -> "Generator[EncodeResult, None, None]":
        for records in (splits.train, splits.validation):
            yield from encoded(compared(records), encoder, spread, note=once)

    with ahead(every()) as outcomes:
        yield outcomes


def own_encoder(opened: "Opened") -> "Encoder | None":
    """An encoder that makes the same ids as the model's; its tokenizer is a copy, since two threads cannot use one."""
    from rewardsmith.scoring.tokens import Encoder

    readout = opened.backbone.readout
    try:
        tokenizer = copy.deepcopy(opened.backbone.tokenizer)
    except TypeError:  # "cannot pickle …": some of those written in Python
        return None
    return Encoder(tokenizer, opened.contract, answers=readout is not None and readout.answers)
