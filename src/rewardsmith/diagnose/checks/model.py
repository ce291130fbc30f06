"""Whether the figures are about the model, the data and the run that they seem to be about."""

import math

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.signals import stopped_by_divergence, stopped_by_nan
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import NOTHING, Finding, Said, joined, percent, signed_span
from rewardsmith.diagnose.measured import Rescored
from rewardsmith.language import say

SAME = 0.05
"""Differences of rewards up to this share of their spread are the precision that they were computed in (bf16 has 8 bits)."""

ALIKE = 0.98
"""Correlation of old and new rewards from which the same model stands behind both, with another scale or precision."""

MUCH_WORSE = 0.08
"""Points of accuracy on the same comparisons under the run whose model looks alike, from which it is reported."""

TEMPLATE_LEAD = 0.05
"""Points of accuracy that another template has to bring, beyond its interval."""

REFUSED = 0.02
"""Share of texts that are refused now and were scored before, from which another template or tokenizer stands behind it."""

UNRELATED = 0.3
"""Correlation under which the head, or the whole model, is another one."""


def run_died(facts: Facts) -> Finding | None:
    """The run did not come to its end; one that its own loss ended is another finding: resumed, it ends again."""
    if not facts.died or stopped_by_nan(facts) or stopped_by_divergence(facts):
        return None
    last, best = max((row.step for row in facts.curve), default=0), best_so_far(facts)
    return Finding(
        "run_died",
        "critical",
        Said("the run did not finish", "训练没有完成"),
        Said(
            f"The folder contains a run whose end was never written; the last recorded step is {last}{best.en}.",
            f"该目录中的训练没有写入结束记录；最后记录的是第 {last} 步{best.zh}。",
        ),
        Said(f"It ended with: {facts.ended}.", f"结束原因：{say(facts.ended, 'zh')}。")
        if facts.ended
        else Said(
            "The process was killed, ran out of memory, or is still running.",
            "进程被终止、内存不足，或仍在运行。",
        ),
        Said("Resume it from its last checkpoint.", "从最后一个检查点继续训练。"),
        {"last_step": last},
        command=commands.resume(facts),
    )


def best_so_far(facts: Facts) -> Said:
    """The best validation pass of a run that did not end, as the end of a clause; "" without one."""
    known = [row for row in facts.passes if row.loss is not None and math.isfinite(row.loss)]
    if not known:
        return NOTHING
    best = min(known, key=lambda row: row.loss or 0.0)
    return Said(
        f"; the best validation loss so far is {best.loss:.4f}, at step {best.step}",
        f"；目前最好的验证损失为 {best.loss:.4f}（第 {best.step} 步）",
    )


def other_model(facts: Facts) -> Finding | None:
    """The model was evaluated although its probes no longer gave the rewards that were stored with it."""
    if facts.mismatch is None:
        return None
    return Finding(
        "other_model",
        "critical",
        Said("the evaluated model differs from the model that was saved", "评估的模型与保存的模型不一致"),
        Said(
            f"Evaluated with --allow-mismatch: {facts.mismatch}.",
            f"评估时使用了 --allow-mismatch：{say(facts.mismatch, 'zh')}。",
        ),
        Said(
            "The weights, the tokenizer, the chat template or a library changed after the model was saved.",
            "保存模型之后，权重、分词器、对话模板或某个库发生了变化。",
        ),
        Said(
            "Restore the model from a backup, or use the library versions it was saved with, and evaluate again "
            "without --allow-mismatch.",
            "从备份恢复模型，或使用保存时的库版本，然后去掉 --allow-mismatch 重新评估。",
        ),
        command=commands.verify(facts),
    )


def model_unreadable(facts: Facts) -> Finding | None:
    """The saved model cannot be opened as what was saved."""
    error = facts.measured.model_error
    if error is None:
        return None
    return Finding(
        "model_unreadable",
        "critical",
        Said("the saved model cannot be opened as it was saved", "无法按保存时的状态打开模型"),
        Said(f"Opening it failed: {error}.", f"打开失败：{say(error, 'zh')}。"),
        Said(
            "Files of the model folder were changed, replaced or lost after it was saved: weights are missing or unknown, "
            "a layer was removed, or the tokenizer or template is another one.",
            "模型目录在保存之后被更改、替换或丢失：权重缺失或多出、某一层被移除，或分词器、模板已不同。",
        ),
        Said(
            "Find out which files changed, restore them from a backup, or train again.",
            "找出哪些文件发生了变化，从备份恢复，或重新训练。",
        ),
        {"error": error},
        command=commands.verify(facts),
    )


def model_changed(facts: Facts) -> Finding | None:
    """The saved model gives other rewards than those of the evaluation."""
    found = facts.measured.rescored
    if found is None or not differs(found):
        return None
    pattern = pattern_of(found)
    if pattern == "rounded":
        return None
    cause = CAUSES[pattern] if found.by != "alike" else OR_ANOTHER
    now = "?" if found.accuracy_now is None else percent(found.accuracy_now)
    before = "?" if found.accuracy_before is None else percent(found.accuracy_before)
    correlation = "?" if found.correlation is None else f"{found.correlation:.3f}"
    slope = "?" if found.slope is None else f"{found.slope:.3g}"
    run = facts.measured.run
    whose = Said(f"the run {run}", f"训练 {run} 的") if run else Said("the evaluation", "评估")
    return Finding(
        "model_changed",
        "critical",
        Said("the saved model does not give the rewards that were evaluated", "保存的模型给出的奖励与评估时的奖励不同"),
        Said(
            f"{found.n} held-out responses scored again: correlation with the rewards of {whose.en} {correlation}, slope "
            f"{slope}, largest difference {found.largest:.3g} (their standard deviation is {found.spread:.3g}); accuracy on "
            f"them {before} then, {now} now.",
            f"重新评分 {found.n} 条留出回复：与{whose.zh}奖励的相关系数 {correlation}，斜率 {slope}，最大差异 "
            f"{found.largest:.3g}（其标准差为 {found.spread:.3g}）；准确率当时 {before}，现在 {now}。",
        ),
        cause,
        Said(
            "Do not use this model folder: restore the one that was evaluated, or save and evaluate again.",
            "不要使用该模型目录：恢复评估时的模型，或重新保存并评估。",
        ),
        {"pattern": pattern, "correlation": found.correlation, "slope": found.slope, "largest": found.largest},
        command=commands.verify(facts),
    )


def differs(found: Rescored) -> bool:
    """Whether the rewards are others than before; of a model that only looks alike, whether they are much worse.

    One that is as good as the run close by is another training of the same kind.
    """
    if found.largest <= SAME * max(found.spread, 1e-12):
        return False
    return found.by != "alike" or (found.accuracy_before or 0.0) - (found.accuracy_now or 0.0) >= MUCH_WORSE


def pattern_of(found: Rescored) -> str:
    """How the new rewards stand to the old ones: unrelated, scaled, offset, rounded, different."""
    if found.correlation is None or found.slope is None:
        return "unrelated"
    if abs(found.correlation) < UNRELATED or found.correlation < 0:
        return "unrelated"
    if found.correlation < ALIKE:
        return "different"
    if abs(found.slope - 1) > 0.1:
        return "scaled"
    shift = found.offset is not None and abs(found.offset) > SAME * found.spread
    return "offset" if shift else "rounded"


OR_ANOTHER = Said(
    "The model came without reward.json; a run close by has a model of the same architecture, which is much better on the "
    "same comparisons. Either this is that model, damaged when it was exported or copied (head, adapter, layer), or "
    "another one.",
    "该模型没有 reward.json；附近有一次训练，其模型结构相同，在相同比较上明显更好。它要么就是那个模型但在导出或复制时损坏"
    "（奖励头、适配器、层、分词器），要么是另一个模型。",
)
CAUSES = {
    "unrelated": Said(
        "The rewards have nothing to do with each other: the reward head was not saved and is newly initialised, or the "
        "weights are those of another model.",
        "两组奖励毫无关系：奖励头没有保存而被重新初始化，或权重属于另一个模型。",
    ),
    "scaled": Said(
        "The rewards are the same up to a scale: the head was multiplied, or an adapter was applied twice.",
        "两组奖励只差一个比例：奖励头被缩放，或适配器被应用了两次。",
    ),
    "offset": Said(
        "The rewards differ by a constant: a bias was added or lost.", "两组奖励相差一个常数：增加或丢失了偏置。"
    ),
    "different": Said(
        "Part of the model is another one: an adapter applied twice or not at all, a layer removed, another precision, "
        "another chat template, or another pooled token.",
        "模型的一部分已不同：适配器被应用两次或未应用、移除了某一层、精度不同、对话模板或池化的 token 不同。",
    ),
}


def contract_changed(facts: Facts) -> Finding | None:
    """The model folder scores under another template or tokenizer than the run was trained with."""
    changed, refused = facts.measured.contract_changed, facts.measured.refused
    if not changed and refused < REFUSED:
        return None
    listed_zh = "、".join(PARTS_ZH.get(name, name) for name in changed)
    differs = [
        Said(f"Differs from the settings of the run: {', '.join(changed)}", f"与训练设置不同：{listed_zh}")
    ] * bool(changed)
    if refused >= REFUSED:
        why = facts.measured.refusal
        differs.append(
            Said(
                f"{percent(refused)} of the held-out conversations, which could be scored before, are refused now ({why})",
                f"{percent(refused)} 的留出对话以前可以评分，现在被拒绝（{say(why, 'zh')}）",
            )
        )
    told = joined(differs)
    return Finding(
        "contract_changed",
        "critical",
        Said("the model scores other token sequences than it was trained on", "模型评分的 token 序列与训练时不同"),
        Said(f"{told.en}.", f"{told.zh}。"),
        Said(
            "The chat template, the tokenizer or the pad token of the model folder was changed after training.",
            "训练之后更改了模型目录的对话模板、分词器或填充 token。",
        ),
        Said(
            "Restore the template and tokenizer that the model was trained with.", "恢复训练时使用的对话模板和分词器。"
        ),
        {"changed": list(changed), "refused": refused},
        command=commands.verify(facts),
    )


def files_disagree(facts: Facts) -> Finding | None:
    """Files of the folder contradict each other: they are not of one run, or were edited."""
    if not facts.disagreements:
        return None
    told = joined(facts.disagreements)
    return Finding(
        "files_disagree",
        "critical",
        Said("files of the folder contradict each other", "目录中的文件互相矛盾"),
        Said(f"{told.en[:1].upper()}{told.en[1:]}.", f"{told.zh}。"),
        Said(
            "Files of two runs were mixed, rows were removed, or a file was edited afterwards: it is not known which of "
            "them the model comes from.",
            "两次训练的文件混在一起、部分行被删除，或文件事后被编辑：无法知道模型对应哪一个。",
        ),
        Said(
            "Check the folder, and restore the files of one run, or evaluate again.",
            "检查该目录，恢复同一次训练的文件，或重新评估。",
        ),
        {"count": len(facts.disagreements)},
        command=commands.verify(facts),
    )


def other_template(facts: Facts) -> Finding | None:
    """Under another chat template than its own the model ranks much better: it was trained with that one, or one like it."""
    better = [
        one
        for one in facts.measured.templates
        if one.interval is not None and one.difference >= TEMPLATE_LEAD and one.interval.low > 0
    ]
    if not better:
        return None
    best = max(better, key=lambda one: one.difference)
    spread = signed_span(best.interval.low, best.interval.high) if best.interval else ""
    return Finding(
        "other_template",
        "warning",
        Said(
            f"the model ranks better under the chat template {best.name!r} than under its own",
            f"在对话模板 {best.name!r} 下，模型的排序优于使用其自己的模板",
        ),
        Said(
            f"On {best.n:,} held-out comparisons the accuracy is {100 * best.difference:+.1f} [{spread}] points higher; "
            f"margins move by {best.moved:.2f} standard deviations.",
            f"在 {best.n:,} 个留出比较上准确率高 {100 * best.difference:+.1f} [{spread}] 个百分点；奖励差平均变化 "
            f"{best.moved:.2f} 个标准差。",
        ),
        Said(
            "The model was trained with another chat template than the one that its folder has now.",
            "模型训练时使用的对话模板与其目录中现在的模板不同。",
        ),
        Said("Restore the template that the model was trained with.", "恢复训练时使用的对话模板。"),
        {"template": best.name, "difference": best.difference, "moved": best.moved, "n": best.n},
        command=commands.verify(facts),
    )


PARTS_ZH = {
    "contract": "评分约定",
    "template": "对话模板",
    "tokenizer": "分词器",
    "pad_token_id": "填充 token",
    "max_length": "最大长度",
}


def origin_unknown(facts: Facts) -> Finding | None:
    """Nobody knows which run the model comes from, so that it cannot be held against what was trained."""
    if facts.measured.origin not in ("unknown", "alike"):
        return None
    return Finding(
        "origin_unknown",
        "info",
        Said("it is not known which run the model comes from", "不清楚该模型来自哪次训练"),
        Said(
            "The model does not lie in a run folder, its reward.json names no run close by, and its weights are not those "
            "of one.",
            "该模型不在训练目录中，其 reward.json 没有指明附近的某次训练，权重也与附近的训练不同。",
        ),
        Said(
            "Whether it is the model that was trained, whether it is read as in training, and whether it has seen the test "
            "data cannot be established.",
            "无法确定它是否就是训练得到的模型、读取方式是否与训练时相同，以及它是否见过测试数据。",
        ),
        Said(
            "Diagnose the model inside its run folder, or put the run folder beside it.",
            "在其训练目录中诊断该模型，或把训练目录放在它旁边。",
        ),
        {"origin": facts.measured.origin},
        "cannot_tell",
    )


def pad_token_in_text(facts: Facts) -> Finding | None:
    """The pad token stands in rendered texts, so programs that look for it pool another token."""
    held = facts.measured.pad_in_text
    if not held:
        return None
    return Finding(
        "pad_token_in_text",
        "warning",
        Said("the pad token occurs in scored texts", "填充 token 出现在被评分的文本中"),
        Said(f"It is in {percent(held)} of the sampled conversations.", f"它出现在 {percent(held)} 的抽样对话中。"),
        Said(
            "Programs that find the last token by the pad token (transformers, TRL) then pool an earlier one, and give "
            "other "
            "rewards.",
            "按填充 token 寻找最后一个 token 的程序（transformers、TRL）会池化更早的 token，从而给出不同的奖励。",
        ),
        Said(
            "Choose a pad token that no text contains, and train again.", "选择文本中不会出现的填充 token 并重新训练。"
        ),
        {"share": held},
        command=commands.inspect(facts),
    )


def data_changed(facts: Facts) -> Finding | None:
    """Files of the data no longer hold what the run was trained on."""
    files, splits = facts.measured.data_changed, facts.measured.splits_changed
    if not splits:  # a file that gives the same records and labels was only written anew
        return None
    listed = ", ".join(files or splits)
    return Finding(
        "data_changed",
        "critical" if "train" in splits else "warning",
        Said("the data changed since the run began", "训练开始之后数据发生了变化"),
        Said(f"Changed: {listed}.", f"已更改：{listed}。"),
        Said(
            "The run was resumed or evaluated with other data than it was trained on, or the file was edited later.",
            "继续训练或评估时使用了不同于训练时的数据，或文件后来被编辑过。",
        ),
        Said("Train again on the data as it is now.", "用现在的数据重新训练。"),
        {"files": list(files), "splits": list(splits)},
        command=commands.train(facts),
    )
