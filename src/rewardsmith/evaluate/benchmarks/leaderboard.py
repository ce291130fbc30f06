"""Published scores of other models, and the places among them that a measured score leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class Published:
    """One published score in [0, 1], and where it stands."""

    model: str
    score: float
    source: str
    url: str


@dataclass(frozen=True)
class LeaderboardPlace:
    """Places from `best` to `worst`, 1 being the first, of `of` models with this one among them."""

    best: int
    worst: int
    of: int

    def in_words(self) -> str:
        """`rank 12 to 17 of 40`."""
        where = f"rank {self.best}" if self.best == self.worst else f"rank {self.best} to {self.worst}"
        return f"{where} of {self.of}"


@cache
def table() -> Mapping[str, Any]:
    """The file of published scores."""
    found: Mapping[str, Any] = yaml.safe_load((files(__package__) / "published.yaml").read_text(encoding="utf-8"))
    return found


def columns_of(benchmark: str) -> dict[str, str]:
    """The columns with scores of a benchmark, by the path of the section they are about, "" for the overall score."""
    names = {name: name.partition("/") for name in table()["columns"]}
    return {section: name for name, (owner, _, section) in names.items() if owner == benchmark}


def published(column: str) -> list[Published]:
    """All scores of a column, the best first."""
    at = table()["columns"].index(column)
    sources = table()["sources"]
    found = [
        Published(name, row["scores"][at] / 100, sources[row["source"]]["title"], sources[row["source"]]["url"])
        for name, row in table()["models"].items()
        if row["scores"][at] is not None
    ]
    return sorted(found, key=lambda each: (-each.score, each.model))


def place_of(low: float, high: float, scores: list[float]) -> LeaderboardPlace:
    """The places that a score between `low` and `high` may have; what is published counts as exact, and equal is no lead."""
    return LeaderboardPlace(
        best=1 + sum(score > high for score in scores),
        worst=1 + sum(score > low for score in scores),
        of=len(scores) + 1,
    )
