"""The steps of an audit: read, score, measure, write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewardsmith.audit.biases.built_in import built_in_effects
from rewardsmith.audit.biases.counterfactual import counterfactual_effects, shifted
from rewardsmith.audit.biases.generators import MOST, generator_effects
from rewardsmith.audit.biases.observed import differences_of, length_account, observed_effects
from rewardsmith.audit.biases.rewrites import Rewritten, rewrite_effects
from rewardsmith.audit.biases.texts import PARALLEL
from rewardsmith.audit.effect import Effect, Scale, adjusted, reward_scale
from rewardsmith.audit.over_optimisation import FEWEST_PROMPTS, FEWEST_RESPONSES, Candidates, best_of_n_account
from rewardsmith.audit.policies import PolicyRatings, policy_account
from rewardsmith.audit.result import BiasAudit, NotChecked, ordered
from rewardsmith.diagnose.finding import Said
from rewardsmith.files import write_json, write_jsonl, write_text
from rewardsmith.language import current
from rewardsmith.pipelines.audit.reading import Audited, drawn
from rewardsmith.pipelines.audit.scorer import AuditScorer, Scorer, SourceScorer
from rewardsmith.pipelines.benchmark.reward_store import reward_store
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Conversation, Message, Record, Response
from rewardsmith.rewards.source import RewardSource

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

PARTS = ("effects", "conformance", "best_of_n")
MOST_EDITED = 4
"""Responses of a prompt that are edited: of 44 candidates each edit would be scored 44 times."""


@dataclass(frozen=True)
class Plan:
    """What is measured, and how."""

    parts: Sequence[str]
    bound: float
    seed: int
    rewrites: Sequence[Rewritten] = ()
    policies: PolicyRatings | None = None


@dataclass(frozen=True)
class Rewarded:
    """The audited records with the rewards of all their responses, and their scale."""

    records: Sequence[Record]
    rewards: Sequence[np.ndarray]
    scale: Scale


def audit_model(
    model: "RewardModel", audited: Audited, plan: Plan, *, name: str, source: str, progress: Progress = SILENT
) -> BiasAudit:
    """Every part of the plan on these records; without records conformance alone, on texts of our own.

    Rewards are kept by content while it runs, so that an audit that was killed does not score again what it had.
    """
    with reward_store(model, progress.note) as store:

        def scorer(whole: bool) -> Scorer:
            return Scorer(model, whole=whole, progress=progress, store=store)

        base, data = audit_with(scorer, audited, plan, name=name, source=source, progress=progress)
    if "conformance" in plan.parts:
        from rewardsmith.audit.conformance import conformance

        scale = data.scale if audited.records else None
        base = replace(base, conformance=tuple(conformance(model, list(some_texts(audited.records)), scale)))
    return base


def audit_source(
    rewards: RewardSource, audited: Audited, plan: Plan, *, name: str, source: str, progress: Progress = SILENT
) -> BiasAudit:
    """The parts of the plan that need rewards alone, by anything that rewards one response at a time.

    Conformance compares the ways in which one network can compute a reward, which such a source does not have.
    """

    def scorer(whole: bool) -> SourceScorer:
        return SourceScorer(rewards, whole=whole, progress=progress)

    base, _ = audit_with(scorer, audited, plan, name=name, source=source, progress=progress)
    if "conformance" not in plan.parts:
        return base
    missing = NotChecked(
        "conformance",
        Said(
            "conformance: the reward is not that of one pass over the conversation",
            "一致性：奖励不是对对话的一次前向计算",
        ),
        Said("a reward model without critiques", "不写评语的奖励模型"),
    )
    return replace(base, not_checked=(*base.not_checked, missing))


def audit_with(
    scorer: Callable[[bool], AuditScorer],
    audited: Audited,
    plan: Plan,
    *,
    name: str,
    source: str,
    progress: Progress,
) -> tuple[BiasAudit, Rewarded]:
    """The audit without conformance; `scorer(whole)` gives rewards, with `whole` none of a text that was cut."""
    rewards = rewards_of(scorer(False), audited.records, progress)
    data = Rewarded(
        audited.records, rewards, reward_scale([values[~np.isnan(values)] for values in rewards if len(values)])
    )
    base = BiasAudit(
        model=name,
        source=source,
        split=audited.split,
        prompts=len({record.prompt_id for record in audited.records}),
        prompts_available=audited.prompts,
        responses=sum(len(record.responses) for record in audited.records),
        bound=plan.bound,
        seed=plan.seed,
        scale=data.scale if audited.records else None,
    )
    if "effects" in plan.parts:
        base = with_effects(base, data, scorer(True), plan, progress)
    if "best_of_n" in plan.parts:
        base = with_best_of_n(base, data, plan)
    return replace(base, texts={**base.texts, "unreadable_rows": len(audited.quarantined)}), data


def rewards_of(scorer: AuditScorer, records: Sequence[Record], progress: Progress) -> list[np.ndarray]:
    """The rewards of all responses; how many records were known before is noted."""
    rewards = scorer(records)
    if scorer.known:
        progress.note(f"the rewards of {scorer.known:,} of {len(records):,} records were known from an earlier run")
    return rewards


def with_effects(audit: BiasAudit, data: Rewarded, score: AuditScorer, plan: Plan, progress: Progress) -> BiasAudit:
    """The audit with all effects, adjusted for their number."""
    missing: list[NotChecked] = []
    effects: list[Effect] = []
    length: dict[str, Any] | None = None
    if np.isnan(data.scale.sd):
        missing.append(no_effects(data.records))
    else:
        effects, length, missing = measured(data, score, plan)
    audit = replace(audit, effects=ordered(adjusted(effects)), length=length)
    counts = {"scored": score.texts, "cut": score.cut, "refused": score.refused}
    if score.cut or score.refused:
        progress.note(
            f"{score.cut + score.refused} of {score.texts} edited texts were not compared: {score.cut} longer than "
            f"max_length, {score.refused} refused by the chat template"
        )
    return replace(audit, not_checked=(*audit.not_checked, *missing), texts=counts)


def no_effects(records: Sequence[Record]) -> NotChecked:
    """Why no effect can be measured."""
    if not records:
        why = Said("effects on the reward: there is no data", "奖励的偏差：没有数据")
        return NotChecked("effects", why, Said("a SOURCE", "数据来源 SOURCE"))
    why = Said("effects on the reward: all rewards are the same", "奖励的偏差：所有奖励都相同")
    return NotChecked("effects", why, Said("a model whose rewards differ", "奖励有差异的模型"))


def measured(
    data: Rewarded, score: AuditScorer, plan: Plan
) -> tuple[list[Effect], dict[str, Any] | None, list[NotChecked]]:
    """(effects, accuracy by length, what could not be measured)."""
    options: dict[str, Any] = {"bound": plan.bound, "seed": plan.seed}
    some = list(edited_records(data.records, plan.seed))
    effects = list(counterfactual_effects(shifted(some, score)[1], data.scale, **options))
    effects += built_in_effects(score, data.scale, **options)
    missing: list[NotChecked] = [
        NotChecked(
            "position",
            Said("position: a scalar model reads one response at a time", "位置偏差：标量模型每次只读一条回复"),
            Said("a pairwise judge", "成对比较的评判模型"),
        )
    ]
    differences = differences_of(data.records, data.rewards)
    length = None if differences is None else length_account(differences, seed=plan.seed)
    if differences is None:
        why = Said("associations in the data: no response is preferred to another", "数据中的关联：没有偏好标签")
        missing.append(NotChecked("observed", why, Said("labelled comparisons", "带标签的比较")))
    else:
        effects += observed_effects(differences, data.scale, **options)
    generators, more = generator_effects(data.records, data.rewards, data.scale, **options)
    effects += generators
    if not generators:
        why = Said(
            "generators: the records do not name the models that wrote them", "生成模型：记录没有写明由哪个模型生成"
        )
        missing.append(
            NotChecked("generator", why, Said("a column with the model of each response", "每条回复的模型名一列"))
        )
    elif more:
        why = Said(
            f"{more} more generators: too few prompts, or beyond the {MOST} most frequent",
            f"另有 {more} 个生成模型：提示词过少，或不在最常见的 {MOST} 个之内",
        )
        missing.append(NotChecked("generator", why, Said("more responses of each", "它们各自更多的回复")))
    effects += rewrite_effects(plan.rewrites, score, data.scale, **options)
    return effects, length, missing


def edited_records(records: Sequence[Record], seed: int) -> Iterator[Record]:
    """Of each prompt MOST_EDITED responses at most, drawn by a hash of prompt and text, as one record each."""
    of_prompt: dict[str, dict[Conversation, Response]] = {}
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.prompt_id, record)
        known = of_prompt.setdefault(record.prompt_id, {})
        known.update((response.messages, response) for response in record.responses if response.messages not in known)
    for prompt, responses in of_prompt.items():
        chosen = sorted(responses.values(), key=lambda one: drawn(seed, prompt + one.text))[:MOST_EDITED]
        yield replace(first[prompt], responses=tuple(chosen), comparisons=(), ratings={})


def some_texts(records: Sequence[Record]) -> Iterator[Conversation]:
    """A conversation of each record, up to so many, else the built-in ones in both languages."""
    yield from (record.prompt + record.responses[0].messages for record in records[:200])
    if not records:
        for item in PARALLEL:
            for prompt, response in (item[:2], item[2:]):
                yield (Message("user", prompt), Message("assistant", response))


def with_best_of_n(audit: BiasAudit, data: Rewarded, plan: Plan) -> BiasAudit:
    """The audit with the account of best-of-N and that of policies trained by RL, or the reasons why there is none."""
    audit = with_policies(audit, plan)
    prompts = list(candidates_of(data))
    if len(prompts) < FEWEST_PROMPTS:
        why = Said(
            f"best of N: {len(prompts)} prompts have {FEWEST_RESPONSES} or more responses with gold ratings that differ",
            f"best-of-N：有 {FEWEST_RESPONSES} 条以上带不同真值评分的回复的提示词只有 {len(prompts)} 个",
        )
        bring = Said(
            f"{FEWEST_PROMPTS} prompts with {FEWEST_RESPONSES} rated responses each, better more",
            f"至少 {FEWEST_PROMPTS} 个提示词，每个有 {FEWEST_RESPONSES} 条带评分的回复，越多越好",
        )
        return replace(audit, not_checked=(*audit.not_checked, NotChecked("best_of_n", why, bring)))
    account = best_of_n_account(prompts, seed=plan.seed, bound=plan.bound)
    return replace(audit, best_of_n=account)


def with_policies(audit: BiasAudit, plan: Plan) -> BiasAudit:
    """The audit with what gold ratings of policies show, or the reason why there is nothing."""
    if plan.policies is not None:
        return replace(audit, policies=policy_account(plan.policies, seed=plan.seed))
    missing = NotChecked(
        "over_optimisation_rl",
        Said("over-optimisation in RL: no ratings of policies were given", "RL 中的过度优化：没有给出策略的评分"),
        Said("--policies: gold ratings of policies at several KL", "--policies：若干 KL 处各策略的真值评分"),
    )
    return replace(audit, not_checked=(*audit.not_checked, missing))


def candidates_of(data: Rewarded) -> Iterator[Candidates]:
    """Prompts with FEWEST_RESPONSES or more responses that all have a gold rating and a reward.

    Prompts whose ratings are all the same stay: leaving them out would overstate what best-of-N gains.
    """
    clusters: dict[str, int] = {}
    for record, rewards in zip(data.records, data.rewards, strict=True):
        given = record.ratings.get("overall", ())
        gold = np.array([np.nan if rating is None else rating for rating in given], dtype=np.float64)
        if gold.size >= FEWEST_RESPONSES and not np.isnan(gold).any() and not np.isnan(rewards).any():
            yield Candidates(rewards, gold, clusters.setdefault(record.prompt_id, len(clusters)))


def explained(score: AuditScorer, audited: Audited, count: int) -> list[dict[str, Any]]:
    """Both responses of the comparisons that the model gets most wrong, with the value of each word."""
    from rewardsmith.audit.attribution import by_occlusion

    rewards = score(audited.records)
    rows = [
        (float(values[c.i] - values[c.j]), record, c)
        for record, values in zip(audited.records, rewards, strict=True)
        for c in record.comparisons
        if not c.is_tie and not np.isnan(values[[c.i, c.j]]).any()
    ]
    found = []
    for margin, record, comparison in sorted(rows, key=lambda row: row[0])[:count]:
        for role, k in (("preferred", comparison.i), ("other", comparison.j)):
            if record.responses[k].messages[-1].content.strip():
                place = {"source": record.source, "line": record.line, "id": record.id, "response": k, "role": role}
                found.append({**place, "margin": margin, **by_occlusion(score, record, k).to_json()})
    return found


def save(audit: BiasAudit, folder: Path, explanations: Sequence[dict[str, Any]]) -> None:
    """Write audit.json, audit.md, and explained.jsonl where responses were explained."""
    from rewardsmith.audit.wording import lines_of

    if explanations:
        write_jsonl(folder / "explained.jsonl", explanations)
    write_text(folder / "audit.md", "```\n" + "\n".join(lines_of(audit, current())) + "\n```\n")
    write_json(folder / "audit.json", audit.to_json())
