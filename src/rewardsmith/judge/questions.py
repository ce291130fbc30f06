"""A record → what a judge is asked about it: which responses it is shown, in which order, in whose words."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from string import ascii_uppercase

from rewardsmith.errors import ContractError
from rewardsmith.judge.definition import JudgeDefinition
from rewardsmith.judge.wording.filling import filled
from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Conversation, Message, Record

BLOCK = {"en": "<response {letter}>\n{text}\n</response {letter}>", "zh": "<回答 {letter}>\n{text}\n</回答 {letter}>"}
ROLES = {
    "en": {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"},
    "zh": {"system": "系统", "user": "用户", "assistant": "助手", "tool": "工具"},
}
PAIR = ("A", "B")


@dataclass(frozen=True)
class JudgeQuestion:
    """One thing asked: of the responses `shown` (places in the record, in the order of showing) and one criterion (its
    place in the definition), in the language `lang`; `labels` are the possible answers, `cue` how one begins.
    """

    shown: tuple[int, ...]
    criterion: int
    lang: str
    prompt: Conversation
    labels: tuple[str, ...]
    cue: str


def questions_of(judge: JudgeDefinition, record: Record) -> list[JudgeQuestion]:
    """All that is asked about a record; ContractError for one that this kind of judge cannot be shown.

    Pairwise: every pair in both orders, K (K − 1) questions a criterion. Listwise: as many orders as the definition says,
    the first by the content's hash, the second its reverse, and no more than there are.
    """
    lang = language(judge, record)
    return [
        question(judge, record, shown, criterion, lang)
        for criterion in range(len(judge.criteria))
        for shown in orders(judge, record)
    ]


def question_count(judge: JudgeDefinition, record: Record) -> int:
    """How many questions `questions_of` gives, without their words; 0 for a record that cannot be shown."""
    try:
        return len(judge.criteria) * sum(1 for _ in orders(judge, record))
    except ContractError:
        return 0


def orders(judge: JudgeDefinition, record: Record) -> Iterator[tuple[int, ...]]:
    """Which responses are shown together, in which order."""
    count = len(record.responses)
    if judge.kind == "pointwise":
        yield from ((place,) for place in range(count))
        return
    if count < 2:
        raise ContractError(f"the record has one response; a {judge.kind} judge compares at least two")
    if judge.kind == "pairwise":
        yield from permutations(range(count), 2)
        return
    if count > len(ascii_uppercase):
        raise ContractError(
            f"the record has {count} responses; a listwise judge is shown at most {len(ascii_uppercase)}"
        )
    yield from shuffled(record, judge.permutations)


def shuffled(record: Record, wanted: int) -> list[tuple[int, ...]]:
    """Orders of a record's responses, by its content: a random one and its reverse, another one and its reverse, …"""
    places = list(range(len(record.responses)))
    if len(places) == 2:
        return [(0, 1), (1, 0)]
    draw = random.Random(int.from_bytes(hashlib.sha256(record.id.encode()).digest()[:8], "big"))
    most = 6 if len(places) == 3 else wanted
    found: dict[tuple[int, ...], None] = {}
    while len(found) < min(wanted, most):
        draw.shuffle(places)
        found |= {tuple(places): None, tuple(reversed(places)): None}
    return list(found)[:wanted]


def question(
    judge: JudgeDefinition, record: Record, shown: tuple[int, ...], criterion: int, lang: str
) -> JudgeQuestion:
    """One question, in words."""
    values = {
        "prompt": spoken(record.prompt, lang),
        "criterion": judge.criteria[criterion].text.get(lang) or next(iter(judge.criteria[criterion].text.values())),
        **ends(judge),
    }
    texts = [response_text(record, place, lang) for place in shown]
    if judge.kind == "pointwise":
        values["response"] = texts[0]
    elif judge.kind == "pairwise":
        values |= {"response_a": texts[0], "response_b": texts[1]}
    else:
        values["responses"] = "\n\n".join(
            filled(BLOCK[lang], {"letter": letter, "text": text})
            for letter, text in zip(ascii_uppercase, texts, strict=False)
        )
    turns: Conversation = (Message("user", filled(judge.prompt.text[lang], values)),)
    if judge.system is not None:
        turns = (Message("system", judge.system), *turns)
    return JudgeQuestion(shown, criterion, lang, turns, labels(judge, shown, lang), judge.prompt.cue.get(lang, ""))


def ends(judge: JudgeDefinition) -> dict[str, str]:
    """The ends of the scale, as a prompt may name them; labels have none."""
    numbers = None if judge.scale is None else judge.scale.numbers
    low, high = numbers or ("", "")
    return {"low": str(low), "high": str(high)}


def labels(judge: JudgeDefinition, shown: Sequence[int], lang: str) -> tuple[str, ...]:
    """The possible answers."""
    if judge.scale is not None:
        return tuple(judge.scale.labels[lang])
    return tuple(ascii_uppercase[: len(shown)])


def language(judge: JudgeDefinition, record: Record) -> str:
    """The language in which a judge is asked: as set, or Chinese for Chinese text and English for all other."""
    if judge.language != "auto":
        return judge.language
    found = "zh" if language_of("\n".join(turn.content for turn in record.prompt)) == "zh" else "en"
    return found if found in judge.prompt.text else next(iter(judge.prompt.text))


def spoken(turns: Conversation, lang: str) -> str:
    """A conversation as a text: its words where it is one user turn, else every turn behind its role."""
    if len(turns) == 1 and turns[0].role == "user":
        return turns[0].content
    mark = "：" if lang == "zh" else ": "
    return "\n\n".join(f"{ROLES[lang][turn.role]}{mark}{turn.content}" for turn in turns)


def response_text(record: Record, place: int, lang: str) -> str:
    """A response as a text, without its reasoning: its words, or every turn behind its role where it has several."""
    response = record.responses[place]
    return response.text if len(response.messages) == 1 else spoken(response.messages, lang)
