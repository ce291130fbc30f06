"""The sections of a bias audit, from audit.json: effects with intervals, conformance, coloured texts."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.language import Language
from rewardsmith.report.blocks import CellTable, ColouredPassage, FoldedTexts, PageBlock, TokenView, coloured
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.rows import IntervalRow, interval_chart
from rewardsmith.report.numbers import in_language, number, short, span_of, with_span
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.text import Words

MOST_EFFECTS = 24
"""Effects in the chart; the table has all."""

ATTACK = "attack"
"""The kind of an effect that compares a text without content with real responses."""

MOST_EXAMPLES = 2
"""Examples of one effect that the page shows."""

COLOURS: dict[str, Colour] = {"found": "b", "cannot_tell": "c", "excluded": "a"}


def effects_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """Every effect that was measured, in standard deviations of the reward, and examples of those that were found."""
    effects = evidence.audit.get("effects") or ()
    known = [one for one in effects if one.get("effect_sd") is not None]
    if not known:
        return None
    audit = evidence.audit
    counts = {status: sum(one["status"] == status for one in effects) for status in COLOURS}
    line = texts["audit_line"].format(
        **counts, prompts=f"{audit.get('prompts') or 0:,}", source=audit.get("source") or "?"
    )
    return PageBlock(
        "audit",
        texts["audit"],
        (line,),
        effect_charts(known, texts, lang),
        (effects_table(effects, texts, lang),),
        examples_of(effects, texts, lang),
        remarks=not_checked(audit.get("not_checked") or (), texts, lang),
        folded=texts["show_table"].format(rows=len(effects)),
    )


def effect_charts(effects: Sequence[Mapping[str, Any]], texts: Words, lang: Language) -> list[Plot]:
    """What moves the reward of a response, and beside it how texts without content compare with real responses."""
    attacks = [one for one in effects if one.get("kind") == ATTACK]
    others = [one for one in effects if one.get("kind") != ATTACK]
    groups = (("audit_chart", others), ("audit_attacks", attacks))
    return [effects_chart(name, listed, texts, lang) for name, listed in groups if listed]


def effects_chart(name: str, effects: Sequence[Mapping[str, Any]], texts: Words, lang: Language) -> Plot:
    """The effects with their intervals around the range that counts as none; an attack counts as none below it."""
    shown = effects[:MOST_EFFECTS]
    rows = [effect_row(one, texts, lang) for one in shown]
    bound = shown[0].get("bound")
    within = None if bound is None else (-float(bound), float(bound))
    picture = interval_chart(texts[name], texts["audit_axis"], rows, guide=0.0, bound=within)
    remarks = [texts["intervals_95"]]
    if bound is not None:
        remarks.append(texts[f"{name}_bound"].format(bound=f"{bound:g}"))
    if len(shown) < len(effects):
        remarks.append(texts["audit_shown"].format(shown=len(shown), effects=len(effects)))
    return Plot("tall", texts[name], picture, (), tuple(remarks))


def effect_row(effect: Mapping[str, Any], texts: Words, lang: Language) -> IntervalRow:
    """One effect, coloured by whether it was found, excluded or neither."""
    label = in_language(effect.get("title"), lang) or str(effect["name"])
    hover = with_span(effect["effect_sd"], effect.get("ci"), signed=True)
    status = texts.get(f"status_{effect['status']}", effect["status"])
    return IntervalRow(
        label,
        effect["effect_sd"],
        span_of(effect.get("ci")),
        COLOURS.get(effect["status"], "c"),
        f"{status}: {hover}",
        status,
    )


def effects_table(effects: Sequence[Mapping[str, Any]], texts: Words, lang: Language) -> CellTable:
    """All effects with everything that was measured of them."""
    heads = ("effect", "status", "effect_size", "flipped_share", "adjusted_p", "detectable", "sample_size")
    rows = [
        (
            in_language(one.get("title"), lang) or str(one["name"]),
            texts.get(f"status_{one['status']}", one["status"]),
            with_span(one.get("effect_sd"), one.get("ci"), signed=True),
            with_span(one.get("flipped"), one.get("flipped_ci"), 3),
            number(one.get("p_adjusted"), 4),
            number(one.get("mde")),
            f"{one.get('n') or 0:,} / {one.get('prompts') or 0:,}",
        )
        for one in effects
    ]
    return CellTable(tuple(texts[f"audit_{head}"] for head in heads), rows, (2, 3, 4, 5, 6))


def examples_of(effects: Sequence[Mapping[str, Any]], texts: Words, lang: Language) -> list[FoldedTexts]:
    """Texts that the effects found moved most, before and after."""
    found = [one for one in effects if one["status"] == "found" and one.get("examples")]
    shown = [
        f"{in_language(effect.get('title'), lang) or effect['name']}\n\n{example_text(example, texts)}"
        for effect in found
        for example in effect["examples"][:MOST_EXAMPLES]
    ]
    return [FoldedTexts(texts["audit_examples"].format(effects=len(found)), shown)] if shown else []


def example_text(example: Any, texts: Words) -> str:
    """A response before and after an edit with both rewards."""
    if not isinstance(example, Mapping) or "before" not in example:
        return str(example)
    before = f"{texts['audit_before']} {number(example.get('reward_before'), 3)}\n{example['before']}"
    after = f"{texts['audit_after']} {number(example.get('reward_after'), 3)}\n{example.get('after')}"
    return f"{texts['prompt']}\n{example.get('prompt') or ''}\n\n{before}\n\n{after}"


def not_checked(listed: Sequence[Any], texts: Words, lang: Language) -> list[str]:
    """What was not measured, why, and what to bring."""
    lines = []
    for one in listed:
        bring = in_language(one.get("bring"), lang)
        line = f"{texts['not_checked']}{texts['colon']}{in_language(one.get('why'), lang) or one.get('name')}{texts['stop']}"
        lines.append(f"{line}{texts['to_measure']}{texts['colon']}{bring}{texts['stop']}" if bring else line)
    return [line.rstrip() for line in lines]


def conformance_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """Whether the reward of a text stays the same however it is computed."""
    checks = evidence.audit.get("conformance") or ()
    if not checks:
        return None
    rows = [
        (
            in_language(one.get("title"), lang) or str(one["name"]),
            texts.get(f"conformance_{one['status']}", str(one["status"])),
            short(one.get("difference")),
            short(one.get("bound")),
            in_language(one.get("why"), lang),
        )
        for one in checks
    ]
    heads = tuple(texts[f"conformance_{name}"] for name in ("check", "status", "difference", "bound", "why"))
    return PageBlock(
        "conformance", texts["conformance"], (texts["conformance_line"],), (), (CellTable(heads, rows, (2, 3)),)
    )


def tokens_block(evidence: Evidence, texts: Words, lang: Language) -> PageBlock | None:
    """A text coloured by what each of its passages contributes to the reward."""
    found = evidence.audit.get("attribution")
    views = [
        token_view(one, texts) for one in ([found] if isinstance(found, Mapping) else found or ()) if one.get("spans")
    ]
    return PageBlock("tokens", texts["tokens"], (texts["tokens_line"],), views=views) if views else None


def token_view(found: Mapping[str, Any], texts: Words) -> TokenView:
    """One text; the strongest passage has the strongest colour."""
    spans = sorted(found["spans"], key=lambda span: span["start"])
    most = max(abs(span["value"]) for span in spans) or 1.0
    pieces, at = [], 0
    for span in spans:
        if span["start"] > at:
            pieces.append(ColouredPassage(found["text"][at : span["start"]]))
        pieces.append(coloured(found["text"][max(span["start"], at) : span["end"]], span["value"], most))
        at = max(at, span["end"])
    pieces.append(ColouredPassage(found["text"][at:]))
    title = texts["tokens_title"].format(reward=number(found.get("reward"), 3))
    remark = texts.get(f"tokens_{found.get('method')}", str(found.get("method") or ""))
    return TokenView(title, pieces, f"{remark} {texts['tokens_scale'].format(most=f'{most:.3f}')}")
