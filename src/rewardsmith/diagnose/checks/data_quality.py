"""What the numbers come from: the model that was measured, and what the data doctor found in the data."""

from rewardsmith.diagnose.facts import DataFinding, Facts
from rewardsmith.diagnose.finding import Finding, Said, percent, short_label
from rewardsmith.language import say

LOST_ROWS = 0.05
"""Share of unreadable rows above which the file was probably read with the wrong format."""

HIT_ROWS = 0.02
"""Share of rows hit by one check above which it can move an accuracy by points."""

LEFT_OUT = 0.05
"""Share of the data, left out or cut, above which the figures may be about other data than was given."""

NAMED = 5
"""Checks named in the sentence; the rest is counted."""


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
    )


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
    )


def left_out(facts: Facts) -> Finding | None:
    """Data that was not used as it was given: left out, cut, or changed by the chat template."""
    if not facts.left_out:
        return None
    told = [f"{name}: {line}" for name, account in facts.left_out.items() for line in account.sentences(rows=True)]
    return Finding(
        "left_out",
        "warning" if max(account.share for account in facts.left_out.values()) > LEFT_OUT else "info",
        Said("part of the data was excluded, truncated or changed", "部分数据被排除、截断或更改"),
        Said(";\n".join(told) + ".", "；\n".join(say(line, "zh") for line in told) + "。"),
        Said(
            "Rows cannot be read or do not fit into max_length, or the chat template rejects, shortens or omits texts.",
            "有行无法读取或超出 max_length，或者对话模板拒绝、缩短或省略了文本。",
        ),
        Said(
            "Check the listed rows (more under left_out in train.json and evaluation.json) and fix them, raise "
            "--max-length, or use another chat template.",
            "检查列出的行（更多见 train.json 和 evaluation.json 中的 left_out）并修复，或增大 --max-length，"
            "或换用其他对话模板。",
        ),
        {name: account.to_json() for name, account in facts.left_out.items()},
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
        "warning" if hits_many(ordered, rows) else "info",
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
    )


def most_frequent(ordered: list[DataFinding]) -> Said:
    """The first NAMED checks with their counts, and how many more there are."""
    listed = ", ".join(f"{short_label(f.check)} {f.count:,}" for f in ordered[:NAMED])
    more = len(ordered) - NAMED
    return (
        Said(f"{listed}, and {more} more checks", f"{listed}，另有 {more} 项检查") if more > 0 else Said(listed, listed)
    )


def hits_many(findings: list[DataFinding], rows: int | None) -> bool:
    """Whether one of the checks that warn hit a share of `rows` that can move an accuracy."""
    most = max((f.count for f in findings if f.severity == "warning"), default=0)
    return rows is not None and rows > 0 and most / rows >= HIT_ROWS
