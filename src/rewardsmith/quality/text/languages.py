"""Which language a text is in: by script, and among languages in Latin letters by their commonest words.

A rule, not a model: it takes microseconds, and what it does not know is `other`.
"""

import re
from collections import Counter

from rewardsmith.evaluate.baselines import CJK_RANGES
from rewardsmith.quality.text.characters import plain_ascii

LATIN_RANGES = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
LATIN_WORD = re.compile(f"[{LATIN_RANGES}\u0300-\u036f]+(?:['’][{LATIN_RANGES}]+)?")
CJK = re.compile(f"[{CJK_RANGES}]")
KANA = re.compile("[\u3040-\u30ff]")
# Letters beyond Latin and CJK, such as Cyrillic, Arabic and Hangul.
OTHER_WORD = re.compile(rf"(?:(?![{LATIN_RANGES}\d_{CJK_RANGES}])\w)+")
BEYOND_LATIN = re.compile("[\u0370-\u1dff\u2c00-\ud7ff\uf900-\uffef\U00020000-\U0003134f]")
KANA_SHARE = 0.1
"""Chinese quotes a の now and then; Japanese is never without kana for long."""

SCRIPTS = (
    ("uk", re.compile("[іїєґІЇЄҐ]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("fa", re.compile("[\u067e\u0686\u0698\u06af\u06cc]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff\u1f00-\u1fff]")),
    ("ko", re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
"""Languages that their letters tell; the first whose letter occurs, where that script is most of the text."""

COMMON_WORDS = {
    "en": "the of and to in is are was be that it for with as on you this not or can have from by at i your "
    "will which an if we they do what there has but my how would here sure no yes please a he she his her "
    "were who when about one all more their like than so some me just into also could should any been had "
    "did it's i'm that's don't am up out then",
    "de": "der die das und ist nicht ein eine zu den von mit für auf es ich sie wird dem des im sich auch als "
    "werden kann oder einen wie sind wenn bei aus nach nur",
    "fr": "le la les et est un une des du de pour dans que qui pas ne vous en au par sur avec ce cette sont il "
    "je nous plus ou à être aux se l'on c'est d'une n'est",
    "es": "el la los las de que y en un una es por con para no se del al lo como su más este esta son si o pero "
    "está ser usted",
    "pt": "o os as de que e em um uma é por com para não se do da dos das no na ao como mais este esta são ou "
    "mas você ser foi",
    "it": "il lo la gli le di che e un una è per con non si del della dei nel alla come più questo questa sono "
    "o ma essere ho",
    "nl": "de het een van en is niet in op te dat die voor met zijn er aan om ook als bij dit kan of wordt naar "
    "deze maar je",
    "sv": "och att det som en är på för av med den till inte ett om har kan de i från eller vid så jag du",
    "da": "og at det som en er på for af med den til ikke et om har kan de i fra eller ved så jeg du",
    "pl": "i w na z do nie się jest to że jak dla od po ten przez o są czy lub może być tego oraz",
    "cs": "a v na z do ne se je to že jak pro od po ten při o jsou nebo může být tento není byl který",
    "tr": "ve bir bu için ile da de değil olarak daha çok ne var olan gibi en veya her kadar mi ben",
    "id": "yang dan di untuk dengan tidak ini dari itu adalah pada ke akan dalam atau dapat saya anda bisa juga oleh",
    "ro": "și în de la cu nu un o este pe pentru care din mai sau se sunt fi ce prin al ale acest",
    "hu": "a az és hogy nem egy is van meg ez csak de ha vagy volt már mint lehet lesz nincs",
    "fi": "ja on ei se että en oli joka mutta tai ole kuin myös hän voi jos ovat niin tämä sen",
    "vi": "của và là các không có cho được trong một người với này để những khi đã tôi bạn như thể từ",
}
"""The commonest words of languages in Latin letters, parted by space."""
TELLING = {
    "de": "ßẞ",
    "pl": "łąęńśźż",
    "cs": "řůěťď",
    "hu": "őű",
    "tr": "ışğİ",
    "ro": "țșă",
    "vi": "đơưạảấầẩẫậắằẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
}
"""Letters that tell a language in Latin letters: each counts as one of its commonest words."""
LANGUAGES = (
    "zh",
    "en",
    "ja",
    *(name for name, _ in SCRIPTS),
    *(name for name in COMMON_WORDS if name != "en"),
    "other",
)
COMMON = {name: frozenset(words.split()) for name, words in COMMON_WORDS.items()}
READ_CHARS = 2000
GLANCE_CHARS = 500
ENGLISH_SHARE = 0.2
OTHER_SHARE = 0.2
"""Of real text a quarter or more are common words; fewer may be names in code, as `os` and `as` are in Portuguese."""
FEWEST_HITS = 2
SPECIAL_SHARE = 0.01
"""Ukrainian and Persian are told by letters that Russian and Arabic do not have, which are a few in a hundred."""
FENCED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
CODE_LINE = re.compile(
    r"[{};]\s*$|^\s*(?:def|class|import|from|return|for|if|while|#include|SELECT|print)\b|^\s*[\w.\[\]]+ ?=|\w\(.*\)\s*$"
)


def language_of(text: str) -> str:
    """One of LANGUAGES: which one most of a text's words are in; code in fences or of lines beside Chinese does not count.

    A Chinese character counts as one word. English is what Latin letters are taken for where nothing speaks against it,
    since code, names and formulas are in it; text without letters is `other`. Cyrillic that is not Ukrainian is `ru`.
    """
    if (plain_ascii(text) is not None or not BEYOND_LATIN.search(text)) and is_plainly_english(text):
        return "en"
    if text.isascii():
        return latin_language(text) if LATIN_WORD.search(text) else "other"
    text = without_code(text)
    latin = len(LATIN_WORD.findall(text))
    kana, cjk = len(KANA.findall(text)), len(CJK.findall(text))
    rest = len(OTHER_WORD.findall(text))
    most = max(cjk, latin, rest)
    if not most:
        return "other"
    if most == rest:
        return script_language(text)
    if most == latin:
        return latin_language(text)
    return "ja" if kana >= KANA_SHARE * cjk else "zh"


def without_code(text: str) -> str:
    """A text without its code, unless that leaves no letter; lines of code are told only in a text with Chinese."""
    prose = FENCED.sub(" ", text)
    if CJK.search(prose):
        prose = "\n".join(line for line in prose.split("\n") if CJK.search(line) or not CODE_LINE.search(line))
    return prose if any(map(str.isalpha, prose)) else text


def script_language(text: str) -> str:
    """The language of a text mostly in letters beyond Latin and Chinese."""
    letters = "".join(OTHER_WORD.findall(text))
    counted = [(len(pattern.findall(letters)), name) for name, pattern in SCRIPTS]
    count, name = max(counted, key=lambda each: each[0])
    special = {"ru": "uk", "ar": "fa"}.get(name)
    if special is not None and sum(n for n, other in counted if other == special) >= SPECIAL_SHARE * count:
        return special
    return name if 2 * count > len(letters) else "other"


def is_plainly_english(text: str) -> bool:
    """Whether enough of a text's first words are common in English: tells most texts quickly."""
    words = text[:GLANCE_CHARS].lower().split()
    return sum(map(COMMON["en"].__contains__, words)) > max(FEWEST_HITS, ENGLISH_SHARE * len(words))


def latin_language(text: str) -> str:
    """The language whose commonest words a text has most of; English where fewer than FEWEST_HITS different words tell."""
    words = Counter(word.replace("’", "'") for word in LATIN_WORD.findall(text[:READ_CHARS].lower()))
    best, hits = "en", sum(words[word] for word in COMMON["en"] & words.keys())
    if hits > ENGLISH_SHARE * words.total():
        return best
    for name, common in COMMON.items():
        seen = common & words.keys()
        found = sum(words[word] for word in seen) if len(seen) >= FEWEST_HITS else 0
        found += sum(map(text.count, TELLING.get(name, ""))) if not text.isascii() else 0
        if found > max(hits, OTHER_SHARE * words.total()):
            best, hits = name, found
    return best
