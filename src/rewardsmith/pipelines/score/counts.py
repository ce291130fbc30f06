"""What `score` counts while it streams; each part keeps its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.scoring.left_out import LeftOut, left_out_from

PLAIN = ("rows", "responses", "not_scored")


@dataclass
class RowCounts:
    """`rows` looked at, `responses` with a reward, rows `not_scored`, and what was not scored as it was given."""

    rows: int = 0
    responses: int = 0
    not_scored: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)

    def to_json(self) -> dict[str, Any]:
        """The counts that a part keeps."""
        return {**{name: getattr(self, name) for name in PLAIN}, "left_out": self.left_out.to_json()}

    def add(self, other: "RowCounts") -> None:
        """Count the rows of a part."""
        for name in PLAIN:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.left_out.add(other.left_out)


def counts_from(value: Mapping[str, Any]) -> RowCounts:
    """What `to_json` wrote; DataError for anything else."""
    rows, responses, not_scored = plain = [value[name] for name in PLAIN]
    if any(type(count) is not int or count < 0 for count in plain):
        raise DataError("its counts are not integers")
    return RowCounts(rows, responses, not_scored, left_out_from(value["left_out"]))
