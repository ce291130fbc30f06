"""The finished stretches of a scored file, kept beside it until all are there, so that a killed run loses little.

A part is named after what it was made from: its rows, the model's weights and contract, and the settings that decide
rewards. The same command finds those it needs and computes the rest; a part of anything else has another name.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from rewardsmith.errors import DataError
from rewardsmith.files import write_bytes, write_rows
from rewardsmith.files.leftovers import remove_files
from rewardsmith.files.reading import as_object, taking_from
from rewardsmith.pipelines.score.counts import RowCounts, counts_from

if TYPE_CHECKING:
    from rewardsmith.data.loading.understanding import Read
    from rewardsmith.model.reward_model import RewardModel

PART = re.compile(r"\d{6,}-[0-9a-f]{32}\.jsonl")
FORM = 2
"""Of what a part holds: one of an earlier form has another name, and is not read."""
OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


class Parts:
    """Parts of `output`, each a line of counts and the rows; `made_by` names what turns rows into rewards."""

    def __init__(self, output: Path, made_by: str) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.parts")
        self.made_by = made_by

    def path(self, number: int, window: "Sequence[Read]") -> Path:
        """Where the part of these rows belongs."""
        digest = hashlib.sha256(self.made_by.encode())
        for read in window:
            digest.update(orjson.dumps([read.row, facts_of(read.item), read.hashed_order], option=OPTIONS, default=str))
        return self.folder / f"{number:06d}-{digest.hexdigest()[:32]}.jsonl"

    def write(self, path: Path, content: bytes) -> None:
        """Keep a part; it is there whole or not at all."""
        write_bytes(path, content)

    def join(self, paths: Iterable[Path]) -> None:
        """Write the output from its parts, and remove them."""
        write_rows(self.output, lines_of(paths))
        remove_files(self.folder, PART)


def part(counts: RowCounts, rows: Iterable[Any]) -> bytes:
    """The bytes of a part."""
    lines = [orjson.dumps(row, option=OPTIONS) for row in rows]
    return b"".join([orjson.dumps(counts.to_json(), option=OPTIONS), *lines])


def counts_of(path: Path) -> RowCounts:
    """The counts of a part; DataError where it is damaged."""
    with path.open("rb") as file:
        line = file.readline()
    place = f"{path}:1"
    try:
        with taking_from(place):
            return counts_from(as_object(line, place))
    except DataError as error:
        raise DataError(f"{error}; delete this part and run the same command again") from error


def lines_of(paths: Iterable[Path]) -> Iterator[bytes]:
    """The rows of all parts, in order; DataError where a part has not as many as it says."""
    for path in paths:
        rows = counts_of(path).rows
        with path.open("rb") as file:
            file.readline()
            for line in file:
                rows -= 1
                yield line
        if rows:
            raise DataError(
                f"{path} does not have the recorded number of rows; delete this part and run the same command again"
            )


def facts_of(item: Any) -> list[Any]:
    """What a row was understood as, as far as its output depends on it."""
    said = getattr(item, "id", None) or getattr(item, "reason", None)
    return [type(item).__name__, said, getattr(item, "file", None) or getattr(item, "source", None), item.line]


def fingerprint(model: "RewardModel", settings: Mapping[str, Any]) -> str:
    """A name for what turns rows into rewards: weights, contract, and the settings given."""
    from rewardsmith.model.frozen.parts import bytes_of

    digest = hashlib.sha256(orjson.dumps([FORM, model.contract.to_json(), dict(settings)], option=OPTIONS, default=str))
    for name, tensor in sorted(model.network.hf.state_dict().items()):
        digest.update(name.encode())
        digest.update(bytes_of(tensor))
    for name, tensor in sorted(({} if model.head is None else model.head.tensors()).items()):
        digest.update(name.encode())
        digest.update(bytes_of(tensor))
    digest.update(repr([model.network.offset, model.network.readout]).encode())
    return digest.hexdigest()
