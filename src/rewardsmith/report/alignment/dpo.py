"""A DPO run as a page: what came out, its curves, and the settings behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rewardsmith.report.blocks import CellTable, PageBlock
from rewardsmith.report.charts.plot import Colour, Plot
from rewardsmith.report.charts.xy import Frame, GuideLine, Series, legend_of, xy_chart
from rewardsmith.report.numbers import number, span_of, with_span
from rewardsmith.report.text import Words

DpoFigures = Mapping[str, Any]


def headline(summary: DpoFigures, texts: Words) -> str:
    """Whether the implicit reward prefers what people preferred, beyond chance."""
    found = summary["eval"]
    if found is None:
        return texts["dpo_not_measured"]
    span = span_of(found["accuracy_ci"])
    known = "dpo_learned" if span is not None and span[0] > 0.5 else "dpo_not_learned"
    return texts[known].format(accuracy=with_span(found["accuracy"], found["accuracy_ci"], 3))


def sentences(summary: DpoFigures, texts: Words) -> list[str]:
    """What was trained, what likelihoods did, how far the model moved."""
    said = [
        texts["dpo_run"].format(steps=summary["steps"], pairs=f"{summary['pairs']:,}", reference=summary["reference"])
    ]
    if found := summary["eval"]:
        both_fell = all(
            found[f"log_prob_{side}"] < found[f"reference_log_prob_{side}"] for side in ("chosen", "rejected")
        )
        said.append(texts["dpo_both_fell" if both_fell else "dpo_chosen_kept"])
        said.append(texts["dpo_longer"].format(share=f"{found['longer']:.1%}"))
    if found := summary["kl"]:
        said.append(
            texts["dpo_kl"].format(
                kl=with_span(found["kl"], found["kl_ci"]), samples=found["samples"], tokens=f"{found['tokens']:,}"
            )
        )
    return said


def blocks(summary: DpoFigures, rows: Sequence[DpoFigures], texts: Words) -> list[PageBlock]:
    """The sections: figures, curves, settings."""
    return [*figures(summary, texts), curves(rows, texts), settings(summary, texts)]


def figures(summary: DpoFigures, texts: Words) -> list[PageBlock]:
    """Chosen and rejected responses of the validation data, before and after."""
    found = summary["eval"]
    if found is None:
        return []
    heads = ("", texts["dpo_chosen"], texts["dpo_rejected"], texts["dpo_difference"])
    rows = [
        sided(texts["dpo_before"], found["reference_log_prob_chosen"], found["reference_log_prob_rejected"]),
        sided(texts["dpo_after"], found["log_prob_chosen"], found["log_prob_rejected"]),
        sided(texts["dpo_reward"], found["reward_chosen"], found["reward_rejected"]),
    ]
    remark = texts["dpo_n"].format(n=f"{found['n']:,}", prompts=f"{found['prompts']:,}")
    table = CellTable(heads, rows, (1, 2, 3))
    return [PageBlock("figures", texts["dpo_figures"], tables=[table], remarks=[remark])]


def sided(name: str, chosen: float, rejected: float) -> tuple[str, ...]:
    """A row of the table."""
    return (name, number(chosen), number(rejected), number(chosen - rejected, signed=True))


def curves(rows: Sequence[DpoFigures], texts: Words) -> PageBlock:
    """Loss, margin, accuracy and log probabilities over the steps."""
    plots = [
        plot_of(
            "loss", texts["dpo_loss"], rows, [("loss", "dpo_training", "a"), ("eval_loss", "dpo_validation", "b")], texts
        ),
        plot_of(
            "margin", texts["dpo_margin"], rows, [("margin", "dpo_training", "a"), ("eval_margin", "dpo_validation", "b")],
            texts, zero=True,
        ),
        plot_of(
            "accuracy", texts["dpo_accuracy"], rows,
            [("accuracy", "dpo_training", "a"), ("eval_accuracy", "dpo_validation", "b")], texts,
        ),
        plot_of(
            "log_probs", texts["dpo_log_probs"], rows,
            [("eval_log_prob_chosen", "dpo_chosen", "d"), ("eval_log_prob_rejected", "dpo_rejected", "b")], texts,
        ),
        plot_of(
            "rewards", texts["dpo_rewards"], rows,
            [("eval_reward_chosen", "dpo_chosen", "d"), ("eval_reward_rejected", "dpo_rejected", "b")], texts, zero=True,
        ),
    ]  # fmt: skip
    return PageBlock("curves", texts["dpo_curves"], plots=[plot for plot in plots if plot is not None])


def plot_of(
    name: str,
    title: str,
    rows: Sequence[DpoFigures],
    lines: Sequence[tuple[str, str, Colour]],
    texts: Words,
    *,
    zero: bool = False,
) -> Plot | None:
    """Some figures against the step; None where there is none of them."""
    series = [
        Series(texts[word], [(row["step"], row[key]) for row in rows if row.get(key) is not None], colour)
        for key, word, colour in lines
    ]
    series = [one for one in series if one.points]
    if not series:
        return None
    guides = [GuideLine("", y=0.0)] if zero else []
    picture = xy_chart(title, Frame(texts["dpo_step"], title), series, guides)
    return Plot(name, title, picture, legend_of(series, guides))


def settings(summary: DpoFigures, texts: Words) -> PageBlock:
    """The settings that decide what was minimised."""
    keys = ("loss", "beta", "label_smoothing", "per_token", "sft", "lr", "batch", "lora", "best_step")
    rows = [(key, "–" if summary[key] is None else str(summary[key])) for key in keys]
    return PageBlock(
        "settings", texts["dpo_settings"], tables=[CellTable((texts["dpo_name"], texts["dpo_value"]), rows)]
    )
