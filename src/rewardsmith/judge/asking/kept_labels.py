"""A label scorer with a store in front of it: nothing is asked twice, and a killed run loses little."""

import contextlib
import time
from collections.abc import Sequence
from typing import NamedTuple

from rewardsmith.errors import DataError
from rewardsmith.generate.answering import COMMIT
from rewardsmith.generate.store import KeyedFile
from rewardsmith.judge.asking.labels import LabelMasses, LabelQuestion, LabelScorer, masses_from
from rewardsmith.progress import Task


class ScoredLabels(NamedTuple):
    """The masses of a question; `kept` where they were there before."""

    masses: LabelMasses
    kept: bool


class KeptLabels:
    """A label scorer and the file of what it said; `task` gets one step a question, and tokens per second."""

    def __init__(self, scorer: LabelScorer, file: KeyedFile, task: Task) -> None:
        self.scorer, self.file, self.task, self.made_by = scorer, file, task, scorer.made_by()
        self.started, self.read = time.monotonic(), 0
        self.unwritten: list[tuple[str, object]] = []

    def answers(self, questions: Sequence[LabelQuestion]) -> list[ScoredLabels]:
        """The masses of each question, in order; one that occurs twice is asked once."""
        keys = [question.key(self.made_by) for question in questions]
        known = {key: self._find(key) for key in dict.fromkeys(keys)}
        asked = {key: question for key, question in zip(keys, questions, strict=True) if known[key] is None}
        numbers = {question.number: key for key, question in asked.items()}
        self.task.advance(len(questions) - len(asked))
        new: dict[str, LabelMasses] = {}

        def found(question: LabelQuestion, masses: LabelMasses) -> None:
            key = numbers[question.number]
            new[key] = masses
            self._keep(key, masses)

        with contextlib.ExitStack() as stack:
            stack.callback(self._write)  # also where the run is interrupted
            self.scorer.score(list(asked.values()), found)
        told, first = [], set[str]()
        for key in keys:
            before = known[key]
            told.append(ScoredLabels(before, True) if before is not None else ScoredLabels(new[key], key in first))
            first.add(key)
        return told

    def _find(self, key: str) -> LabelMasses | None:
        value = self.file.find(key)
        try:
            return None if value is None else masses_from(value)
        except DataError as error:
            raise self.file.damaged(error) from error

    def _keep(self, key: str, masses: LabelMasses) -> None:
        self.read += masses.prompt_tokens or 0
        if masses.lasting:
            self.unwritten.append((key, masses.to_json()))
            if len(self.unwritten) >= COMMIT:
                self._write()
        self.task.advance(1, tokens_per_second=self.read / max(time.monotonic() - self.started, 1e-9))

    def _write(self) -> None:
        self.file.keep(self.unwritten)
        self.unwritten.clear()
