"""Texts about misread characters: what is quoted there as damage is meant as it stands."""

import re
from collections import Counter

ABOUT = re.compile(
    r"mojibake|\b(?:utf|latin)-?[18]\b|iso[- ]?8859|windows-?125\d|\bcp-?125\d|code ?page|charset"
    r"|\b(?:en|de)cod(?:e|ed|es|ing)\b|character set|乱码|亂碼|编码|編碼|文字化け|кодировк|крякозябр|кракозябр|encodage"
    r"|kodierung|codificaci|codifica|인코딩",
    re.IGNORECASE,
)
"""Words of those who write about encodings."""
INSTEAD = re.compile(
    r"instead of|rather than|in place of|becom|turns? into|shows? up|appears? as|replace|garbled|should be|=>|->|→"
    r"|应该|应为|变成|显示|其实是|代替|statt|au lieu|en lugar|en vez|invece|вместо",
    re.IGNORECASE,
)
"""What stands between what was written and what was seen."""
FEW = 4
"""So many damaged words are examples in a text about encodings; a text that was misread itself has more."""
MARKS = "\"'`“”‘’„‚«»‹›()[]（）「」『』《》.,;:!?，。；：！？、"
ENCLOSING = "\"'`()[],.;:!?"
WORD = re.compile(f"[^\\s{re.escape(MARKS)}]+")


def explains(text: str, read: str) -> bool:
    """Whether a text speaks about misread characters, given how it reads once the damage is undone.

    It does where half of the damaged words stand there whole as well and something says that one is for the other, where
    there are few of them and the text is about encodings, or where an apostrophe stands by itself, as in no sentence.
    """
    before, after = Counter(WORD.findall(text)), Counter(WORD.findall(read))
    changed = before.keys() - after.keys()
    twins = sum(0 < before[word] < count for word, count in after.items())
    about = ABOUT.search(text) is not None
    if twins and 2 * twins >= len(changed) and (about or INSTEAD.search(text)):
        return True
    return (about and len(changed) <= FEW) or any(each.strip(ENCLOSING) == "’" for each in read.split())
