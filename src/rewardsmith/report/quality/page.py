"""`quality.html`: what `prepare` saw and did, as one page that opens offline and shows hostile texts as texts.

The page is made of the content of `quality.json` alone, so the same content and language give the same bytes.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from rewardsmith.language import Language, say
from rewardsmith.report.quality.sections import SECTIONS
from rewardsmith.report.quality.table import Cell, Section
from rewardsmith.report.safety import content_policy, xml_safe
from rewardsmith.report.templating import read_template, render


class ShownCell(NamedTuple):
    """A cell as it stands on the page."""

    text: str
    is_number: bool


def render_quality(content: Mapping[str, Any], *, lang: Language = "en") -> str:
    """The whole page as HTML text."""
    from markupsafe import Markup

    style = read_template("page.css") + read_template("quality.css")
    gone = sum(content["quarantined"].values()), sum(content["removed"].values())
    kept = content["rows"] - sum(gone)
    told = f"rows {content['rows']:,}: kept {kept:,}, quarantined {gone[0]:,}, removed {gone[1]:,}"
    page = render(
        "quality.html",
        language="zh-Hans" if lang == "zh" else "en",
        title=say("Data quality report", lang),
        summary=say(told, lang),
        sections=[shown(section, lang) for build in SECTIONS if (section := build(content)) is not None],
        policy=content_policy("", style),
        style=Markup(style),
    )
    return xml_safe(page)


def shown(section: Section, lang: Language) -> dict[str, Any]:
    """A section in the language of the page."""
    return {
        "title": say(section.title, lang),
        "note": say(section.note, lang),
        "heads": [say(head, lang) for head in section.heads],
        "rows": [[cell_of(cell, lang) for cell in row] for row in section.rows],
    }


def cell_of(cell: Cell, lang: Language) -> ShownCell:
    """A cell as text: numbers with separators, nothing as nothing, messages in the language of the page."""
    if cell is None:
        return ShownCell("", False)
    if isinstance(cell, str):
        return ShownCell(say(cell, lang), False)
    return ShownCell(f"{cell:,}" if isinstance(cell, int) else f"{cell:,.4g}", True)
