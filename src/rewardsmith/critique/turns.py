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
    "en": "What is right and what is wrong in your answer?",
    "zh": "你的回答哪里对，哪里不对？",
}
"""What asks a critiqued model for a critique, by language."""
REQUESTS = {
    "en": (
        "Analyse the response of an AI assistant to the conversation below. Consider whether it does what was asked, what "
        "in it is right and helpful, what is wrong, and what is missing. Be specific, and give no score.\n\n"
        "[Conversation]\n{prompt}\n\n[Response]\n{response}\n\n[Analysis]"
    ),
    "zh": (
        "请仔细分析以下 AI 回答的优缺点：是否完成了要求，哪些内容正确、有帮助，哪些错误，还缺少什么。"
        "请具体说明，不要打分。\n\n"
        "【对话】\n{prompt}\n\n【回答】\n{response}\n\n【分析】"
    ),
}
"""What asks any other language model for a critique."""


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
