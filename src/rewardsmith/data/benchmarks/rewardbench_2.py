"""RewardBench 2: lists of correct and of wrong responses."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, asked, graded, one_of
from rewardsmith.data.input.fields import items, text
from rewardsmith.data.input.rows import Raw, RowError

SUBSETS = ("Factuality", "Precise IF", "Math", "Safety", "Focus", "Ties")
PARTS = ("ref", "tied")


def rewardbench_2(raw: Raw) -> BenchmarkItem:
    """`prompt, chosen, rejected, subset`, both lists; in Ties the id is `ref:N` or `tied:N`, and the two of one N belong
    together."""
    subset = one_of(raw.row, raw, ("subset",), SUBSETS)
    chosen, rejected = items(raw.row, "chosen"), items(raw.row, "rejected")
    grades = (1.0,) * len(chosen) + (0.0,) * len(rejected)
    if subset != "Ties" and len(chosen) != 1:
        raise RowError("wrong_length", f"chosen has {len(chosen)} entries; expected 1 outside the subset Ties")
    record = graded(raw, asked(raw.row), [*chosen, *rejected], grades)
    if subset != "Ties":
        return BenchmarkItem(record, subset, grades=grades)
    part, _, number = text(raw.row, "id").partition(":")
    if part not in PARTS or not number:
        raise RowError("wrong_type", f"id is {raw.row['id']!r}; expected ref:N or tied:N in the subset Ties")
    return BenchmarkItem(record, subset, part, grades, unit=f"ties:{number}")
