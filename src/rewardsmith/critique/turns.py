"""Where a critique stands: behind the response, as the answer to a user turn that asks for it.

So every chat template renders it, the language model learns where it ends, and the scoring contract reads the reward at
the end of the conversation as of any other. (CLoud's own code puts question and critique into one user turn of Llama 3's
template.)
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rewardsmith.quality.text.languages import language_of
from rewardsmith.records import Conversation, Message, Record, Response

CritiqueLanguage = Literal["auto", "en", "zh"]
QUESTIONS = {
    "en": "Analyse your answer above: what is right and helpful in it, and what is wrong or missing?",
    "zh": "请分析你上面的回答：哪些地方正确、有帮助，哪些地方错误或有所欠缺？",
}
"""What asks for a critique; it is part of the model, as `cloud.json` stores it."""


def question_for(texts: Sequence[str], language: CritiqueLanguage) -> str:
    """The question in the language that is given, or in that of the texts: Chinese for Chinese, else English."""
    if language == "auto":
        language = "zh" if language_of("\n".join(texts)) == "zh" else "en"
    return QUESTIONS[language]


def asking(record: Record, index: int, language: CritiqueLanguage) -> Conversation:
    """A response and the question for its critique: what follows the prompt."""
    turns = record.responses[index].messages
    texts = [message.content for message in (*record.prompt, *turns)]
    return (*turns, Message("user", question_for(texts, language)))


def with_critiques(record: Record, critiques: Sequence[Sequence[str]], language: CritiqueLanguage) -> Record:
    """The record whose responses end with their critiques: K responses with m critiques each become K * m, in that order.

    With one critique each, comparisons and ratings stay those of the responses; with several there are none.
    """
    responses = tuple(
        Response((*asking(record, index, language), Message("assistant", text)), record.responses[index].generator)
        for index, texts in enumerate(critiques)
        for text in texts
    )
    if len(responses) == len(record.responses):
        return replace(record, responses=responses)
    return replace(record, responses=responses, comparisons=(), ratings={})
