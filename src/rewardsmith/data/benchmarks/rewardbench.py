"""RewardBench and its prior sets, and M-RewardBench: pairs with a subset each."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, in_format, said_by
from rewardsmith.data.input.fields import text
from rewardsmith.data.input.rows import Raw

PRIOR_SETS = (
    "anthropic_harmless",
    "anthropic_helpful",
    "anthropic_hhh",
    "mtbench_gpt4",
    "mtbench_human",
    "shp",
    "summarize",
)
"""The splits of the preference test sets; a file of theirs has its name, and a `subset` in its rows means another thing."""


def rewardbench(raw: Raw) -> BenchmarkItem:
    """`prompt, chosen, rejected, subset`; a row of a prior set belongs to the set that its file is named after."""
    record = in_format("pair", raw)
    return BenchmarkItem(record, said_by(raw.file, PRIOR_SETS) or text(raw.row, "subset"))


def m_rewardbench(raw: Raw) -> BenchmarkItem:
    """`prompt, chosen, rejected, language, source`: the subset is called source."""
    record = in_format("pair", raw)
    return BenchmarkItem(record, text(raw.row, "source"), part=text(raw.row, "language"))
