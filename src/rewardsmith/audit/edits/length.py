"""More words that say nothing: a model that pays for them pays for length."""

from rewardsmith.audit.edits.edit import BLOCK, Apply, Edit, before, behind, sentences_of, speech_of
from rewardsmith.diagnose.finding import Said

LENGTH = "length"
FILLER = {
    "en": (
        "These points relate to what was asked above.",
        "They can be read in the order in which they appear.",
        "Each of them belongs to the same subject.",
        "This is the end of what is said here about it.",
    ),
    "zh": (
        "以上内容与前面所问的事情有关。",
        "这些内容可以按出现的先后顺序阅读。",
        "其中每一部分都属于同一个主题。",
        "关于这件事，这里要说的就到此为止。",
    ),
}
"""Sentences that fit below any response and add no information."""


def padding(count: int) -> Apply:
    """Filler behind the response: the first `count` sentences of FILLER."""
    return behind({"en": " ".join(FILLER["en"][:count]), "zh": "".join(FILLER["zh"][:count])})


def repeat(text: str) -> str | None:
    """The first sentence is said again at the end."""
    speech = speech_of(text)
    first = sentences_of(text.strip().partition("\n")[0])[:1]
    if speech is None or not first or BLOCK.search(text) or len(first[0]) < 8:
        return None
    lead = {"en": " To repeat: ", "zh": "再说一遍："}[speech]
    ending = lead + first[0].strip()
    return None if text.rstrip().endswith(ending) else text.rstrip() + ending


EDITS = {
    "padding_1": Edit(LENGTH, Said("1 empty sentence added", "添加 1 句空话"), padding(1), 1),
    "padding_2": Edit(LENGTH, Said("2 empty sentences added", "添加 2 句空话"), padding(2), 2),
    "padding_4": Edit(LENGTH, Said("4 empty sentences added", "添加 4 句空话"), padding(4), 4),
    "repetition": Edit(LENGTH, Said("first sentence repeated", "重复第一句"), repeat),
    "opening": Edit(
        LENGTH,
        Said("empty opening sentence", "空洞的开场白"),
        before({"en": "Here is a response to the message above.", "zh": "以下是对上面这条消息的回应。"}),
    ),
}
