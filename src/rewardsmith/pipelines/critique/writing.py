"""`rewardsmith critique`: responses → the same records with a critique of each, by a language model or an API."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from rewardsmith.critique.given import FIELD, given_critiques
from rewardsmith.critique.turns import REQUESTS, CritiqueLanguage
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.renaming import parse_renames
from rewardsmith.data.loading.load import iterate_rows
from rewardsmith.errors import DataError
from rewardsmith.files import write_jsonl
from rewardsmith.generate.candidates import Candidate, SampleOutcome, TextGenerator
from rewardsmith.generate.store import Store
from rewardsmith.pipelines.generate import config as generation
from rewardsmith.pipelines.generate.pipeline import WINDOW, Work, into_output
from rewardsmith.pipelines.generate.reading import PromptRow, place_of
from rewardsmith.pipelines.generate.result import NAMED, Counts, cost_of, remarks
from rewardsmith.progress import SILENT, Progress
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Conversation, Message, Quarantined, Record


@dataclass(frozen=True, kw_only=True)
class Config(generation.Config):
    """Settings of `rewardsmith critique`."""

    source: str
    """File or folder with responses to write critiques of: preference data of any format, or candidates."""
    output: Path
    """Output file in JSON Lines: each record with `critiques` in its fields, as `train --head cloud` reads them."""
    max_tokens: int = 512
    """Most tokens of a critique, reasoning included."""
    temperature: float = 0.0
    """Sampling temperature; 0 takes the likeliest token (greedy decoding)."""
    language: CritiqueLanguage = "auto"
    """Language of the request for a critique: en, zh, or auto (Chinese for Chinese conversations, else English)."""
    n: ClassVar[int] = 1  # type: ignore[misc]
    logprobs: ClassVar[bool] = False  # type: ignore[misc]


@dataclass(frozen=True)
class Result:
    """What was written: `critiques` of the responses of `rows` records, beside `given` ones that the data had already.

    `missing` responses have none, because the request failed or nothing but reasoning came; `exit_code` is then 1.
    `refused` rows could not be read. Tokens and cost as of `generate`.
    """

    rows: int
    critiques: int
    given: int
    missing: int
    refused: int
    counts: Counts
    seconds: float
    retried: int
    cost: float | None
    output: str

    @property
    def exit_code(self) -> int:
        """1 where a critique is missing."""
        return int(bool(self.missing))

    def to_json(self) -> dict[str, Any]:
        """The fields by name, the counts beside them."""
        own = {name: value for name, value in self.__dict__.items() if name != "counts"}
        return {**self.counts.__dict__, **own}

    def to_text(self) -> str:
        """How many critiques, and all that is not as it should be."""
        lines = [f"wrote {self.critiques} critiques of the responses of {self.rows} records → {self.output}"]
        if self.given:
            lines.append(f"{self.given} responses had a critique already, which was kept")
        lines += [sentence for number, sentence in remarks(self.counts, self.retried, 0) if number]
        if self.refused:
            lines.append(f"{self.refused} rows could not be read and have `refused` instead of responses")
        if self.cost is not None:
            lines.append(f"cost {self.cost:.4f}")
        return "\n".join([*lines, *self.counts.problems[:NAMED]])


def critique_source(config: Config, progress: Progress = SILENT) -> Result:
    """Write a critique of every response of a source that has none; the output appears whole or not at all."""
    return into_output(
        config,
        lambda: read_rows(config, progress),
        lambda rows, generator, store: written(config, rows, generator, store, progress),
    )


def written(
    config: Config, rows: Sequence[Record | Quarantined], generator: TextGenerator, store: Store, progress: Progress
) -> Result:
    """Write what is missing, and the output."""
    counts, started = Counts(), time.monotonic()
    records = [row for row in rows if isinstance(row, Record)]
    wanted = sum(given_critiques(record).count(None) for record in records)
    with progress.task("generating", wanted, "samples") as task:
        work = Work(generator, config.sampling(), store, counts, task)
        stretches = (rows[start : start + WINDOW] for start in range(0, len(rows), WINDOW))
        write_jsonl(config.output, (row for some in stretches for row in critiqued_rows(config, work, some, counts)))
    return Result(
        len(records),
        counts.responses,
        sum(len(record.responses) for record in records) - wanted,
        wanted - counts.responses,
        len(rows) - len(records),
        counts,
        time.monotonic() - started,
        getattr(generator, "retried", 0),
        cost_of(counts, config.price_in, config.price_out),
        str(config.output),
    )


def read_rows(config: Config, progress: Progress) -> list[Record | Quarantined]:
    """The rows of the source; DataError where none has a response, or one cannot be read and --strict is given."""
    found: list[Record | Quarantined] = []
    rows = iterate_rows(config.source, strict=config.strict, columns=parse_renames(config.map), note=progress.note)
    for read in islice(rows, config.max_rows):
        item = read.item
        if isinstance(item, Record | Quarantined):
            found.append(item)
        else:
            found.append(
                Quarantined(*place_of(read), "plain_text", "plain text contains no responses to criticise", "")
            )
    if not any(isinstance(item, Record) for item in found):
        raise DataError(f"{config.source} contains no responses; expected preference data or candidates")
    return found


def critiqued_rows(
    config: Config, work: Work, rows: Sequence[Record | Quarantined], counts: Counts
) -> Iterator[dict[str, Any]]:
    """Each row with the critiques of its responses, in order."""
    records = [row for row in rows if isinstance(row, Record)]
    prompts = [
        PromptRow(request_of(record, index, config), source=record.source, line=record.line)
        for record in records
        for index, text in enumerate(given_critiques(record))
        if text is None
    ]
    outcomes = work.answered(prompts)
    for row in rows:
        if isinstance(row, Quarantined):
            error = f"{row.file}:{row.line}: {row.reason}"
            counts.problems.append(error)
            yield {"refused": error, "source": row.file, "line": row.line}
            continue
        texts = [text if text is not None else text_of(next(outcomes)) for text in given_critiques(row)]
        yield to_row(replace(row, fields={**row.fields, FIELD: texts}))


def request_of(record: Record, index: int, config: Config) -> Conversation:
    """What the language model is asked about one response."""
    prompt = "\n\n".join(f"{turn.role}: {turn.content}" for turn in record.prompt)
    response = "\n\n".join(turn.content for turn in record.responses[index].messages)
    spoken = language_of(f"{prompt}\n{response}") if config.language == "auto" else config.language
    asked = REQUESTS["zh" if spoken == "zh" else "en"].format(prompt=prompt, response=response)
    system = () if config.system is None else (Message("system", config.system),)
    return (*system, Message("user", asked))


def text_of(outcomes: Sequence[SampleOutcome]) -> str | None:
    """The critique that came; None where none did."""
    (only,) = outcomes
    return (only.text.strip() or None) if isinstance(only, Candidate) else None
