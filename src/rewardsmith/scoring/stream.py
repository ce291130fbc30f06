"""Tokenizing as a stream: remembered ids, and the others made in pieces, here, in other processes, or in a thread ahead.

Which records form a step, and how many steps there are, hangs on which ones can be trained on, and only their tokens tell
that: training cannot begin before the last record is tokenized. So the work is done earlier, while the model is opened.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from rewardsmith.progress import SILENT
from rewardsmith.records import Record
from rewardsmith.scoring.token_cache import TokenStore, remembering
from rewardsmith.scoring.tokens import Encoded, Encoder
from rewardsmith.scoring.wire import Texts, encode_piece, unpack

T = TypeVar("T")
PIECE = 100  # records that go to a process at a time
EncodeResult = Encoded | str
"""A record's token ids, or why it cannot be encoded."""
EncodePieces = Callable[[Encoder, Iterable[list[Texts]]], Generator[list[bytes | str], None, None]]
"""Does `encode_piece` on every piece, in order."""


def in_turn(encoder: Encoder, pieces: Iterable[list[Texts]]) -> Generator[list[bytes | str], None, None]:
    """Every piece here."""
    return (encode_piece(encoder, piece) for piece in pieces)


def encoded(
    records: Sequence[Record],
    encoder: Encoder,
    spread: EncodePieces = in_turn,
    *,
    note: Callable[[str], None] = SILENT.note,
) -> Generator[EncodeResult, None, None]:
    """The outcome of every record in order; what is not remembered is tokenized, and remembered for the next run.

    `note` gets a sentence where it cannot be remembered.
    """
    with remembering(encoder, len(records), note) as store:
        known = [store.find(record) if store else None for record in records]
        fresh = [record for record, found in zip(records, known, strict=True) if found is None]
        with contextlib.closing(spread(encoder, in_pieces(fresh))) as results:
            made = kept(fresh, chain.from_iterable(results), store)
            for found in known:
                yield next(made) if found is None else found


def in_pieces(records: Sequence[Record]) -> Iterator[list[Texts]]:
    """PIECE records at a time, without what tokenizing does not read."""
    for at in range(0, len(records), PIECE):
        yield [(record.prompt, record.responses) for record in records[at : at + PIECE]]


def kept(
    records: Sequence[Record], values: Iterable[bytes | str], store: TokenStore | None
) -> Generator[EncodeResult, None, None]:
    """The outcomes of `records`, whose packed token ids go to `store` on the way."""
    for record, value in zip(records, values, strict=True):
        if not isinstance(value, bytes):
            yield value
            continue
        if store:
            store.keep(record, value)
        yield unpack(value)


@contextlib.contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """While the block runs, a thread makes the items and the block takes them, in order, when it needs them.

    An error on the way is raised where its item would have been taken. At the end of the block the thread ends too, after
    the item that it is about to make.
    """
    made: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            with contextlib.closing(items):
                for item in items:
                    made.put((item,))
                    if stop.is_set():
                        return
        except BaseException as error:
            made.put(error)
        else:
            made.put(None)

    def taken() -> Iterator[T]:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    thread = threading.Thread(target=work, name="tokenizing", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stop.set()
        thread.join()
