"""How right a judge is on labelled comparisons, and how consistent over orders of showing, each with its interval."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.judge.margins import consistent
from rewardsmith.judge.verdicts import RecordVerdict
from rewardsmith.pipelines.evaluate.judged_columns import JudgedPair, share_of
from rewardsmith.records import Record

JudgedRecord = tuple[Record, RecordVerdict]


def accuracy_of(judged: Sequence[JudgedRecord]) -> dict[str, Any] | None:
    """The share of decided comparisons that the judge prefers as labelled, equal rewards half; None without any label.

    `accuracy` is over those that could be read, with its interval by prompt, `unread` counts the others, and
    `accuracy_unread_half` counts each of them half, as a coin would do.
    """
    pairs, unread = [], 0
    for record, verdict in judged:
        for c in record.comparisons:
            if c.is_tie or c.weight == 0:
                continue
            lead = float(verdict.rewards[c.i] - verdict.rewards[c.j])
            if lead == lead:
                pairs.append(JudgedPair(lead, c.weight, record.prompt_id))
            else:
                unread += 1
    if not pairs:
        return {"accuracy": None, "comparisons": 0, "unread": unread} if unread else None
    found = share_of(pairs, "accuracy", "comparisons")
    whole = (found["accuracy"] * len(pairs) + unread / 2) / (len(pairs) + unread)
    return {**found, "unread": unread, "accuracy_unread_half": whole}


def consistency_of(judged: Sequence[JudgedRecord]) -> dict[str, Any] | None:
    """The share of pairs on which all orders of showing agree, with its interval by prompt; None where one is shown."""
    pairs = [
        JudgedPair(1.0 if consistent(values) else -1.0, 1.0, record.prompt_id)
        for record, verdict in judged
        for values in verdict.orders.values()
    ]
    return share_of(pairs, "order_consistency", "pairs") if pairs else None


def share_text(found: Mapping[str, Any], name: str) -> str:
    """A share with its interval, as a person reads it."""
    ends = found.get("interval")
    return f"{found[name]:.1%}" + (f" [{ends[0]:.1%}, {ends[1]:.1%}]" if ends else "")
