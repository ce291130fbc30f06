"""Chatbot-arena battles: two whole conversations and a winner, in the order the judge saw them."""

from dataclasses import replace
from itertools import chain
from typing import Any

from rewardsmith.data.formats.building import models
from rewardsmith.data.formats.dialogues import message_list, response, split_common, with_system
from rewardsmith.data.input.fields import Columns, as_list, as_text, required, text
from rewardsmith.data.input.rows import RowError, parse
from rewardsmith.records import Comparison, Conversation, Message, Record

WINNERS = {"model_a": 0, "model_b": 1, "tie": None, "tie (bothbad)": None, "both_bad": None}
BOTH_BAD = ("tie (bothbad)", "both_bad")
GENERATORS = (("model_a",), ("model_b",))
WON = ("winner_model_a", "winner_model_b", "winner_tie")


def arena(row: Columns) -> Record:
    """Battles as LMSYS and LMArena publish them; a tie between bad answers keeps that as the field `both_bad`."""
    record = battle(row, *(message_list(required(row, name), name) for name in ("conversation_a", "conversation_b")))
    said = text(row, "winner")
    if said not in WINNERS:
        raise RowError("no_judgement", f"the winner is {said[:40]!r}; expected {', '.join(WINNERS)}; drop the row")
    fields = {"both_bad": True} if said in BOTH_BAD else {}
    return replace(record, comparisons=(decided(WINNERS[said]),), fields=fields)


def arena_columns(row: Columns) -> Record:
    """arena-human-preference-55k: the turns of each side as a JSON list of texts, and three columns for the winner."""
    prompts, *answers = (turns_of(row, name) for name in ("prompt", "response_a", "response_b"))
    lengths = {len(prompts), *map(len, answers)}
    if len(lengths) != 1:
        raise RowError(
            "wrong_length",
            f"prompt has {len(prompts)} turns, the responses {len(answers[0])} and {len(answers[1])}; expected as many",
        )
    record = battle(row, *(alternating(prompts, each) for each in answers))
    return replace(record, comparisons=(decided(winner_of(row)),))


def winner_of(row: Columns) -> int | None:
    """The one of the three columns WON that is 1: 0 or 1 for a side, None for a tie."""
    won = [row.get(name, 0) for name in WON]
    if any(isinstance(value, bool) or value not in (0, 1) for value in won) or sum(won) != 1:
        given = ", ".join(str(value)[:20] for value in won)
        raise RowError("no_judgement", f"{', '.join(WON)} are {given}; expected one 1 and two 0; drop the row")
    return None if won[2] else won.index(1)


def battle(row: Columns, a: Conversation, b: Conversation) -> Record:
    """The two sides without a judgement: the turns they share are the prompt."""
    if not (a and b):
        raise RowError("empty_response", "the conversation has no turns; expected a response; drop the row")
    prompt, both = split_common([a, b])
    generators = models(row, 2, GENERATORS)
    found = tuple(response(turns, "conversation", generator=name) for turns, name in zip(both, generators, strict=True))
    if found[0].messages == found[1].messages:
        raise RowError(
            "identical_responses", "both conversations are the same; expected two different responses; drop the row"
        )
    return Record(with_system(prompt, row.get("system")), found)


def decided(winner: int | None) -> Comparison:
    """The comparison that a winner, or None for a tie, amounts to."""
    return Comparison(0, 1, 0.5) if winner is None else Comparison(winner, 1 - winner)


def alternating(prompts: list[str], answers: list[str]) -> Conversation:
    """A conversation from what the user said and what one side answered."""
    return tuple(
        chain.from_iterable(
            (Message("user", prompt), Message("assistant", answer))
            for prompt, answer in zip(prompts, answers, strict=True)
        )
    )


def turns_of(row: Columns, name: str) -> list[str]:
    """The texts of a JSON list that the source writes as text (or that is a list already)."""
    value: Any = required(row, name)
    if isinstance(value, str):
        try:
            value = parse(b'{"turns":' + value.encode() + b"}")["turns"]
        except (RowError, KeyError) as error:
            code = error.code if isinstance(error, RowError) else "broken_json"
            raise RowError(code, f"{name} is not a JSON list of texts ({error})") from None
    return [as_text(turn, f"{name}[{at}]") for at, turn in enumerate(as_list(value, name))]
