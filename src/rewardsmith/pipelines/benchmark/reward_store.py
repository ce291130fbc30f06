"""Rewards by content: a text that this model has scored once is not scored again, and a killed run goes on where it was.

One SQLite file beside the installed models. A key is a hash of the weights, the scoring contract, the precision and the
token ids, so nothing in it becomes wrong; a file that is damaged or cannot be written is passed over.
"""

import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rewardsmith.files.places import models_folder
from rewardsmith.scoring.token_cache import opened

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.scorer import Sequences


class RewardStore:
    """The rewards of one model; without a `file` it knows nothing and keeps nothing."""

    def __init__(self, made_by: str, file: sqlite3.Connection | None) -> None:
        self.made_by = bytes.fromhex(made_by)
        self.file = file
        self.problem: str | None = None
        if file is not None:
            file.execute("CREATE TABLE IF NOT EXISTS rewards (key BLOB PRIMARY KEY, value REAL) WITHOUT ROWID")

    def keys(self, texts: "Sequences") -> list[bytes]:
        """One key per response."""
        return [hashlib.blake2b(self.made_by + text.key, digest_size=20).digest() for text in texts.texts()]

    def find(self, texts: "Sequences") -> np.ndarray | None:
        """The rewards of a record's responses, None unless all are known."""
        if self.file is None:
            return None
        found = []
        for key in self.keys(texts):
            try:
                row = self.file.execute("SELECT value FROM rewards WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self.problem, self.file = str(error), None
                return None
            if row is None or not isinstance(row[0], float) or not math.isfinite(row[0]):
                return None
            found.append(row[0])
        return np.array(found, dtype=np.float64)

    def keep(self, texts: "Sequence[Sequences]", rewards: Sequence[np.ndarray]) -> None:
        """Remember the rewards of some records, all or none of them; of a text that is known the first one stays."""
        if self.file is None:
            return
        pairs = zip(texts, rewards, strict=True)
        rows = [
            (key, float(value)) for text, values in pairs for key, value in zip(self.keys(text), values, strict=True)
        ]
        try:
            with self.file:
                for row in rows:
                    self.file.execute("INSERT OR IGNORE INTO rewards VALUES (?, ?)", row)
        except sqlite3.Error as error:  # a full disk must not stop what could go on without
            self.problem, self.file = str(error), None


NOTHING_KEPT = RewardStore("", None)
"""A store that knows nothing and keeps nothing."""


def scored_window(
    model: "RewardModel", texts: "Sequence[Sequences]", store: RewardStore
) -> tuple[int, list[np.ndarray]]:
    """(how many were known; the rewards of each), what was not known being scored and kept.

    What is kept is also what is given: a text that stands in several records has one reward, though another batch rounds
    differently, so that a run which finds all rewards known says the same as the one that computed them.
    """
    from rewardsmith.model.scorer import score

    found = [store.find(each) for each in texts]
    missing = [each for each, values in zip(texts, found, strict=True) if values is None]
    computed = list(score(model.network, missing))
    store.keep(missing, computed)
    kept = ((store.find(each), values) for each, values in zip(missing, computed, strict=True))
    fresh = iter([values if known is None else known for known, values in kept])
    return len(texts) - len(missing), [next(fresh) if values is None else values for values in found]


@contextlib.contextmanager
def reward_store(model: "RewardModel", note: Callable[[str], None]) -> Iterator[RewardStore]:
    """The store of what this model has scored before; `note` gets a sentence where it cannot be used."""
    from rewardsmith.pipelines.score.parts import fingerprint

    path = models_folder().parent / "rewards.sqlite"
    made_by = fingerprint(model, {"device": model.network.device.type, "dtype": str(model.network.autocast)})
    file = None
    try:
        file = opened(path)
        store = RewardStore(made_by, file)
    except (sqlite3.Error, OSError) as error:
        store = RewardStore(made_by, None)
        store.problem = str(error)
    try:
        yield store
    finally:
        if file is not None:
            file.close()
        if store.problem is not None:
            note(f"rewards are not kept for the next run: {path} cannot be used ({store.problem})")
