"""A few judged records for the terminal: what was asked about, what was answered, and what was read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.judge.definition import JudgeDefinition
from rewardsmith.pipelines.judge.agreement import JudgedRecord

WIDTH = 70
"""Characters of a text that are shown."""


def example_lines(judge: JudgeDefinition, judged: Sequence[JudgedRecord]) -> list[str]:
    """A few lines for each record."""
    return [line for one in judged for line in lines_of(judge, one)]


def lines_of(judge: JudgeDefinition, judged: JudgedRecord) -> Iterator[str]:
    """The prompt, and for each question the responses shown and the answers."""
    record, verdict = judged
    yield shortened(record.prompt[-1].content if record.prompt else "")
    for question, reading in verdict.asked:
        shown = ", ".join(str(place) for place in question.shown)
        name = judge.criteria[question.criterion].name
        about = f"  {shown} {name}:" if name else f"  {shown}:"
        for answer in reading.detail:
            yield f"{about} {answer_text(answer)}"
    yield "  = " + ", ".join("-" if value != value else f"{value:.3f}" for value in verdict.rewards)


def answer_text(answer: Mapping[str, Any]) -> str:
    """What was answered: text with its verdict, or the probabilities of labels."""
    problem = answer.get("problem", "")
    if "probabilities" in answer:
        masses = " ".join(f"{label} {mass:.2f}" for label, mass in answer["probabilities"].items())
        return f"{masses} {problem}".rstrip()
    read = problem or answer.get("verdict")
    return f"[{read}] {shortened(str(answer.get('text', answer.get('reason', ''))))}"


def shortened(text: str) -> str:
    """A text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
