"""One of several labels at the beginning of a statement, and rankings of letters."""

import re
from collections.abc import Sequence

PREFIX = re.compile(r"(?:the\s+)?(?:response|assistant|answer|回答|回复|助手)\s*(?=[A-Z](?![A-Za-z]))", re.IGNORECASE)
AFTER = re.compile(
    r"\Z|\s*(?:[.!;。)\]]|,(?!\s*[A-Z](?![a-z])))|\s+(?:is\s+(?:the\s+)?(?:better|best)\b(?!\s+or)|wins\b)|\s*(?:更好|更优|胜出|获胜)",
    re.IGNORECASE,
)
TIE = re.compile(
    r"(?:a\s+|it\s+is\s+a\s+)?(?:tie|draw)\b|equal\b|平局|平手|一样好|不分上下|C(?![A-Za-z])", re.IGNORECASE
)
MARKS = str.maketrans({"≻": ">", "＞": ">", "→": ">"})
RANKING = re.compile(r"([A-Z](?:\s*[>=]\s*[A-Z])+)\s*[.。]?\Z")


def stated_choice(text: str, labels: Sequence[str], *, whole: bool) -> str | None:
    """The label that a statement begins with, None where it begins with none.

    Single letters are upper-case and may follow `Response`; other labels match in any case. Behind it comes the end of the
    sentence, or that it is better; with `whole` nothing but a full stop.
    """
    start = PREFIX.match(text)
    rest = text[start.end() :] if start else text
    for label in sorted(labels, key=len, reverse=True):
        begins = rest.startswith(label) if len(label) == 1 else rest.casefold().startswith(label.casefold())
        behind = rest[len(label) :]
        if begins and AFTER.match(behind) and (not whole or behind.strip() in ("", ".", "。")):
            return label
    return None


def stated_tie(text: str, *, whole: bool) -> bool:
    """Whether a statement says that neither is better (`C` as in MT-Bench)."""
    match = TIE.match(text)
    return match is not None and (bool(AFTER.match(text[match.end() :])) if not whole else match.end() == len(text))


def stated_ranking(text: str) -> list[list[str]] | None:
    """The letters of a ranking such as `B > A = C`, best first, equal ones together; None for anything else."""
    match = RANKING.match(text.translate(MARKS).strip())
    if match is None:
        return None
    return [[letter.strip() for letter in group.split("=")] for group in match[1].split(">")]
