"""A thread that computes: it takes what is due, and nothing else in the server touches its models."""

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rewardsmith.errors import RewardsmithError
from rewardsmith.model.scorer import Sequences
from rewardsmith.serve.engine.work import EngineJob, ScoringModel, TextOutput, Waiting, WorkUnit, units_of
from rewardsmith.serve.http.metrics import TEXTS, Histogram

TREE_BUDGETS = 4
"""Budgets that the tree of one prompt may take: where it is cut, the prompt is computed again for each part."""
OLD, NEW = 0.8, 0.2
"""Weights of the speed so far and of the last forward pass."""
LAST_WAIT = 2.0
"""Seconds that a thread has to end once it has been interrupted."""


class Abandoned(BaseException):
    """What ends the work of a thread that nobody waits for."""


@dataclass
class PassCounts:
    """What the thread has done since it began; read by others without a lock, so each number by itself is right."""

    passes: int = 0
    texts: int = 0
    tokens: int = 0
    dropped: int = 0
    failed: int = 0
    seconds: float = 0.0
    texts_of_passes: Histogram = field(default_factory=lambda: Histogram(TEXTS))


class Computing:
    """A thread with its queue. `budget` is the tokens of a forward pass; with `alone` each holds one tree of one request."""

    def __init__(
        self, budget: int, *, alone: bool, report: Callable[[BaseException], None], name: str = "rewardsmith-model"
    ) -> None:
        self.budget, self.alone, self.report = budget, alone, report
        self.counts = PassCounts()
        self.speed = 0.0
        self._waiting, self._changed = Waiting(), threading.Condition()
        self._closed, self._abandoned, self._in_hand = False, False, 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def tokens(self) -> int:
        """Tokens that wait, and those that are being computed."""
        return self._waiting.tokens + self._in_hand

    def put(self, job: EngineJob) -> None:
        """Let the texts of a job be computed when they are due."""
        units = units_of(job, TREE_BUDGETS * self.budget)
        with self._changed:
            self._waiting.put(units)
            self._changed.notify()

    def now(self, model: ScoringModel, texts: Sequence[Sequences]) -> list[TextOutput]:
        """The outputs of texts for a caller in another thread, which waits for them."""
        finished = threading.Event()
        job = EngineJob(model, tuple(texts), float("inf"), lambda _: finished.set())
        self.put(job)
        finished.wait()
        if job.error is not None:
            raise job.error
        return [job.outputs[number] for number in range(len(texts))]

    def end(self) -> None:
        """Compute what waits, then end; returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def close(self) -> None:
        """Compute what waits, then end; returns when it has ended."""
        self.end()
        if self._thread.is_alive():
            self._thread.join()

    def abandon(self) -> None:
        """End without computing what waits; returns within LAST_WAIT seconds.

        What is being computed is interrupted between two steps of Python. A thread that waits for a network meanwhile
        stays, and ends with the process.
        """
        self._abandoned = True
        self.end()
        if self._thread.is_alive() and self._in_hand:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread.ident or 0), ctypes.py_object(Abandoned)
            )
        self._thread.join(LAST_WAIT)

    def _run(self) -> None:
        while self._step():  # a function of its own, so that nothing holds the model while the thread waits
            self._in_hand = 0

    def _step(self) -> bool:
        """Compute what is due; False at the end."""
        units = self._next()
        if units is None:
            return False
        self._compute(units)
        return True

    def _next(self) -> list[WorkUnit] | None:
        """What is computed next; None at the end."""
        with self._changed:
            while not self._abandoned:
                units, dropped = self._waiting.take(self.budget, alone=self.alone)
                self.counts.dropped += sum(len(unit.numbers) for unit in dropped)
                if units:
                    self._in_hand = sum(unit.tokens for unit in units)
                    return units
                if self._closed:
                    return None
                self._changed.wait()
        return None

    def _compute(self, units: Sequence[WorkUnit]) -> None:
        """One forward pass; where it fails, each unit by itself, so that only those fail that have to."""
        started = time.monotonic()
        try:
            found = self._outputs(units)
        except BaseException as error:
            if self._abandoned:
                return
            if not isinstance(error, RewardsmithError):
                self.report(error)
            if len(units) > 1:
                for unit in units:
                    self._compute([unit])
                return
            self.counts.failed += len(units[0].numbers)
            units[0].job.fail(error)
            return
        self._count(units, time.monotonic() - started)
        for unit, outputs in zip(units, found, strict=True):
            unit.job.done(dict(zip(unit.numbers, outputs, strict=True)))

    def _outputs(self, units: Sequence[WorkUnit]) -> list[list[TextOutput]]:
        """The outputs of each unit's texts."""
        model = units[0].job.model
        texts = [text for unit in units for text in unit.sequences]
        if units[0].job.per_token:
            return [[model.along(text) for text in texts]]
        outputs = iter(model.compute(texts, max(self.budget, sum(unit.tokens for unit in units))))
        return [[next(outputs) for _ in unit.numbers] for unit in units]

    def _count(self, units: Sequence[WorkUnit], seconds: float) -> None:
        texts, tokens = sum(len(unit.numbers) for unit in units), sum(unit.tokens for unit in units)
        counts = self.counts
        counts.passes += 1
        counts.texts += texts
        counts.tokens += tokens
        counts.seconds += seconds
        counts.texts_of_passes.add(texts)
        speed = tokens / max(seconds, 1e-6)
        self.speed = speed if not self.speed else OLD * self.speed + NEW * speed
