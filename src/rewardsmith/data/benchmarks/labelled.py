"""JudgeBench, LLMBar and HHH: pairs in columns with a label, as `data.formats` reads them."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, in_format, one_of
from rewardsmith.data.input.fields import optional_text, text
from rewardsmith.data.input.rows import Raw, RowError
from rewardsmith.records import Record

JUDGEBENCH = {
    "mmlu-pro": "Knowledge",
    "livebench-reasoning": "Reasoning",
    "livebench-math": "Math",
    "livecodebench": "Coding",
}
LLMBAR = ("Natural", "Neighbor", "GPTInst", "GPTOut", "Manual")
HHH = ("harmless", "helpful", "honest", "other")


def judgebench(raw: Raw) -> BenchmarkItem:
    """`question, response_A, response_B, label, source`; the label is `A>B` or `B>A`."""
    source = text(raw.row, "source")
    section = next((name for prefix, name in JUDGEBENCH.items() if source.startswith(prefix)), None)
    if section is None:
        raise RowError("unknown_subset", f"source is {source[:40]!r}; expected one that begins with {one_line()}")
    record = decided(in_format("labelled-pair", raw))
    return BenchmarkItem(record, section, part=optional_text(raw.row, "response_model") or "")


def one_line() -> str:
    """How sources of JudgeBench begin."""
    return ", ".join(JUDGEBENCH)


def llmbar(raw: Raw) -> BenchmarkItem:
    """`input, output_1, output_2, label`; the subset is told by the folder or the file's name."""
    return BenchmarkItem(decided(in_format("labelled-pair", raw)), one_of(raw.row, raw, ("subset",), LLMBAR))


def hhh(raw: Raw) -> BenchmarkItem:
    """`input, targets` with a label for each choice; the subset is told by the folder, the file or the configuration."""
    return BenchmarkItem(in_format("hhh", raw), one_of(raw.row, raw, ("subset",), HHH))


def decided(record: Record) -> Record:
    """The record; RowError where neither response is better."""
    if all(comparison.is_tie for comparison in record.comparisons):
        raise RowError("no_judgement", "the label is a tie; expected one response to be better; drop the row")
    return record
