"""How unlike the candidates of a prompt are: the share of distinct n-grams, and how well each is told by the others.

Words are runs of letters and digits, and single Chinese, Japanese and Korean characters.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

WORD = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
LONGEST = 4
"""N-grams of BLEU."""


def words_of(text: str) -> list[str]:
    """The words of a text in lower case; a character of Chinese, Japanese or Korean is a word."""
    return WORD.findall(text.lower())


def ngrams_of(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """The n-grams of some words, with how often each occurs."""
    return Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def distinct_share(texts: Sequence[Sequence[str]], n: int) -> float | None:
    """Distinct n-grams over all n-grams of some texts (Li et al. 2016, arXiv 1510.03055, distinct-n); None without any."""
    counts = Counter[tuple[str, ...]]()
    for words in texts:
        counts += ngrams_of(words, n)
    total = counts.total()
    return len(counts) / total if total else None


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """The mean BLEU-4 of each text against the others (Zhu et al. 2018, arXiv 1802.01886): 1 where all are the same.

    None for fewer than two texts with words.
    """
    spoken = [words for words in texts if words]
    if len(spoken) < 2:
        return None
    scores = [bleu(words, [*spoken[:at], *spoken[at + 1 :]]) for at, words in enumerate(spoken)]
    return sum(scores) / len(scores)


def bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 of one text (Papineni et al. 2002), counts of bigrams and longer smoothed by one (Lin & Och 2004)."""
    logs = 0.0
    for n in range(1, LONGEST + 1):
        own = ngrams_of(words, n)
        most = Counter[tuple[str, ...]]()
        for reference in references:
            most |= ngrams_of(reference, n)
        matched, total = (own & most).total(), own.total()
        if n > 1:
            matched, total = matched + 1, total + 1
        if matched == 0:
            return 0.0
        logs += math.log(matched / total) / LONGEST
    nearest = min((len(reference) for reference in references), key=lambda length: (abs(length - len(words)), length))
    brevity = 0.0 if len(words) > nearest else 1 - nearest / len(words)
    return math.exp(logs + brevity)
