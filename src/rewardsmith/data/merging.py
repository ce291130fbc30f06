"""Rows that share a prompt as one ranking, so that every text is stored and computed once."""

from collections.abc import Iterable
from dataclasses import replace

from rewardsmith.records import Comparison, Record, Response


def merge_prompts(records: Iterable[Record]) -> list[Record]:
    """Join records with the same prompt: their distinct responses, and every comparison between them.

    A ranking counts as one record (its comparisons share weight 1), as in Ouyang et al. 2022, section 3.5, where all
    comparisons of a prompt form one batch element. Ratings and fields are kept where only one record has the prompt.
    The merged record's place is that of its first row. Order: first appearance of each prompt and response.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.prompt_id, []).append(record)
    return [group[0] if len(group) == 1 else merged(group) for group in groups.values()]


def merged(group: list[Record]) -> Record:
    """One record from several with the same prompt; equal responses become one."""
    index: dict[tuple[tuple[str, str], ...], int] = {}
    responses: list[Response] = []
    comparisons: list[Comparison] = []
    for record in group:
        places = []
        for response in record.responses:
            key = tuple((message.role, message.content) for message in response.messages)
            if key not in index:
                index[key] = len(responses)
                responses.append(response)
            places.append(index[key])
        for comparison in record.comparisons:
            i, j = places[comparison.i], places[comparison.j]
            if i != j:
                shown = None if comparison.shown_first is None else places[comparison.shown_first]
                comparisons.append(replace(comparison, i=i, j=j, shown_first=shown))
    return Record(group[0].prompt, tuple(responses), tuple(comparisons), source=group[0].source, line=group[0].line)
