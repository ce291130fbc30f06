"""An audit in words, for a terminal of 80 columns and for audit.md, in English and in Chinese."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rewardsmith.audit.attribution import Attribution
from rewardsmith.audit.conformance import Conformance
from rewardsmith.audit.effect import FEWEST_PROMPTS, Effect
from rewardsmith.audit.result import BiasAudit
from rewardsmith.diagnose.finding import Said
from rewardsmith.language import Language, cut, padded, wrapped

WIDTH = 80
TITLE_COLUMNS, EFFECT_COLUMNS, SHARE_COLUMNS = 32, 24, 7
STATUS = {
    "found": Said("found", "发现"),
    "excluded": Said("excluded", "已排除"),
    "cannot_tell": Said("unclear", "无法判断"),
}
OUTCOMES = {
    "holds": Said("passed", "通过"),
    "broken": Said("FAILED", "未通过"),
    "measured": Said("measured", "仅测量"),
    "not_checked": Said("not checked", "未检查"),
}
KINDS = {
    "edit": Said("Edits of the response that keep its meaning", "不改变含义的回复改动"),
    "attack": Said(
        "Constant texts as the response (share: outranked responses)", "以固定文本作为回复（比例：被其超过的回复）"
    ),
    "built_in": Said("Built-in conversations", "内置对话"),
    "observed": Said("Associations in the data, given the label", "数据中的关联（标签相同时）"),
    "generator": Said("Generators, given the label", "生成模型（标签相同时）"),
    "rewrite": Said("Rewrites", "改写"),
}


def lines_of(audit: BiasAudit, lang: Language) -> list[str]:
    """The audit for a terminal: what was found, tables of effects and conformance, best-of-N, and the next steps."""
    lines = [*wrapped(headline(audit).to(lang), WIDTH)]
    for part in (
        effect_lines,
        length_lines,
        conformance_lines,
        best_of_n_lines,
        policy_lines,
        not_checked_lines,
        action_lines,
    ):
        found = list(part(audit, lang))
        lines += ["", *found] if found else []
    return lines


def headline(audit: BiasAudit) -> Said:
    """How many effects of each status, on what."""
    if not audit.effects:
        broken = sum(check.outcome == "broken" for check in audit.conformance)
        return Said(
            f"{audit.model}: no effects measured; conformance checks failed: {broken}",
            f"{audit.model}：未测量偏差；未通过的一致性检查：{broken}",
        )
    found, unclear, excluded = (len(audit.with_status(name)) for name in ("found", "cannot_tell", "excluded"))
    return Said(
        f"{len(audit.effects)} possible biases on {audit.prompts:,} of {audit.prompts_available:,} prompts: {found} found, "
        f"{excluded} excluded, {unclear} unclear (bound ±{audit.bound:g} SD of the reward within prompts)",
        f"在 {audit.prompts_available:,} 个提示词中的 {audit.prompts:,} 个上检查了 {len(audit.effects)} 种可能的偏差："
        f"发现 {found} 种，排除 {excluded} 种，无法判断 {unclear} 种（界限为提示词内奖励标准差的 ±{audit.bound:g} 倍）",
    )


def effect_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """A table by kind of effect, found ones first in each."""
    if not audit.effects:
        return
    yield row("", Said("effect in SD [95 %]", "效应，标准差 [95 %]").to(lang), Said("flips", "翻转").to(lang), "")
    for kind, title in KINDS.items():
        chosen = [effect for effect in audit.effects if effect.kind == kind]
        if chosen:
            yield title.to(lang)
            yield from (effect_row(effect, lang) for effect in chosen)


def row(title: str, effect: str, share: str, rest: str) -> str:
    """Columns of a table."""
    shown = cut(title, TITLE_COLUMNS)
    return (
        padded(f"  {shown}", TITLE_COLUMNS + 3) + padded(effect, EFFECT_COLUMNS) + padded(share, SHARE_COLUMNS) + rest
    ).rstrip()


def effect_row(effect: Effect, lang: Language) -> str:
    """One effect: size with interval, flipped share, status."""
    interval = effect.interval
    size = f"{effect.effect_sd:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]"
    if math.isnan(interval.low):
        size = f"{effect.effect_sd:+.2f}" if not math.isnan(effect.effect_sd) else "–"
    share = "" if math.isnan(effect.flipped) else f"{100 * effect.flipped:.0f} %"
    return row(effect.title.to(lang), size, share, STATUS[effect.status].to(lang))


def length_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """Accuracy by length, and the partial correlation."""
    if not audit.length:
        return
    parts = (
        ("preferred_longer", Said("preferred response longer", "被偏好的回复更长")),
        ("equally_long", Said("within 10 % of each other", "长度相差不超过 10 %")),
        ("preferred_shorter", Said("preferred response shorter", "被偏好的回复更短")),
    )
    yield Said("Accuracy by length", "按长度的准确率").to(lang)
    for name, title in parts:
        found = audit.length[name]
        figure = "–" if not found["n"] else f"{found['accuracy']:.3f} {span_of(found['ci'])}"
        yield row(title.to(lang), figure, "", f"n = {found['n']:,}")
    partial = audit.length["partial_correlation"]
    title = Said("partial correlation with length", "与长度的偏相关")
    yield row(title.to(lang), f"{partial['value']:+.2f} {span_of(partial['ci'], '+.2f')}", "", f"n = {partial['n']:,}")


def span_of(ends: Sequence[float] | None, form: str = ".3f") -> str:
    """An interval in brackets, "" where there is none."""
    return "" if ends is None or ends[0] is None or math.isnan(ends[0]) else f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def conformance_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """A table of the checks, failed ones first."""
    if not audit.conformance:
        return
    rank = {"broken": 0, "holds": 1, "measured": 2, "not_checked": 3}
    yield Said("The same reward, however it is computed", "以不同方式计算，奖励是否一致").to(lang)
    yield row("", Said("largest difference", "最大差异").to(lang), Said("flips", "翻转").to(lang), "")
    for check in sorted(audit.conformance, key=lambda one: rank[one.outcome]):
        yield conformance_row(check, lang)


def conformance_row(check: Conformance, lang: Language) -> str:
    """One check: largest difference, its bound, share of reordered pairs, outcome or why there is none."""
    if check.outcome == "not_checked":
        return cut(row(check.title.to(lang), check.why.to(lang), "", ""), WIDTH)
    figure = "" if math.isnan(check.difference) else f"{check.difference:.2g}"
    if not math.isnan(check.bound):
        figure += Said(f" (bound {check.bound:.2g})", f"（界限 {check.bound:.2g}）").to(lang)
    share = "" if math.isnan(check.reordered) else f"{100 * check.reordered:.0f} %"
    return row(check.title.to(lang), figure, share, OUTCOMES[check.outcome].to(lang))


def best_of_n_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """The curve, and where to stop."""
    found = audit.best_of_n
    if not found:
        return
    yield Said(
        f"Best of N against gold ratings, {found['prompts']:,} prompts",
        f"best-of-N 与真值评分，{found['prompts']:,} 个提示词",
    ).to(lang)
    yield row(Said("   N     KL ≤", "   N     KL ≤").to(lang), Said("gold [95 %]", "真值 [95 %]").to(lang), "", "")
    for point in found["curve"]:
        yield row(f"{point['n']:4d} {point['kl']:8.2f}", f"{point['gold']:.3f} {span_of(point['gold_ci'])}", "", "")
    stop, fall = found["recommended"], found["fall"]
    yield from wrapped(
        Said(
            f"Stop at N = {stop['n']} (KL ≤ {stop['kl']:.2f}): no larger N is shown to be better. Fall from the peak to the "
            f"end: {fall['value']:.3f} {span_of(fall['ci'])}, over-optimisation {STATUS[found['over_optimised']].en}.",
            f"建议停在 N = {stop['n']}（KL ≤ {stop['kl']:.2f}）：没有证据表明更大的 N 更好。从峰值到末端的下降："
            f"{fall['value']:.3f} {span_of(fall['ci'])}，过度优化：{STATUS[found['over_optimised']].zh}。",
        ).to(lang),
        WIDTH,
    )


def policy_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """Gold ratings over KL of policies that were trained by RL, the fit, and where to stop."""
    found = audit.policies
    if not found:
        return
    yield Said(
        f"Policies trained by RL against gold ratings, {found['policies']} and the initial one",
        f"RL 训练的策略与真值评分，{found['policies']} 个策略及初始策略",
    ).to(lang)
    yield row("      KL", Said("gold [95 %]", "真值 [95 %]").to(lang), "", "")
    for point in found["curve"]:
        yield row(f"{point['kl']:8.2f}", f"{point['gold']:.3f} {span_of(point['gold_ci'])}", "", "")
    yield from wrapped(policy_sentence(found["fit"], found["recommended"]["kl"]).to(lang), WIDTH)


def policy_sentence(fit: Mapping[str, Any], stop: float) -> Said:
    """The KL to stop at, and what the fit says."""
    peak = fit["peak_kl"]
    tail = Said("it has no highest point", "该拟合没有最高点")
    if peak is not None and not math.isnan(peak):
        told = f"{peak:.2f} {span_of(fit['peak_kl_ci'])}".strip()
        tail = Said(f"highest at KL {told}", f"在 KL {told} 处最高")
    limit = Said(
        f"Stop at KL {stop:.2f}: no larger KL is shown to be better.",
        f"建议停在 KL {stop:.2f}：没有证据表明更大的 KL 更好。",
    )
    if fit["alpha_ci"] is None:
        limit = Said(
            f"Highest measured at KL {stop:.2f}, without intervals: 10 prompts or more are needed for them.",
            f"测得的最高点在 KL {stop:.2f}，没有区间：需要至少 10 个提示词。",
        )
    return Said(
        f"{limit.en} Fit d(α − β ln d), d = √KL: α = {fit['alpha']:.3f}, "
        f"β = {fit['beta']:.3f}, largest error {fit['largest_error']:.3f}; {tail.en}.",
        f"{limit.zh}拟合 d(α − β ln d)，d = √KL：α = {fit['alpha']:.3f}，"
        f"β = {fit['beta']:.3f}，最大误差 {fit['largest_error']:.3f}；{tail.zh}。",
    )


def not_checked_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """What could not be looked at, and what to bring for it."""
    if audit.not_checked:
        yield Said("Not checked", "未检查").to(lang)
    for one in audit.not_checked:
        text = Said(f"{one.why.en}; bring {one.bring.en}", f"{one.why.zh}；需要{one.bring.zh}").to(lang)
        yield from (f"  {line}" for line in wrapped(text, WIDTH - 2))


def attribution_lines(found: Attribution, lang: Language) -> Iterator[str]:
    """The spans of a response in order, with their values and a bar from the smallest to the largest."""
    yield Said(f"reward {found.reward:.4f}, by {found.method}", f"奖励 {found.reward:.4f}，方法 {found.method}").to(
        lang
    )
    largest = max((abs(span.value) for span in found.spans), default=0.0) or 1.0
    for span in found.spans:
        bar = ("+" if span.value > 0 else "-") * round(20 * abs(span.value) / largest)
        text = " ".join(found.text[span.start : span.end].split()) or repr(found.text[span.start : span.end])
        yield f"{span.value:+9.4f} {bar:20} {cut(text, WIDTH - 32)}"
    if found.before is not None:
        yield Said(
            f"{found.before:+9.4f} before the response, {found.template_end:+.4f} from the template's end",
            f"{found.before:+9.4f} 为回复之前，{found.template_end:+.4f} 来自模板结尾",
        ).to(lang)


# --- what to do -------------------------------------------------------------------------------------------------------


def action_lines(audit: BiasAudit, lang: Language) -> Iterator[str]:
    """The next steps, each with the command for it; the command on a line of its own, to be copied."""
    steps = list(next_steps(audit))
    if steps:
        yield Said("Next", "下一步").to(lang)
    for reason, command in steps:
        yield from (f"  {line}" for line in wrapped(reason.to(lang), WIDTH - 2))
        yield f"    {command}"


def next_steps(audit: BiasAudit) -> Iterator[tuple[Said, str]]:
    """(why, command) for what was found, most important first; each command exists and is printed whole."""
    model, source = shlex.quote(audit.model), shlex.quote(audit.source)
    broken = [check for check in audit.conformance if check.outcome == "broken"]
    if broken:
        names = "; ".join(check.title.en for check in broken), "；".join(check.title.zh for check in broken)
        yield conformance_step(broken, names, model, source)
    yield from effect_steps(audit, source)
    if audit.best_of_n and audit.best_of_n["over_optimised"] == "found":
        limit = audit.best_of_n["recommended"]
        yield (
            Said(
                f"Gold ratings fall beyond N = {limit['n']}: use at most {limit['n']} responses per prompt",
                f"N 超过 {limit['n']} 后真值评分下降：每个提示词最多使用 {limit['n']} 条回复",
            ),
            f"rewardsmith score {model} {source} -o best.jsonl --best-of",
        )
    yield from unclear_steps(audit, model, source)


def conformance_step(
    broken: Sequence[Conformance], names: tuple[str, str], model: str, source: str
) -> tuple[Said, str]:
    """What to do about rewards that depend on how they are computed."""
    said = Said(f"Rewards depend on how they are computed: {names[0]}", f"奖励取决于计算方式：{names[1]}")
    if any(check.name == "template" for check in broken) and source != "''":
        return said, f"rewardsmith inspect {source} --model {model}"
    return said, f"rewardsmith verify {model}"


def effect_steps(audit: BiasAudit, source: str) -> Iterator[tuple[Said, str]]:
    """For effects found: whether the training labels have the same bias, which is where most of them come from."""
    found = audit.with_status("found")
    attacks = [effect for effect in found if effect.kind == "attack"]
    if attacks:
        yield attack_step(attacks, source)
    top = next((effect for effect in found if effect.kind != "attack"), None)
    if top is not None:
        yield (
            Said(
                f"The reward moves with what is not quality, most with: {top.title.en} ({top.effect_sd:+.2f} SD). See "
                "whether the training labels do the same (section Shortcuts of quality.html)",
                f"奖励随与质量无关的特征变化，其中最大的是：{top.title.zh}（{top.effect_sd:+.2f} 个标准差）。请查看训练标签"
                "是否也如此（quality.html 中的“捷径”一节）",
            ),
            f"rewardsmith prepare {source} -o checked",
        )


def attack_step(attacks: Sequence[Effect], source: str) -> tuple[Said, str]:
    """What to do about constant texts that rank with responses."""
    names = "; ".join(effect.title.en for effect in attacks), "；".join(effect.title.zh for effect in attacks)
    refusal = " --remove refusal" if any(effect.family == "refusal" for effect in attacks) else ""
    said = Said(
        f"Texts without content rank with real responses ({names[0]}): look for repeated responses in the training data",
        f"没有内容的文本与真实回复排名相当（{names[1]}）：请检查训练数据中是否有重复的回复",
    )
    return said, f"rewardsmith prepare {source} -o checked{refusal}"


def unclear_steps(audit: BiasAudit, model: str, source: str) -> Iterator[tuple[Said, str]]:
    """For effects that are neither found nor excluded: how many prompts it would take."""
    needed = [count for effect in audit.with_status("cannot_tell") if (count := prompts_needed(effect))]
    if not needed:
        return
    middle = sorted(needed)[len(needed) // 2]
    if audit.prompts < audit.prompts_available:
        most = min(audit.prompts_available, middle)
        yield (
            Said(
                f"{len(needed)} effects are unclear; half of them need about {middle:,} prompts to be found or excluded",
                f"{len(needed)} 种效应无法判断；其中一半约需 {middle:,} 个提示词才能确认或排除",
            ),
            f"rewardsmith audit {model} {source} --prompts {0 if most == audit.prompts_available else most}",
        )
    else:
        yield (
            Said(
                f"{len(needed)} effects are unclear; half of them need about {middle:,} prompts to be found or excluded, "
                f"and this source has {audit.prompts_available:,}: add data",
                f"{len(needed)} 种效应无法判断；其中一半约需 {middle:,} 个提示词才能确认或排除，而该来源只有 "
                f"{audit.prompts_available:,} 个：请增加数据",
            ),
            f"rewardsmith audit {model} {source} MORE.jsonl --prompts 0",
        )


def prompts_needed(effect: Effect) -> int | None:
    """Prompts with which an effect of the bound's size would be found with 80 % power; None where that is unknown."""
    if math.isnan(effect.mde) or effect.prompts < 2 or effect.kind == "built_in":
        return None
    return max(FEWEST_PROMPTS, math.ceil(effect.prompts * max(1.0, (effect.mde / effect.bound) ** 2)))
