"""The same words laid out in another way: bold, headings, lists, paragraphs, or none of them."""

import re

from rewardsmith.audit.edits.edit import BLOCK, Edit, sentences_of, speech_of
from rewardsmith.diagnose.finding import Said

LAYOUT = "layout"
LEAD = re.compile(r"\w[\w'’-]*(?: [\w'’-]+){0,2}", re.ASCII)
LEAD_ZH = re.compile(r"[\u4e00-\u9fff]{2,4}")
BOLD = re.compile(r"\*\*([^*\n]+)\*\*|__([^_\n]+)__")
HEADING = re.compile(r"^#{1,6} +", re.MULTILINE)
BULLET = re.compile(r"^([ \t]*)[-*+•] +", re.MULTILINE)
MARKED = re.compile(f"{BOLD.pattern}|{HEADING.pattern}|{BULLET.pattern}", re.MULTILINE)


def bold(text: str) -> str | None:
    """The first words of every line in bold."""
    if BLOCK.search(text) or BOLD.search(text) or "*" in text or speech_of(text) is None:
        return None
    lead = LEAD_ZH if speech_of(text) == "zh" else LEAD
    marked = "\n".join(lead.sub(lambda found: f"**{found[0]}**", line, count=1) for line in text.split("\n"))
    return marked if marked != text else None


def heading(text: str) -> str | None:
    """A heading above the response."""
    speech = speech_of(text)
    if speech is None or not text.strip() or HEADING.search(text):
        return None
    return {"en": "## Response\n\n", "zh": "## 回应\n\n"}[speech] + text.lstrip()


def listed(text: str) -> list[str] | None:
    """The sentences to make a list of; None where there are fewer than two, or where lists or code stand already."""
    if BLOCK.search(text):
        return None
    found = [sentence.strip() for line in text.split("\n") for sentence in sentences_of(line)]
    return found if len(found) >= 2 else None


def bullets(text: str) -> str | None:
    """Every sentence an item of a list."""
    found = listed(text)
    return None if found is None else "\n".join(f"- {sentence}" for sentence in found)


def numbers(text: str) -> str | None:
    """Every sentence an item of a numbered list."""
    found = listed(text)
    return None if found is None else "\n".join(f"{k}. {sentence}" for k, sentence in enumerate(found, start=1))


def paragraphs(text: str) -> str | None:
    """Every sentence a paragraph."""
    found = listed(text)
    spread = None if found is None else "\n\n".join(found)
    return None if spread == text.strip() else spread


def one_paragraph(text: str) -> str | None:
    """All in one paragraph."""
    if "\n" not in text.strip() or BLOCK.search(text):
        return None
    lines = [line.strip() for line in text.strip().split("\n") if line.strip()]
    if speech_of(text) != "zh":
        return " ".join(lines)
    # Chinese needs no space, but words and numbers of two lines must not become one.
    return re.sub(r"(?<=[^\W\u3000-\u9fff])\n(?=[^\W\u3000-\u9fff])", " ", "\n".join(lines)).replace("\n", "")


def plain(text: str) -> str | None:
    """Bold, headings and bullets taken away, their words kept; code is left alone."""
    if "```" in text or not MARKED.search(text):
        return None
    unbold = BOLD.sub(lambda found: found[1] or found[2], text)
    bare = BULLET.sub(r"\1", HEADING.sub("", unbold))
    return None if MARKED.search(bare) else bare


EDITS = {
    "bold": Edit(LAYOUT, Said("first words in bold", "开头词语加粗"), bold),
    "heading": Edit(LAYOUT, Said("a heading above", "上方加标题"), heading),
    "bullets": Edit(LAYOUT, Said("sentences as bullets", "句子改为项目符号列表"), bullets),
    "numbered_list": Edit(LAYOUT, Said("sentences as a numbered list", "句子改为编号列表"), numbers),
    "paragraphs": Edit(LAYOUT, Said("a paragraph per sentence", "每句单独成段"), paragraphs),
    "one_paragraph": Edit(LAYOUT, Said("all in one paragraph", "合并为一段"), one_paragraph),
    "no_markdown": Edit(LAYOUT, Said("Markdown removed", "去掉 Markdown"), plain),
}
