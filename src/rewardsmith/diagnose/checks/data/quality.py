"""What the data is worth: rows lost or cut, wrong labels, repeats and contradictions, and what `prepare` found."""

from collections.abc import Mapping

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.data.differing import prompt_parts
from rewardsmith.diagnose.facts import DataFinding, Facts
from rewardsmith.diagnose.finding import Finding, Said, Severity, percent, short_label, span
from rewardsmith.language import say
from rewardsmith.scoring.left_out import LeftOut

LOST_ROWS = 0.05
"""Share of unreadable rows above which the file was probably read with the wrong format."""

HIT_ROWS, HIT_MANY = 0.02, 0.3
"""Shares of rows hit by one check above which it can move an accuracy by points, and above which it governs it."""

NARROW, NARROWEST = 60, 15
"""Different prompts under which a model may learn those prompts alone, and under which it hardly can learn more."""

LEFT_OUT, LEFT_OUT_MANY = 0.05, 0.15
"""Shares of the data, left out or cut, above which the figures may be, and are, about other data than was given."""

VALIDATION = "validation data"
"""The name under which what was left out of it is told."""

UNJUDGED = 0.3
"""Share of records without any comparison from which labels were probably lost."""

WRONG, WRONG_MANY = 0.05, 0.2
"""Lower ends of the share of wrong labels: human labels have some, a fifth and more leaves little to learn."""

OPPOSED, OPPOSED_MANY = 0.02, 0.1
"""Shares of training comparisons that contradict an earlier one: judges of one pair disagree now and then."""

REPEATED, REPEATED_MANY = 0.1, 0.4
"""Shares of training comparisons that repeat an earlier one."""

NAMED = 5
"""Checks named in the sentence; the rest is counted."""


def lost_rows(facts: Facts) -> Finding | None:
    """Many input rows could not be read."""
    data = facts.data
    if data is None or not data.rows or not data.quarantined or data.quarantined / data.rows < LOST_ROWS:
        return None
    lost = f"{data.quarantined:,}", f"{data.rows:,}", percent(data.quarantined / data.rows)
    return Finding(
        "rows_quarantined",
        "warning",
        Said("many input rows could not be read", "许多输入行无法读取"),
        Said(
            f"{lost[0]} of {lost[1]} rows ({lost[2]}) were quarantined.",
            f"{lost[1]} 行中有 {lost[0]} 行（{lost[2]}）被隔离。",
        ),
        Said("The format was detected incorrectly, or the source is damaged.", "格式识别错误，或数据源损坏。"),
        Said(
            "Read data/quarantine.jsonl, which gives the file, line and reason for each row.",
            "查看 data/quarantine.jsonl：其中有每行的文件、行号和原因。",
        ),
        {"quarantined": data.quarantined, "rows": data.rows},
        command=commands.inspect(facts),
    )


def left_out(facts: Facts) -> Finding | None:
    """Data that was not used as it was given: left out, cut, or changed by the chat template."""
    if not facts.left_out:
        return None
    told = [f"{name}: {line}" for name, account in facts.left_out.items() for line in account.sentences(rows=True)]
    most = max(account.share for account in facts.left_out.values())
    by_prompts = only_for_its_prompts(facts)
    return Finding(
        "left_out",
        how_bad(facts.left_out, most),
        Said(
            f"{percent(most)} of the data was excluded, truncated or changed",
            f"{percent(most)} 的数据被排除、截断或更改",
        ),
        Said(";\n".join(told) + ".", "；\n".join(say(line, "zh") for line in told) + "。"),
        Said(
            "Rows cannot be read or do not fit into max_length, or the chat template rejects, shortens or omits texts. "
            "What is "
            "left may differ from the whole.",
            "有行无法读取或超出 max_length，或者对话模板拒绝、缩短或省略了文本。剩下的数据可能与全部数据不同。",
        ),
        OTHER_DATA if by_prompts else FIX_ROWS,
        {name: account.to_json() for name, account in facts.left_out.items()},
        command=commands.evaluate(facts) if by_prompts else commands.train(facts, *longer_texts(facts)),
    )


FIX_ROWS = Said(
    "Check the listed rows (more under left_out in train.json and evaluation.json) and fix them, raise --max-length, or use "
    "another chat template.",
    "检查列出的行（更多见 train.json 和 evaluation.json 中的 left_out）并修复，或增大 --max-length，或换用其他对话模板。",
)
OTHER_DATA = Said(
    "The evaluated conversations are unlike those of training, of which enough was used: evaluate on data like that of "
    "training, or train on data like this with a larger --max-length.",
    "被评估的对话与训练时的对话不同，而训练数据大体都用上了：在与训练数据相似的数据上评估，"
    "或用与此相似的数据并增大 --max-length 来训练。",
)


def only_for_its_prompts(facts: Facts) -> bool:
    """Whether much was left out of the evaluated data alone, and its prompts are unlike those of training."""
    harmful = {name: harmful_share(account) for name, account in facts.left_out.items()}
    judged = harmful.pop("evaluated data", 0.0)
    found = facts.measured.beside
    return judged > LEFT_OUT >= max(harmful.values(), default=0.0) and found is not None and bool(prompt_parts(found))


def how_bad(accounts: Mapping[str, LeftOut], most: float) -> Severity:
    """By the largest share that takes something from the data, and `most`, that of anything that happened.

    No figure is about validation data, which only chooses the checkpoint and is small: it may lose more.
    """
    harmful = {name: harmful_share(account) for name, account in accounts.items()}
    chooses = harmful.pop(VALIDATION, 0.0)
    worst = max(harmful.values(), default=0.0)
    if worst > LEFT_OUT_MANY:
        return "critical"
    return "warning" if worst > LEFT_OUT or chooses > LEFT_OUT_MANY or most > UNJUDGED else "info"


def harmful_share(account: LeftOut) -> float:
    """The same without records that have no comparison: nobody judged them, so that nothing is lost with them."""
    unjudged = account.reason_count("unused", "no_comparison")
    lost = {name: tally.count - unjudged * (name == "unused") for name, tally in account.tallies.items()}
    return max((lost[name] / tally.of for name, tally in account.tallies.items() if tally.of), default=0.0)


def longer_texts(facts: Facts) -> list[str]:
    """The flags for twice the length, where it is known."""
    length = facts.settings.get("max_length")
    return ["--max-length", str(2 * length)] if isinstance(length, int) else []


def wrong_labels(facts: Facts) -> Finding | None:
    """Wrong labels are shown to be in the data, and what accuracy they allow."""
    prepared = facts.data.wrong if facts.data else None
    found = prepared or facts.measured.wrong
    if found is None or not found.shown:
        return None
    spread = found.interval
    return Finding(
        "label_noise",
        "critical" if spread.low > WRONG_MANY else "warning" if spread.low > WRONG else "info",
        Said(f"about {percent(found.rate)} of the labels are wrong", f"约 {percent(found.rate)} 的标签是错误的"),
        Said(
            f"{percent(found.rate)} ({span(spread.low, spread.high)}) of {found.n:,} "
            f"{'training' if prepared else 'held-out'} labels; a model that is always right reaches "
            f"{percent(1 - found.rate)} on such labels.",
            f"{found.n:,} 个{'训练' if prepared else '留出'}标签中有 {percent(found.rate)}（"
            f"{span(spread.low, spread.high)}）；"
            f"在这样的标签上，始终正确的模型也只能达到 {percent(1 - found.rate)}。",
        ),
        Said(
            "Annotators disagree, the labels were made by a weak judge, or some columns were swapped.",
            "标注者意见不一、标签由较弱的评判者给出，或部分列被对调。",
        ),
        Said("Find the wrong labels, and soften or drop them.", "找出错误的标签，将其软化或删除。"),
        {"rate": found.rate, "low": spread.low, "high": spread.high},
        command=commands.prepare(facts, "--label-noise", "report"),
    )


def repeated(facts: Facts) -> tuple[int, float, float]:
    """(training comparisons, share that repeats an earlier one, share that contradicts one); zeros where not known."""
    counts = facts.measured.beside.repeats if facts.measured.beside else {}
    total = counts.get("comparisons", 0)
    again, opposed = (counts.get(name, 0) / max(total, 1) for name in ("repeated", "contradictory"))
    return total, again, opposed


def repeats(facts: Facts) -> Finding | None:
    """Training comparisons that repeat, or contradict, an earlier one."""
    total, again, opposed = repeated(facts)
    if opposed < OPPOSED and again < REPEATED:
        return None
    many = opposed >= OPPOSED
    grave = opposed >= OPPOSED_MANY or again >= REPEATED_MANY
    return Finding(
        "contradictions" if many else "duplicates",
        "critical" if grave else "warning",
        Said("the training labels contradict each other", "训练标签互相矛盾")
        if many
        else Said("many training comparisons are repeated", "许多训练比较重复出现"),
        Said(
            f"Of {total:,} training comparisons {percent(again)} repeat an earlier one with the same texts, and "
            f"{percent(opposed)} contradict one.",
            f"{total:,} 个训练比较中，{percent(again)} 与更早的比较文本相同，{percent(opposed)} 与更早的比较标签相反。",
        ),
        Said(
            "Rows were copied or joined from several sources; opposite labels cancel each other, and at most "
            f"{percent(1 - opposed / 2)} of them can be right together."
            if many
            else "Rows were copied, or joined from several sources: they weigh more than others, and the data contains "
            "less than "
            "it seems to.",
            "行被复制或来自多个来源；相反的标签相互抵消。"
            if many
            else "行被复制或来自多个来源：它们的权重更大，数据的实际内容比看上去少。",
        ),
        Said("Remove repeated rows, and settle contradictions by votes.", "移除重复的行，并用投票解决矛盾。"),
        {"repeated": again, "contradictory": opposed, "comparisons": total},
        command=commands.prepare(facts, "--remove", "contradiction") if many else commands.prepare(facts),
    )


def data_findings(facts: Facts) -> Finding | None:
    """What the checks found in the rows that were kept or removed."""
    if facts.data is None or not facts.data.findings:
        return None
    ordered = sorted(facts.data.findings, key=lambda f: (-f.count, f.check))
    rows, listed = facts.data.rows, most_frequent(ordered)
    of_en, of_zh = ("", "") if rows is None else (f" in {rows:,} rows", f"（共 {rows:,} 行）")
    return Finding(
        "data_findings",
        severity_of(ordered, rows),
        Said("the data has quality problems", "数据存在质量问题"),
        Said(
            f"Rows found by each check{of_en}: {listed.en}.",
            f"各检查项发现的行数{of_zh}：{listed.zh}。",
        ),
        Said("The source contains damaged, duplicate or contradictory rows.", "数据源包含损坏、重复或矛盾的行。"),
        Said(
            "Read the examples in data/quality.json and fix or remove those rows.",
            "查看 data/quality.json 中的示例，修复或移除这些行。",
        ),
        {f.check: f.count for f in ordered},
        command=commands.prepare(facts),
    )


def most_frequent(ordered: list[DataFinding]) -> Said:
    """The first NAMED checks with their counts, and how many more there are."""
    listed = ", ".join(f"{short_label(f.check)} {f.count:,}" for f in ordered[:NAMED])
    more = len(ordered) - NAMED
    return (
        Said(f"{listed}, and {more} more checks", f"{listed}，另有 {more} 项检查") if more > 0 else Said(listed, listed)
    )


def severity_of(findings: list[DataFinding], rows: int | None) -> Severity:
    """By the share of `rows` that one of the checks that warn hit: one that can move an accuracy, or one that governs it."""
    most = max((f.count for f in findings if f.severity == "warning"), default=0)
    if not rows:
        return "info"
    return "critical" if most / rows >= HIT_MANY else "warning" if most / rows >= HIT_ROWS else "info"


def narrow_data(facts: Facts) -> Finding | None:
    """Training on few prompts: so few that nothing can be said about others, or what was learned does not carry over to
    them, or, as a note, neither is shown.
    """
    found = facts.measured.beside
    prompts = found.training.prompts if found else None
    if found is None or prompts is None or prompts >= NARROW:
        return None
    stays = stays_behind(facts)
    return Finding(
        "narrow_data",
        "critical" if prompts < NARROWEST else "warning" if stays else "info",
        Said(f"trained on only {prompts} prompts", f"只在 {prompts} 个提示词上训练"),
        Said(
            f"The {found.training.comparisons:,} training comparisons are about {prompts} different prompts.",
            f"{found.training.comparisons:,} 个训练比较只涉及 {prompts} 个不同的提示词。",
        ),
        Said(
            "The data is small, or the prompt column was lost or filled with one text when it was converted.",
            "数据太少，或转换时提示词列丢失或被填成同一文本。",
        ),
        Said("Check the column mapping, and train on more prompts.", "检查列的映射，并增加训练提示词。"),
        {"prompts": prompts, "stays_behind": stays},
        "found" if prompts < NARROWEST or stays else "cannot_tell",
        commands.inspect(facts),
    )


def stays_behind(facts: Facts) -> bool:
    """Whether training comparisons are ranked better than those of other prompts, beyond the intervals of both."""
    sample = facts.measured.beside.sample if facts.measured.beside else None
    if sample is None or sample.accuracy_interval is None or facts.interval is None:
        return False
    return sample.accuracy_interval.low > facts.interval.high
