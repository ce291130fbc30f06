"""What waits to be computed: the texts of one request, cut into units that one forward pass can hold."""

import heapq
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rewardsmith.model.scorer import Sequences
from rewardsmith.scoring.trees import common_prefix

OPENING_TOKENS = 64
"""Texts without a known prompt are taken for answers to one where as many of their first tokens are equal."""
PASSED_OVER = 64
"""Units that do not fit into a forward pass, after which no more are looked at."""


class Unavailable(Exception):
    """There is no reward now, and there may be one later: `after` says in how many whole seconds to ask again."""

    def __init__(self, message: str, *, after: float, code: str) -> None:
        super().__init__(message)
        self.after, self.code = max(1, math.ceil(after)), code


@dataclass(frozen=True)
class TextOutput:
    """The reward of a text, the columns beside it, and where asked for the value at each token of its response."""

    reward: float
    columns: Mapping[str, float]
    values: tuple[float, ...] = ()


class ScoringModel(Protocol):
    """What the engine asks of a model, always from its own thread."""

    @property
    def shares(self) -> bool:
        """Whether texts with a common beginning are computed as a tree."""

    @property
    def own_thread(self) -> bool:
        """Whether it takes so long for a text (it writes, or asks others) that it would hold up all other models."""

    def compute(self, texts: Sequence[Sequences], budget: int) -> list[TextOutput]:
        """The outputs of texts (one sequence each) in order; `budget` is the tokens of one forward pass."""

    def along(self, text: Sequences) -> TextOutput:
        """The output of one text with the value at each token of its response."""


@dataclass(eq=False)
class EngineJob:
    """The texts of one request. `finish` is called once, from the thread that computes, when all are done or one failed."""

    model: ScoringModel
    texts: tuple[Sequences, ...]
    deadline: float
    finish: Callable[["EngineJob"], None]
    per_token: bool = False
    outputs: dict[int, TextOutput] = field(default_factory=dict)
    error: BaseException | None = None
    cancelled: bool = False

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.cancelled or self.error is not None or time.monotonic() > self.deadline

    def fail(self, error: BaseException) -> None:
        """End it with an error; later ones are not told."""
        if self.error is None and not self.cancelled:
            self.error = error
            self.finish(self)

    def done(self, outputs: Mapping[int, TextOutput]) -> None:
        """Some texts are computed."""
        self.outputs.update(outputs)
        if len(self.outputs) == len(self.texts) and not self.over:
            self.finish(self)


@dataclass(eq=False)
class WorkUnit:
    """Texts of a job with one prompt, by their numbers, whose tree has `tokens`; what is computed together or not at all."""

    job: EngineJob
    numbers: tuple[int, ...]
    tokens: int
    prompt: str
    taken: bool = False

    @property
    def sequences(self) -> list[Sequences]:
        """Its texts."""
        return [self.job.texts[number] for number in self.numbers]

    @property
    def begins(self) -> Sequences:
        """Its first text."""
        return self.job.texts[self.numbers[0]]


def units_of(job: EngineJob, budget: int) -> list[WorkUnit]:
    """The texts of a job by prompt, as many in a unit as the budget holds; a longer text is a unit of its own."""
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(job.texts):
        groups.setdefault(text.prompt, []).append(number)
    return [
        unit
        for prompt, numbers in groups.items()
        for unit in chunks(job, prompt, numbers, budget if not job.per_token else 0)
    ]


def chunks(job: EngineJob, prompt: str, numbers: Iterable[int], budget: int) -> list[WorkUnit]:
    """The texts of one prompt in their order."""
    found: list[WorkUnit] = []
    for number in numbers:
        last = found[-1] if found else None
        more = added(job.model, last.begins, job.texts[number]) if last else 0
        if last is not None and last.tokens + more <= budget:
            last.numbers, last.tokens = (*last.numbers, number), last.tokens + more
        else:
            found.append(WorkUnit(job, (number,), len(job.texts[number].ids[0]), prompt))
    return found


def added(model: ScoringModel, first: Sequences, text: Sequences) -> int:
    """Tokens that a text adds to a tree which begins as `first` does."""
    ids = text.ids[0]
    return len(ids) - (common_prefix([first.ids[0], ids]) if model.shares else 0)


@dataclass
class Waiting:
    """Units in the order in which they are due; not safe between threads by itself.

    Start-time fair queueing (Goyal, Vin and Cheng 1996): a unit is due at the virtual time at which its request would have
    been served so far, so that a request of a thousand texts does not hold up one that comes after it with a single text.
    """

    tokens: int = 0
    _heap: list[tuple[float, int, WorkUnit]] = field(default_factory=list)
    _alike: dict[tuple[int, str], list[WorkUnit]] = field(default_factory=dict)
    _now: float = 0.0
    _count: int = 0

    def __bool__(self) -> bool:
        return self.tokens > 0

    def put(self, units: Sequence[WorkUnit]) -> None:
        """Add the units of one job."""
        due = self._now
        for unit in units:
            self._count += 1
            heapq.heappush(self._heap, (due, self._count, unit))
            self._alike.setdefault(self._key(unit), []).append(unit)
            due += unit.tokens
            self.tokens += unit.tokens

    def take(self, budget: int, *, alone: bool) -> tuple[list[WorkUnit], list[WorkUnit]]:
        """(units to compute together, units that nobody waits for any more); the first where nothing is left is empty.

        With `alone` a single unit. Otherwise the first unit that is due, those with its prompt, and then others of its
        model in the order in which they are due, within the budget.
        """
        dropped: list[WorkUnit] = []
        first = self._first(dropped)
        if first is None:
            return [], dropped
        chosen, room = [self._take(first)], budget - first.tokens
        if alone or first.job.per_token:
            return chosen, dropped
        for unit in [*self._alike.get(self._key(first), ())]:
            more = sum(added(unit.job.model, first.begins, text) for text in unit.sequences)
            if more <= room and not unit.job.over and not unit.job.per_token:
                chosen.append(self._take(unit))
                room -= more
        chosen += self._others(first.job.model, room, dropped)
        return chosen, dropped

    def _others(self, model: ScoringModel, room: int, dropped: list[WorkUnit]) -> list[WorkUnit]:
        """Units of any prompt for the rest of a forward pass of `model`, in the order in which they are due."""
        chosen: list[WorkUnit] = []
        later: list[tuple[float, int, WorkUnit]] = []
        while room > 0 and self._heap and len(later) < PASSED_OVER:
            entry = heapq.heappop(self._heap)
            unit = entry[2]
            if unit.taken:
                continue
            if unit.job.over:
                dropped.append(self._take(unit))
            elif unit.job.model is model and unit.tokens <= room and not unit.job.per_token:
                chosen.append(self._take(unit))
                room -= unit.tokens
            else:
                later.append(entry)
        for entry in later:
            heapq.heappush(self._heap, entry)
        return chosen

    def _first(self, dropped: list[WorkUnit]) -> WorkUnit | None:
        """The unit that is due, those before it that nobody waits for put into `dropped`."""
        while self._heap:
            due, _, unit = heapq.heappop(self._heap)
            if unit.taken:
                continue
            if not unit.job.over:
                self._now = max(self._now, due)
                return unit
            dropped.append(self._take(unit))
        return None

    def _take(self, unit: WorkUnit) -> WorkUnit:
        unit.taken = True
        self.tokens -= unit.tokens
        key = self._key(unit)
        alike = self._alike[key]
        alike.remove(unit)
        if not alike:
            del self._alike[key]
        return unit

    @staticmethod
    def _key(unit: WorkUnit) -> tuple[int, str]:
        return id(unit.job.model), unit.prompt
