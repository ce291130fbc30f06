"""Prompts → their samples, those that a store has and those that are generated now; every finished one is kept."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rewardsmith.generate.candidates import Candidate, PromptRequest, SampleOutcome, Sampling, TextGenerator
from rewardsmith.generate.store import Store
from rewardsmith.progress import Task
from rewardsmith.records import Conversation

COMMIT = 32
"""Finished samples between two writes to the store."""


class KeptSample(NamedTuple):
    """One sample; `kept` where it was there before: from an earlier run, or of an earlier prompt with the same words."""

    outcome: SampleOutcome
    kept: bool


class KeptGenerator:
    """A generator with a store in front of it; `task` gets one step a sample, and the tokens per second of new ones."""

    def __init__(self, generator: TextGenerator, sampling: Sampling, store: Store, task: Task) -> None:
        self.generator, self.sampling, self.store, self.task = generator, sampling, store, task
        self.started = time.monotonic()
        self.made = 0
        self.unwritten: list[tuple[PromptRequest, int, Candidate]] = []

    def answers(self, prompts: Sequence[Conversation]) -> Iterator[list[KeptSample]]:
        """The samples of each prompt, in order; a prompt that occurs twice is answered once."""
        distinct = list(dict.fromkeys(prompts))
        found: dict[tuple[int, int], SampleOutcome] = {}
        requests = []
        for number, turns in enumerate(distinct):
            asked = PromptRequest(number, turns, tuple(range(self.sampling.n)))
            known = {sample: self.store.find(asked, sample) for sample in asked.samples}
            found |= {(number, sample): each for sample, each in known.items() if each is not None}
            requests.append(PromptRequest(number, turns, tuple(k for k, each in known.items() if each is None)))
        kept = set(found)
        self.task.advance(len(kept))

        def finished(request: PromptRequest, sample: int, outcome: SampleOutcome) -> None:
            found[request.number, sample] = outcome
            self._keep(request, sample, outcome)

        with contextlib.ExitStack() as stack:
            stack.callback(self._write)  # also where the run is interrupted
            self.generator.generate(requests, self.sampling, finished)
        return self._in_order(prompts, {turns: number for number, turns in enumerate(distinct)}, found, kept)

    def _in_order(
        self,
        prompts: Sequence[Conversation],
        numbers: dict[Conversation, int],
        found: dict[tuple[int, int], SampleOutcome],
        kept: set[tuple[int, int]],
    ) -> Iterator[list[KeptSample]]:
        seen: set[int] = set()
        for turns in prompts:
            number = numbers[turns]
            again = number in seen
            yield [KeptSample(found[number, k], again or (number, k) in kept) for k in range(self.sampling.n)]
            seen.add(number)

    def _keep(self, request: PromptRequest, sample: int, outcome: SampleOutcome) -> None:
        if isinstance(outcome, Candidate):
            self.made += outcome.tokens or 0
            self.unwritten.append((request, sample, outcome))
            if len(self.unwritten) >= COMMIT:
                self._write()
        self.task.advance(1, tokens_per_second=self.made / max(time.monotonic() - self.started, 1e-9))

    def _write(self) -> None:
        self.store.keep(self.unwritten)
        self.unwritten.clear()
