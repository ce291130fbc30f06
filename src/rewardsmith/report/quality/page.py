"""`quality.html`: what `prepare` saw and did, as one page that opens offline and shows hostile texts as texts.

The page is made of the content of `quality.json` alone, so the same content and language give the same bytes.
"""

from collections.abc import Mapping
from typing import Any

from rewardsmith.diagnose.finding import percent
from rewardsmith.language import Language, say, speaking
from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.quality import charts
from rewardsmith.report.quality.findings import QualityFinding, findings_of
from rewardsmith.report.quality.sections import SECTIONS
from rewardsmith.report.quality.table import QualityFile, block_of, cell_text
from rewardsmith.report.run.figures import Headline
from rewardsmith.report.templating import render_html
from rewardsmith.report.text import TEXTS, Words


def render_quality(content: QualityFile, *, lang: Language = "en") -> str:
    """The whole page as HTML text."""
    texts = TEXTS[lang]
    with speaking(lang):
        tables = [section for build in SECTIONS if (section := build(content)) is not None]
        findings = findings_of(content, texts, lang)
        return render_html(
            "data.html",
            lang,
            t=texts,
            summary=summary(content, texts),
            headlines=headlines(content, findings, texts),
            flow=charts.flow(content, texts),
            findings=findings,
            blocks=[
                *filter(None, (shortcuts(content, texts), labels(content, texts), lengths(content, texts))),
                *filter(None, (near_duplicates(content, texts),)),
                *(block_of(section, number, lang) for number, section in enumerate(tables)),
            ],
            checks=checks(content, texts, lang, quiet=False),
            quiet=checks(content, texts, lang, quiet=True),
        )


def summary(content: QualityFile, texts: Words) -> str:
    """The sentence at the top: how many rows were kept."""
    removed, quarantined = sum(content["removed"].values()), sum(content["quarantined"].values())
    counts = {
        "rows": content["rows"],
        "kept": charts.kept_rows(content),
        "removed": removed,
        "quarantined": quarantined,
    }
    name = "data_kept" if removed or quarantined else "data_kept_all"
    return texts[name].format(**{key: f"{count:,}" for key, count in counts.items()})


def headlines(content: QualityFile, findings: list[QualityFinding], texts: Words) -> list[Headline]:
    """The figures of the first screen."""
    splits = sum(count > 0 for count in content["splits"].values())
    records = texts["figure_records"].format(records=f"{content['records']:,}", splits=splits)
    shown = [Headline(texts["figure_kept"], percent(charts.kept_rows(content) / max(content["rows"], 1)), records)]
    if content["comparisons"]:
        ties = content["ties"], percent(content["ties"] / content["comparisons"])
        remark = texts["figure_ties"].format(ties=f"{ties[0]:,}", share=ties[1])
        shown.append(Headline(texts["figure_comparisons"], f"{content['comparisons']:,}", remark))
    shown.append(most_frequent_warning(content, texts))
    return [*shown, *strongest_feature(content, texts)]


def most_frequent_warning(content: QualityFile, texts: Words) -> Headline:
    """The warning that concerns the most rows."""
    warnings = [one for one in content["findings"] if one["severity"] == "warning"]
    if not warnings:
        return Headline(texts["figure_warnings"], texts["figure_none"], "")
    most = max(warnings, key=lambda one: one.get("rows", one["count"]))
    return Headline(texts["figure_warnings"], f"{most.get('rows', most['count']):,}", most["check"])


def strongest_feature(content: QualityFile, texts: Words) -> list[Headline]:
    """The simple feature whose accuracy is farthest from chance."""
    features = (content.get("shortcuts") or {}).get("features", ())
    known = [one for one in features if one["accuracy"] is not None and None not in one["accuracy_ci"]]
    if not known:
        return []
    most = max(known, key=lambda one: abs(one["accuracy"] - 0.5))
    low, high = most["accuracy_ci"]
    interval = f"{low:.3f}–{high:.3f}"
    remark = texts["figure_shortcut_remark"].format(accuracy=f"{most['accuracy']:.3f}", interval=interval)
    return [Headline(texts["figure_shortcut"], say(most["name"]), remark)]


def shortcuts(content: QualityFile, texts: Words) -> PageBlock | None:
    """What the labels can be predicted from."""
    drawn = charts.shortcut_chart(content, texts)
    if drawn is None:
        return None
    measured = content["shortcuts"]
    line = texts["shortcut_note"].format(n=f"{measured['n']:,}", of=f"{measured['of']:,}")
    return PageBlock("shortcuts", texts["data_shortcuts"], (line,), (drawn,))


def labels(content: QualityFile, texts: Words) -> PageBlock | None:
    """How sure the labels are, and whether longer responses are preferred."""
    drawn = [charts.preference_chart(content, texts), charts.share_chart(content, "agreement", texts)]
    longer = content["longer_preferred"]
    lines = []
    if longer["share"] is not None:
        lines.append(texts["longer_line"].format(share=percent(longer["share"]), of=f"{longer['of']:,}"))
    plots = [plot for plot in drawn if plot is not None]
    return PageBlock("labels", texts["data_labels"], lines, plots) if plots or lines else None


def lengths(content: QualityFile, texts: Words) -> PageBlock | None:
    """How long the texts are, how alike, and in which languages."""
    drawn = [
        charts.length_chart(content, "words", texts),
        charts.length_chart(content, "characters", texts),
        charts.languages_chart(content, texts),
        charts.share_chart(content, "similarity", texts),
        charts.share_chart(content, "repetition", texts),
    ]
    plots = [plot for plot in drawn if plot is not None]
    return PageBlock("texts", texts["data_texts"], (), plots) if plots else None


def near_duplicates(content: QualityFile, texts: Words) -> PageBlock | None:
    """The clusters of rows that are nearly the same, the largest with a row to look at."""
    found = content.get("near_duplicates")
    if not found:
        return None
    threshold = f"{found['threshold']:g}"
    if not found["clusters"]:
        return PageBlock("near", texts["data_near"], (texts["near_none"].format(threshold=threshold),))
    line = texts["near_line"].format(rows=f"{found['rows']:,}", clusters=f"{found['clusters']:,}", threshold=threshold)
    rows = [(str(one["place"]), f"{one['rows']:,}") for one in found["largest"]]
    table = CellTable((texts["near_row"], texts["near_size"]), rows, (1,))
    return PageBlock("near", texts["data_near"], (line,), (), (table,))


def checks(content: QualityFile, texts: Words, lang: Language, *, quiet: bool) -> CellTable | None:
    """The checks that found something, or those that found nothing."""
    chosen = [one for one in content["filters"] if quiet != bool(one["found"] or one["removed"])]
    if not chosen:
        return None
    return CellTable(
        heads=tuple(texts[name] for name in ("check", "meaning", "threshold", "found", "removed_rows")),
        rows=[check_row(one, lang) for one in chosen],
        numeric=(3, 4),
    )


def check_row(check: Mapping[str, Any], lang: Language) -> tuple[str, ...]:
    """A check as a row of the table; its name is not translated, since --remove takes it."""
    cells = (check["meaning"], check["threshold"], check["found"], check["removed"])
    return (str(check["check"]), *(cell_text(cell, lang) for cell in cells))
