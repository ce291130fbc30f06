"""Write `report.html` of a search or of a learning-rate test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.files import write_text
from rewardsmith.language import Language
from rewardsmith.report.blocks import PageBlock
from rewardsmith.report.templating import render_html
from rewardsmith.report.text import TEXTS, Words
from rewardsmith.report.tuning import rates, search


def write_report(
    summary: Mapping[str, Any], trials: Sequence[Mapping[str, Any]], folder: Path, *, lang: Language = "en"
) -> None:
    """The page of a search: `summary` is what `tune.json` holds, `trials` what `trials.json` does."""
    texts = TEXTS[lang]
    page = rendered(
        texts["tune_title"], search.headline(summary, texts), search.sentences(summary, texts),
        search.blocks(summary, trials, texts), texts, lang,
    )  # fmt: skip
    write_text(folder / "report.html", page)


def write_rates(summary: Mapping[str, Any], folder: Path, *, lang: Language = "en") -> None:
    """The page of a learning-rate test: `summary` is what `rates.json` holds."""
    texts = TEXTS[lang]
    page = rendered(
        texts["rates_title"], rates.headline(summary, texts), rates.sentences(summary, texts),
        [rates.curve(summary, texts)], texts, lang,
    )  # fmt: skip
    write_text(folder / "report.html", page)


def rendered(
    title: str, headline: str, sentences: Sequence[str], blocks: Sequence[PageBlock], texts: Words, lang: Language
) -> str:
    """The whole page as HTML text."""
    return render_html("tuning.html", lang, t=texts, title=title, headline=headline, sentences=sentences, blocks=blocks)
