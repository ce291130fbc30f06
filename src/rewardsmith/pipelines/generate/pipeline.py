"""Prompts → candidates → rows; every finished sample is kept, so that a killed run goes on where it was."""

import contextlib
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError
from rewardsmith.files import check_output_file, claimed, refuse_inside, write_jsonl
from rewardsmith.generate.candidates import Candidate, PromptRequest, SampleOutcome, Sampling, TextGenerator
from rewardsmith.generate.remote.endpoint import is_address
from rewardsmith.generate.store import Store, opened, remove
from rewardsmith.pipelines.generate.config import Config
from rewardsmith.pipelines.generate.reading import PromptRow, read_prompts
from rewardsmith.pipelines.generate.result import Counts, Result, cost_of
from rewardsmith.pipelines.generate.writing import row_of
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.records import Quarantined

WINDOW = 512
"""Prompts that are batched together; bounds memory, and fixes the batches of a local model."""
COMMIT = 32
"""Finished samples between two writes to the store."""


def generate_source(config: Config, progress: Progress = SILENT) -> Result:
    """Generate candidates for every prompt of a source; the output appears whole or not at all."""
    with claimed(config.output):
        refuse_inside(config.output, [config.model, *input_files([config.source])])
        check_output_file(config.output, overwrite=config.overwrite)
        prompts = all_prompts(config, progress)
        generator = open_generator(config)
        path = config.cache or config.output.with_name(f"{config.output.name}.candidates.sqlite")
        with opened(path, generator, config.sampling()) as store:
            result = written(config, prompts, generator, store, progress)
        if config.cache is None and not result.counts.failed:
            remove(path)
    return result


def all_prompts(config: Config, progress: Progress) -> list[PromptRow | Quarantined]:
    """Every row that is asked for; DataError where there is none, or one is invalid and --strict is given."""
    rows = read_prompts(config.source, columns=parse_renames(config.map), system=config.system, note=progress.note)
    found = list(islice(rows, config.max_rows))
    bad = next((row for row in found if isinstance(row, Quarantined)), None)
    if bad is not None and (config.strict or not any(isinstance(row, PromptRow) for row in found)):
        raise DataError(f"{bad.file}:{bad.line}: {bad.reason}")
    if not found:
        raise DataError(f"{config.source} contains no prompts")
    return found


def open_generator(config: Config) -> TextGenerator:
    """The model or API that the settings name."""
    if is_address(config.model):
        from rewardsmith.generate.remote.generator import RemoteGenerator

        return RemoteGenerator(config.endpoint())
    from rewardsmith.generate.local.generator import LocalGenerator
    from rewardsmith.generate.local.model import open_language_model

    model = open_language_model(
        config.model, device=config.device, dtype=config.dtype, trust_remote_code=config.trust_remote_code
    )
    return LocalGenerator(model, Path(config.model).name, config.batch)


def written(
    config: Config, prompts: list[PromptRow | Quarantined], generator: TextGenerator, store: Store, progress: Progress
) -> Result:
    """Generate what is missing and write the output."""
    counts, started, sampling = Counts(), time.monotonic(), config.sampling()
    total = sum(isinstance(prompt, PromptRow) for prompt in prompts)
    with progress.task("generating", total * sampling.n, "samples") as task:
        work = Work(generator, sampling, store, counts, task)
        rows = work.rows(prompts)
        write_jsonl(config.output, rows)
    return Result(
        total,
        len(prompts) - total,
        sampling.n,
        counts,
        time.monotonic() - started,
        getattr(generator, "retried", 0),
        cost_of(counts, config.price_in, config.price_out),
        str(config.output),
        None if config.cache is None else str(config.cache),
    )


class Work:
    """One run: the generator, what it has made, and what is told of it."""

    def __init__(self, generator: TextGenerator, sampling: Sampling, store: Store, counts: Counts, task: Task) -> None:
        self.generator, self.sampling, self.store, self.counts, self.task = generator, sampling, store, counts, task
        self.started = time.monotonic()
        self.made = 0
        self.unwritten: list[tuple[PromptRequest, int, Candidate]] = []

    def rows(self, prompts: list[PromptRow | Quarantined]) -> Iterator[dict[str, Any]]:
        """A row for every prompt, in order."""
        for start in range(0, len(prompts), WINDOW):
            window = prompts[start : start + WINDOW]
            outcomes = self._answered([prompt for prompt in window if isinstance(prompt, PromptRow)])
            for prompt in window:
                if isinstance(prompt, Quarantined):
                    yield self._refused(prompt)
                else:
                    yield row_of(prompt, next(outcomes), self.generator.name)

    def _refused(self, row: Quarantined) -> dict[str, Any]:
        error = f"{row.file}:{row.line}: {row.reason}"
        self.counts.problems.append(error)
        return {"refused": error, "source": row.file, "line": row.line}

    def _answered(self, prompts: list[PromptRow]) -> Iterator[list[SampleOutcome]]:
        """The samples of each prompt in order; a prompt that occurs twice is answered once."""
        distinct = list(dict.fromkeys(prompt.turns for prompt in prompts))
        found: dict[tuple[int, int], SampleOutcome] = {}
        kept: set[tuple[int, int]] = set()
        requests = []
        for number, turns in enumerate(distinct):
            asked = PromptRequest(number, turns, tuple(range(self.sampling.n)))
            known = {sample: self.store.find(asked, sample) for sample in asked.samples}
            there = {(number, sample): each for sample, each in known.items() if each is not None}
            found |= there
            kept |= there.keys()
            requests.append(PromptRequest(number, turns, tuple(k for k, each in known.items() if each is None)))
        self.task.advance(len(kept))

        def finished(request: PromptRequest, sample: int, outcome: SampleOutcome) -> None:
            found[request.number, sample] = outcome
            self._keep(request, sample, outcome)

        with contextlib.ExitStack() as stack:
            stack.callback(self._write)  # also where the run is interrupted
            self.generator.generate(requests, self.sampling, finished)
        return self._counted(prompts, {turns: number for number, turns in enumerate(distinct)}, found, kept)

    def _counted(
        self,
        prompts: list[PromptRow],
        numbers: dict[Any, int],
        found: dict[tuple[int, int], SampleOutcome],
        kept: set[tuple[int, int]],
    ) -> Iterator[list[SampleOutcome]]:
        seen: set[int] = set()
        for prompt in prompts:
            number = numbers[prompt.turns]
            outcomes = [found[number, sample] for sample in range(self.sampling.n)]
            for sample, outcome in enumerate(outcomes):
                again = number in seen or (number, sample) in kept
                self.counts.add(outcome, f"{prompt.source}:{prompt.line}", sample, kept=again)
            seen.add(number)
            yield outcomes

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
