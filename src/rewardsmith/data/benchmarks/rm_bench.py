"""RM-Bench: three chosen and three rejected responses, from concise to detailed with markdown."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, asked, graded, one_of
from rewardsmith.data.input.fields import items
from rewardsmith.data.input.rows import Raw, RowError

DOMAINS = ("chat", "math", "code", "safety-refuse", "safety-response", "safety")
STYLES = 3


def rm_bench(raw: Raw) -> BenchmarkItem:
    """`prompt, chosen, rejected`, lists of three; the domain is a column of `total_dataset.json`, and else the file's
    name."""
    domain = one_of(raw.row, raw, ("domain",), DOMAINS)
    chosen, rejected = items(raw.row, "chosen"), items(raw.row, "rejected")
    for name, found in (("chosen", chosen), ("rejected", rejected)):
        if len(found) != STYLES:
            raise RowError("wrong_length", f"{name} has {len(found)} entries; expected {STYLES}, one per style")
    grades = (1.0,) * STYLES + (0.0,) * STYLES
    record = graded(raw, asked(raw.row), [*chosen, *rejected], grades)
    return BenchmarkItem(record, domain.partition("-")[0], part=domain, grades=grades)
