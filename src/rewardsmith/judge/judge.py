"""A judge at work: questions about records, their answers, and what they come to."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from rewardsmith.errors import ContractError, OutputError
from rewardsmith.files.places import models_folder
from rewardsmith.generate.answering import KeptGenerator, KeptSample
from rewardsmith.generate.candidates import Candidate, TextGenerator
from rewardsmith.generate.store import KeyedFile, Store, open_file
from rewardsmith.judge.asking.kept_labels import KeptLabels, ScoredLabels
from rewardsmith.judge.asking.labels import FAILED, LITTLE_MASS, LabelQuestion, LabelScorer
from rewardsmith.judge.counts import JudgeCounts
from rewardsmith.judge.definition import JudgeDefinition
from rewardsmith.judge.parsing.answer import ParsedAnswer, choice_in, ranking_in, score_in
from rewardsmith.judge.questions import JudgeQuestion, question_count, questions_of
from rewardsmith.judge.readings import QuestionVerdicts
from rewardsmith.judge.verdicts import RecordVerdict, verdict_of
from rewardsmith.progress import SILENT, Progress, Task
from rewardsmith.records import Record

WINDOW = 256
"""Records whose questions are asked together; bounds memory."""
NotShown = str
"""Why a record cannot be shown to a judge."""


def kept_answers() -> Path:
    """The file of all judges' answers, beside the installed models; a judge file may name its own."""
    return models_folder().parent / "judgements.sqlite"


class Judge:
    """A definition with the model that it names: `asker` generates text or gives label probabilities.

    `file` keeps every answer by what was asked, so that nothing is asked twice; `note` says why it cannot, where it cannot.
    """

    def __init__(
        self, definition: JudgeDefinition, asker: "TextGenerator | LabelScorer", file: KeyedFile, note: str = ""
    ) -> None:
        self.definition, self.asker, self.file, self.note = definition, asker, file, note
        self.counts = JudgeCounts()

    def close(self) -> None:
        """Close the file of answers."""
        self.file.close()

    def verdicts(self, records: Sequence[Record], progress: Progress = SILENT) -> "Iterator[RecordVerdict | NotShown]":
        """What the judge comes to on each record, or why it cannot be shown it; streams in windows of WINDOW records."""
        total = sum(question_count(self.definition, record) for record in records) * self._answers_each
        started = time.monotonic()
        with progress.task("judging", total, "judgements") as task:
            answers = self._readings(task)
            queue = ((record, self._questions(record)) for record in records)
            while window := list(islice(queue, WINDOW)):
                flat = [question for _, each in window if not isinstance(each, str) for question in each]
                readings = iter(answers(flat))
                for record, each in window:
                    yield (
                        each
                        if isinstance(each, str)
                        else self._verdict(record, list(zip(each, readings, strict=False)))
                    )
        self.counts.seconds += time.monotonic() - started
        self.counts.retried = getattr(self.asker, "retried", 0)

    @property
    def _answers_each(self) -> int:
        """How many answers a question has."""
        return self.definition.sampling.n if self.definition.reading == "text" else 1

    def _questions(self, record: Record) -> list[JudgeQuestion] | NotShown:
        try:
            return questions_of(self.definition, record)
        except ContractError as error:
            return str(error)

    def _verdict(self, record: Record, asked: Sequence[tuple[JudgeQuestion, QuestionVerdicts]]) -> RecordVerdict:
        verdict = verdict_of(self.definition, asked, len(record.responses))
        self.counts.judged(verdict)
        return verdict

    def _readings(self, task: Task) -> Any:
        """A function from questions to their readings."""
        if self.definition.reading == "labels":
            return partial(self._by_labels, KeptLabels(self.asker, self.file, task))  # type: ignore[arg-type]
        store = Store(self.file, self.asker, self.definition.sampling)  # type: ignore[arg-type]
        return partial(self._by_text, KeptGenerator(self.asker, self.definition.sampling, store, task))  # type: ignore[arg-type]

    def _by_labels(self, kept: KeptLabels, questions: Sequence[JudgeQuestion]) -> list[QuestionVerdicts]:
        asked = [LabelQuestion(at, each.prompt, each.labels, each.cue) for at, each in enumerate(questions)]
        return [self._of_masses(each, found) for each, found in zip(questions, kept.answers(asked), strict=True)]

    def _of_masses(self, question: JudgeQuestion, found: ScoredLabels) -> QuestionVerdicts:
        masses, counts = found.masses, self.counts
        total = sum(masses.masses)
        counts.questions += 1
        counts.answers += 1
        counts.mass += total
        counts.used(masses.tokens, masses.prompt_tokens, kept=found.kept)
        detail = [{"probabilities": dict(zip(question.labels, masses.masses, strict=False))}]
        problem = masses.problem or (LITTLE_MASS if total < max(self.definition.least_mass, 1e-30) else "")
        if problem:
            counts.problem(problem, masses.reason)
            return QuestionVerdicts(problems={problem: 1}, detail=[{**detail[0], "problem": problem}])
        counts.readable += 1
        return QuestionVerdicts(question.labels, masses.masses, detail=detail)

    def _by_text(self, kept: KeptGenerator, questions: Sequence[JudgeQuestion]) -> list[QuestionVerdicts]:
        answers = kept.answers([each.prompt for each in questions])
        return [self._of_samples(each, found) for each, found in zip(questions, answers, strict=True)]

    def _of_samples(self, question: JudgeQuestion, samples: Sequence[KeptSample]) -> QuestionVerdicts:
        self.counts.questions += 1
        parsed = [self._parsed(question, sample) for sample in samples]
        verdicts = [each.verdict for each, _ in parsed if each.verdict is not None]
        return QuestionVerdicts(
            verdicts,
            [1.0] * len(verdicts),
            {each.problem: 1 for each, _ in parsed if each.problem},
            [detail for _, detail in parsed],
        )

    def _parsed(self, question: JudgeQuestion, sample: KeptSample) -> tuple[ParsedAnswer, Mapping[str, Any]]:
        counts, outcome = self.counts, sample.outcome
        counts.answers += 1
        if not isinstance(outcome, Candidate):
            counts.problem(FAILED, outcome.reason)
            return ParsedAnswer(None, FAILED), {"problem": FAILED, "reason": outcome.reason}
        counts.used(outcome.tokens, outcome.prompt_tokens, kept=sample.kept)
        found = read_answer(self.definition, question, outcome)
        if found.problem:
            counts.problem(found.problem)
        else:
            counts.readable += 1
            counts.forms.update([found.form] if found.form else [])
        detail = {
            "text": outcome.text,
            "reasoning": outcome.reasoning,
            "verdict": found.verdict,
            "problem": found.problem,
        }
        return found, {name: value for name, value in detail.items() if value not in (None, "")}


def read_answer(judge: JudgeDefinition, question: JudgeQuestion, answer: Candidate) -> ParsedAnswer:
    """What a generated answer says, by the grammar of its kind."""
    if judge.kind == "pairwise":
        return choice_in(answer, question.labels, ties=True)
    if judge.kind == "listwise":
        return ranking_in(answer, ascii_uppercase[: len(question.shown)])
    assert judge.scale is not None
    if judge.scale.numbers is None:
        return choice_in(answer, question.labels, ties=False)
    return score_in(answer, judge.scale.numbers)


def open_judge(
    definition: JudgeDefinition,
    *,
    device: str = "auto",
    dtype: str = "fp32",
    trust_remote_code: bool = False,
    cache: Path | None = None,
) -> Judge:
    """Open the model or API that a definition names; ModelError or MissingExtraError where it cannot be.

    Answers are kept in `cache`, else in the file that the definition names (OutputError where it cannot be used), else in
    `kept_answers()`, and where that cannot be used for this run alone.
    """
    asker = asker_of(definition, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
    chosen = cache or (Path(definition.cache) if definition.cache else None)
    if chosen is not None:
        return Judge(definition, asker, open_file(chosen))
    try:
        return Judge(definition, asker, open_file(kept_answers()))
    except OutputError as error:  # nobody has asked for this file
        return Judge(definition, asker, open_file(None), f"judgements are not kept for the next run: {error}")


def asker_of(
    judge: JudgeDefinition, *, device: str, dtype: str, trust_remote_code: bool
) -> "TextGenerator | LabelScorer":
    """What answers the questions."""
    by_labels, thinking = judge.reading == "labels", judge.sampling.thinking
    if judge.endpoint is not None:
        if not by_labels:
            from rewardsmith.generate.remote.generator import RemoteGenerator

            return RemoteGenerator(judge.endpoint)
        if judge.endpoint.route == "chat":
            from rewardsmith.judge.asking.chat import ChatLabels

            return ChatLabels(judge.endpoint, thinking)
        from rewardsmith.judge.asking.routes import RouteLabels

        return RouteLabels(judge.endpoint, thinking)
    from rewardsmith.generate.local.model import open_language_model

    model = open_language_model(str(judge.model), device=device, dtype=dtype, trust_remote_code=trust_remote_code)
    if by_labels:
        from rewardsmith.judge.asking.local import LocalLabels

        return LocalLabels(model, judge.batch, thinking)
    from rewardsmith.generate.local.generator import LocalGenerator

    return LocalGenerator(model, Path(str(judge.model)).name, judge.batch)
