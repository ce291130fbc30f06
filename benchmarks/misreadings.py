"""How many misread texts `damaged_text` finds, how many come back, and what it says of clean texts of 29 languages.

    python benchmarks/misreadings.py [--locales /usr/share/locale]

Clean texts are the translated messages of the programs that this machine has (gettext catalogues; Debian and Ubuntu have
hundreds of thousands): nobody here wrote them, and they are in the spelling of their languages. Each counts as a false
alarm where anything is found, changed or called lost.

For recall every 40th of them is read as it would be by a program that takes UTF-8 for another encoding, and drops what that
cannot show; texts that stay the same are left out. `right` counts repairs that give the original again, `wrong` those that
give anything else. `partly` has messages of 30 to 400 characters in which only half of the words were misread, as Windows
1252 or ISO 8859-1 and without any loss.
"""

import argparse
import gettext
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewardsmith.files import write_json
from rewardsmith.quality.row.repair import loss_of, repaired
from rewardsmith.quality.text.characters import damaged_text, invisible_characters

RESULT = Path(__file__).parent / "results" / "misreadings.json"
LANGUAGES = (
    *(
        "zh_CN",
        "zh_TW",
        "zh_HK",
        "ja",
        "ko",
        "vi",
        "ar",
        "fa",
        "he",
        "ru",
        "uk",
        "bg",
        "el",
        "fr",
        "de",
        "es",
        "pt_BR",
        "it",
    ),
    *("pl", "cs", "hu", "tr", "sv", "is", "hi", "th", "bn", "ta", "ur"),
)
MISREAD = ("zh_CN", "zh_TW", "ja", "ko", "ru", "el", "ar", "vi", "fr", "de", "pl")
PAGES = ("latin-1", "cp1252", "cp1250", "cp1251", "cp1253", "cp1256", "iso8859-15", "mac-roman", "cp437", "cp850")
DOUBLE_PAGES = ("gbk", "big5", "cp932", "cp949", "euc_jp")
PARTLY = (*MISREAD, "es", "pt_BR", "it", "cs", "sv", "uk", "tr", "ur", "fa", "he", "hi")
MOST = 250
EVERY = 40
SHORTEST = 8


def texts(folder: Path, language: str) -> list[str]:
    """The different messages of a language, sorted."""
    found: set[str] = set()
    for path in sorted((folder / language / "LC_MESSAGES").glob("*.mo")):
        found.update(messages(path))
    return sorted(text for text in found if len(text) >= SHORTEST and not text.isascii())


def messages(path: Path) -> Iterator[str]:
    """The translations of one catalogue; none where it cannot be read."""
    try:
        with path.open("rb") as handle:
            catalogue = gettext.GNUTranslations(handle)._catalog  # type: ignore[attr-defined]
    except (OSError, UnicodeDecodeError, struct.error, ValueError):
        return
    yield from (text for key, text in catalogue.items() if key and isinstance(text, str))


def clean(every: dict[str, list[str]]) -> dict[str, Any]:
    """False alarms by language."""
    table = {}
    for language, found in every.items():
        damaged = [text for text in found if damaged_text(text)]
        changed = sum(repaired(text) is not None for text in damaged)
        lost = sum(loss_of(text) is not None for text in damaged)
        hidden = sum(invisible_characters(text) is not None for text in found)
        table[language] = {
            "texts": len(found),
            "called_damaged": len(damaged),
            "repaired": changed,
            "called_lost": lost,
            "invisible": hidden,
            "examples": [text[:60] for text in damaged[:2]],
        }
    return table


def misread(every: dict[str, list[str]], page: str) -> dict[str, Any]:
    """What is found of texts read as one page, by language."""
    table = {}
    for language in MISREAD:
        pairs = [(text, text.encode().decode(page, errors="ignore")) for text in every.get(language, [])[::EVERY]]
        pairs = [(text, damaged) for text, damaged in pairs if damaged != text]
        back = [(text, repaired(damaged)) for text, damaged in pairs]
        table[language] = {
            "texts": len(pairs),
            "found": sum(damaged_text(damaged) is not None for _, damaged in pairs),
            "right": sum(fixed == text for text, fixed in back),
            "wrong": sum(fixed not in (text, None) for text, fixed in back),
        }
    return table


def partly(every: dict[str, list[str]]) -> dict[str, Any]:
    """What comes back of texts of which half of the words were misread, by language."""
    rng, table = random.Random(1), {}
    for language in PARTLY:
        texts = [text for text in every.get(language, []) if 30 < len(text) < 400]
        rng.shuffle(texts)
        pairs = [(text, half_misread(text, rng)) for text in texts[:MOST]]
        pairs = [(text, damaged) for text, damaged in pairs if damaged != text]
        back = [(text, repaired(damaged)) for text, damaged in pairs]
        table[language] = {
            "texts": len(pairs),
            "right": sum(fixed == text for text, fixed in back),
            "wrong": sum(fixed not in (text, None) for text, fixed in back),
            "called_lost": sum(loss_of(damaged) is not None for _, damaged in pairs),
        }
    return table


def half_misread(text: str, rng: random.Random) -> str:
    """The text with half of its words misread as one page, those that the page shows whole."""
    page, words = rng.choice(("cp1252", "latin-1")), []
    for word in text.split(" "):
        try:
            words.append(word.encode().decode(page) if rng.random() < 0.5 else word)
        except UnicodeDecodeError:
            words.append(word)
    return " ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locales", type=Path, default=Path("/usr/share/locale"))
    folder = parser.parse_args().locales
    every = {language: found for language in LANGUAGES if (found := texts(folder, language))}
    result: dict[str, Any] = {"clean": clean(every), "misread": {}}
    total = {key: sum(row[key] for row in result["clean"].values()) for key in ("texts", "called_damaged", "repaired")}
    total |= {key: sum(row[key] for row in result["clean"].values()) for key in ("called_lost", "invisible")}
    result["clean_total"] = total
    print(total)
    for language, row in result["clean"].items():
        if row["called_damaged"]:
            print(language, row)
    for page in (*PAGES, *DOUBLE_PAGES):
        result["misread"][page] = misread(every, page)
        print(page, " ".join(f"{name} {row['found']}/{row['texts']}" for name, row in result["misread"][page].items()))
        print(
            "   right, wrong:", " ".join(f"{row['right']}/{row['wrong']}" for row in result["misread"][page].values())
        )
    result["partly"] = partly(every)
    print(
        {key: sum(row[key] for row in result["partly"].values()) for key in ("texts", "right", "wrong", "called_lost")}
    )
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
