"""What became of a number of faults of one kind."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outcome:
    """`tried` faults of which `right` ended as they should; `wrong` says of the others what happened."""

    fault: str
    expected: str
    tried: int = 0
    right: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)

    def add(self, problem: str | None) -> None:
        """Count one fault; `problem` is what was wrong after it."""
        self.tried += 1
        if problem is None:
            self.right += 1
        else:
            self.wrong.append(problem)

    def add_report(self, tried: int, missed: list[str]) -> None:
        """Count many at once."""
        self.tried += tried
        self.right += tried - len(missed)
        self.wrong += missed

    def to_json(self) -> dict[str, Any]:
        """The outcome with the first of what was wrong."""
        return {**self.__dict__, "wrong": self.wrong[:20], "seconds": round(self.seconds, 1)}
