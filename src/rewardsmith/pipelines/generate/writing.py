"""A prompt and what was generated → one row in the package's own format."""

from collections.abc import Sequence
from typing import Any

from rewardsmith.data.formats.native import message_row, to_row
from rewardsmith.generate.candidates import Candidate, Failed, SampleOutcome
from rewardsmith.pipelines.generate.reading import PromptRow
from rewardsmith.records import Message, Record, Response


def row_of(prompt: PromptRow, outcomes: Sequence[SampleOutcome], generator: str) -> dict[str, Any]:
    """The row: the prompt, its responses in the order of their samples, and the row's other columns as `fields`.

    `fields` also get, one per response, `finish_reasons`, `completion_tokens` and `logprobs` (the latter two where known);
    `unanswered` lists the samples that did not get beyond their reasoning, and `failed` those that could not be had.
    """
    answered = [each for each in outcomes if isinstance(each, Candidate) and each.text.strip()]
    fields: dict[str, Any] = {**prompt.fields, **told_of(answered), **left_over(outcomes)}
    if not answered:  # a record has at least one response
        said = {"prompt": [message_row(turn) for turn in prompt.turns], "responses": [], "comparisons": []}
        return {**said, "fields": fields, "source": prompt.source, "line": prompt.line}
    responses = tuple(
        Response((Message("assistant", each.text, each.reasoning),), generator=generator) for each in answered
    )
    return to_row(Record(prompt.turns, responses, fields=fields, source=prompt.source, line=prompt.line))


def told_of(answered: Sequence[Candidate]) -> dict[str, list[Any]]:
    """One value per response: why it ended, and what is known of its tokens."""
    known: dict[str, list[Any]] = {
        "completion_tokens": [each.tokens for each in answered],
        "logprobs": [each.logprob for each in answered],
    }
    found = {name: values for name, values in known.items() if any(value is not None for value in values)}
    return {"finish_reasons": [each.finish for each in answered], **found}


def left_over(outcomes: Sequence[SampleOutcome]) -> dict[str, list[dict[str, Any]]]:
    """The samples without an answer, by their number."""
    unanswered = [
        {
            "sample": number,
            "finish_reason": each.finish,
            "completion_tokens": each.tokens,
            "reasoning_content": each.reasoning,
        }
        for number, each in enumerate(outcomes)
        if isinstance(each, Candidate) and not each.text.strip()
    ]
    failed = [{"sample": k, "error": each.reason} for k, each in enumerate(outcomes) if isinstance(each, Failed)]
    return {name: found for name, found in (("unanswered", unanswered), ("failed", failed)) if found}
