"""Prompts → candidates → rows; every finished sample is kept, so that a killed run goes on where it was."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.splits.sources import input_files
from rewardsmith.errors import DataError
from rewardsmith.files import check_output_file, claimed, refuse_inside, write_jsonl
from rewardsmith.generate.answering import KeptGenerator, KeptSample
from rewardsmith.generate.candidates import SampleOutcome, Sampling, TextGenerator
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


def generate_source(config: Config, progress: Progress = SILENT) -> Result:
    """Generate candidates for every prompt of a source; the output appears whole or not at all."""
    return into_output(
        config,
        lambda: all_prompts(config, progress),
        lambda rows, generator, store: written(config, rows, generator, store, progress),
    )


class CountedResult(Protocol):
    """A result that says how many answers failed."""

    @property
    def counts(self) -> Counts:
        """What was counted."""


SourceRows = TypeVar("SourceRows")
AnyResult = TypeVar("AnyResult", bound=CountedResult)


def into_output(
    config: Config, read: Callable[[], SourceRows], write: Callable[[SourceRows, TextGenerator, Store], AnyResult]
) -> AnyResult:
    """Claim the output, read the rows, then write with the generator that the settings name.

    What a killed run keeps is removed at the end, unless an answer failed or the settings name its place.
    """
    with claimed(config.output):
        refuse_inside(config.output, [config.model, *input_files([config.source])])
        check_output_file(config.output, overwrite=config.overwrite)
        rows = read()
        generator = open_generator(config)
        path = config.cache or config.output.with_name(f"{config.output.name}.candidates.sqlite")
        with opened(path, generator, config.sampling()) as store:
            result = write(rows, generator, store)
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
    """One run: the generator with its store, and what is counted of it."""

    def __init__(self, generator: TextGenerator, sampling: Sampling, store: Store, counts: Counts, task: Task) -> None:
        self.answering, self.name, self.counts = KeptGenerator(generator, sampling, store, task), generator.name, counts

    def rows(self, prompts: list[PromptRow | Quarantined]) -> Iterator[dict[str, Any]]:
        """A row for every prompt, in order."""
        for start in range(0, len(prompts), WINDOW):
            window = prompts[start : start + WINDOW]
            outcomes = self.answered([prompt for prompt in window if isinstance(prompt, PromptRow)])
            for prompt in window:
                if isinstance(prompt, Quarantined):
                    yield self._refused(prompt)
                else:
                    yield row_of(prompt, next(outcomes), self.name)

    def answered(self, prompts: Sequence[PromptRow]) -> Iterator[list[SampleOutcome]]:
        """The samples of each prompt in order, counted; a prompt that occurs twice is answered once."""
        answers = self.answering.answers([prompt.turns for prompt in prompts])
        return (self._counted(prompt, samples) for prompt, samples in zip(prompts, answers, strict=True))

    def _refused(self, row: Quarantined) -> dict[str, Any]:
        error = f"{row.file}:{row.line}: {row.reason}"
        self.counts.problems.append(error)
        return {"refused": error, "source": row.file, "line": row.line}

    def _counted(self, prompt: PromptRow, samples: list[KeptSample]) -> list[SampleOutcome]:
        for number, sample in enumerate(samples):
            self.counts.add(sample.outcome, f"{prompt.source}:{prompt.line}", number, kept=sample.kept)
        return [sample.outcome for sample in samples]
