"""Marks of dialogues, chat templates and web sites inside a text, apart from texts that speak about such marks.

A mark in code (between backticks, in a fence, in a quoted string) or beside a word such as "token" is spoken about; one at
the very start or end of a text, outside of code, has leaked.
"""

import re

EXCERPT_CHARS = 40

ROLE_TAG = re.compile(
    r"(?:^|\n)[ \t]*(?:\*\*)?"
    r"((?:Human|Assistant|User|USER|ASSISTANT|GPT4 Correct (?:User|Assistant)|<(?:human|bot|user|assistant)>"
    r"|用户|助手|人类|使用者|机器人) ?(?:\*\*)?[:：]"
    r"|#{2,3} ?(?:Instruction|Response|Input|Human|Assistant|User|System|指令|回答|回复|输入|用户|助手) ?[:：]"
    r"|\[Round \d+\]|\[\|(?:Human|AI|assistant|user)\|\])"
    r"|[.!?。！？] {1,2}((?:Human|Assistant|USER|ASSISTANT):)"
)
TEMPLATE_TOKEN = re.compile(
    r"<\|[A-Za-z0-9_▁]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|<(?:start|end)_of_(?:turn|text|image|utterance)>|\[/?INST\]|<</?SYS>>"
    r"|\[(?:CLS|SEP|PAD|MASK|UNK|gMASK|BOS|EOS)\]|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|<(?:bos|eos|pad|unk|eoh|eoa|eod|sop|eop|extra_id_\d{1,2}|reserved_\d{1,3}|unused\d{1,3}|pad_token|im_start|im_end)>"
    r"|</s>|(?<!\w)<s>"
)
PLACEHOLDER = re.compile(
    r"(?<![\w\])])\[ ?(?:(?:comment|post|content|message|text|link|url|name|email)s? )?"
    r"(?:removed|deleted|redacted|已删除|已移除|已刪除|内容已删除|该内容已被删除)"
    r"(?: by (?:the )?(?:user|author|moderators?|mods?|reddit|admins?))? ?\]",
    re.IGNORECASE,
)
BOILERPLATE = re.compile(
    r"\bAs an? (?:AI|artificial intelligence|(?:AI |large |AI-powered )?language model)"
    r"(?: (?:language )?(?:model|assistant|system|chatbot))?(?: (?:developed|created|trained|made|built) by \w+)?"
    r",? (?:I|my)\b"
    r"|\bI(?: am|['’]m)(?: just| only| merely)? an? (?:AI|artificial intelligence|(?:large )?language model)"
    r"(?=(?: language)? (?:model|assistant|chatbot|system)\b|[,.;!]|$"
    r"| (?:and|so|designed|trained|developed|created|without)\b)"
    r"|作为(?:一个|一名|一款|一种)?(?:由\w{1,12}(?:训练|开发)的)?"
    r"(?:AI|人工智能|(?:大型?|大规模)?语言模型)[^。！？，,\n]{0,12}[，,]? ?我"
    r"|我(?:只)?是(?:一个|一名|一款)?(?:由\w{1,12}(?:训练|开发)的)?(?:AI|人工智能|大型?语言模型)(?:助手|模型|语言模型)",
    re.IGNORECASE,
)
BOILERPLATE_CUES = ("AI", "rtificial", "anguage", "人工智能", "语言模型")
SPOKEN_OF = re.compile(
    r"\b(?:tokens?|tags?|markers?|delimiters?|symbols?|placeholders?"
    r"|templates?|literal(?:ly)?|strings?|elements?)\b|标记|标签|符号|模板|分隔符|占位符|词元",
    re.IGNORECASE,
)
TURN = re.compile(r"\[/?INST\]|<</?SYS>>|<s> |</s><s>| </s>$")
NEAR_CHARS = 30
QUOTES = "`\"'“”‘’「」『』《》"
FENCE = "```"


def role_tag(text: str) -> str | None:
    """A line that begins like a turn of a dialogue ("Human:", "### Response:"): the answer runs on into the next turn."""
    return leaked(text, ROLE_TAG, by_words=False)


def template_token(text: str) -> str | None:
    """Markup of a chat template or tokenizer, such as <|im_end|>, inside a text."""
    if "<" not in text and "[" not in text:
        return None
    return leaked(text, TEMPLATE_TOKEN)


def placeholder(text: str) -> str | None:
    """A mark for text that a site took away, such as [removed]."""
    return leaked(text, PLACEHOLDER) if "[" in text else None


def boilerplate(text: str) -> str | None:
    """A response that speaks of itself as of a language model."""
    if not any(cue in text for cue in BOILERPLATE_CUES):
        return None
    found = BOILERPLATE.search(text)
    return around(text, found) if found and not quoted(text, *found.span()) else None


def leaked(text: str, pattern: re.Pattern[str], *, by_words: bool = True) -> str | None:
    """The first place where a pattern stands that is not code, a quotation or, `by_words`, spoken of."""
    for found in pattern.finditer(text):
        start, end = found.span(found.lastindex or 0)
        if found.group() in ("<s>", "</s>") and is_strike(text, start, end):
            continue
        if quoted(text, start, end) or (by_words and spoken_of(text, start, end)):
            continue
        return around(text, found)
    return None


def around(text: str, found: re.Match[str]) -> str:
    """The text from a match on, shortened and on one line."""
    start = found.start(found.lastindex or 0)
    return repr(text[start : start + EXCERPT_CHARS].strip())


def quoted(text: str, start: int, end: int) -> bool:
    """Whether a place lies in a fence, between backticks on its line, or directly between quotation marks."""
    if text.count(FENCE, 0, start) % 2 == 1:
        return True
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if line.count("`") % 2 == 1 and "`" in text[end:].partition("\n")[0]:
        return True
    return (
        text[start - 1 : start] in QUOTES and text[end : end + 1] in QUOTES if start > 0 and end < len(text) else False
    )


def spoken_of(text: str, start: int, end: int) -> bool:
    """Whether a word such as "token" stands near a place inside a line; never at the start or the end of the text."""
    if not text[:start].strip() or not text[end:].strip():
        return False
    before, after = text[max(start - NEAR_CHARS, 0) : start], text[end : end + NEAR_CHARS]
    near = before.rpartition("\n")[2] + " " + after.partition("\n")[0]
    return SPOKEN_OF.search(TEMPLATE_TOKEN.sub(" ", near)) is not None


def is_strike(text: str, start: int, end: int) -> bool:
    """Whether <s> or </s> is HTML for a struck-out word: both stand on one line, and other text of that line around them."""
    line_start = text.rfind("\n", 0, start) + 1
    line = text[line_start:].partition("\n")[0]
    opening, closing = line.find("<s>"), line.rfind("</s>")
    outside = line[:opening].strip() + line[closing + len("</s>") :].strip()
    return 0 <= opening < closing and bool(outside) and not TURN.search(line)
