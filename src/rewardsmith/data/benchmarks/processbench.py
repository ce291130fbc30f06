"""ProcessBench: `id, problem, steps, label`, the label being the first wrong step counted from 0, or -1."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, in_format, plain, said_by
from rewardsmith.data.input.rows import Raw, RowError

SUBSETS = ("gsm8k", "math", "olympiadbench", "omnimath")


def processbench(raw: Raw) -> BenchmarkItem:
    """One solution; the subset is how its id begins, else the name of its file."""
    record = in_format("processbench", raw)
    begins = plain(str(raw.row.get("id") or "").rpartition("-")[0])
    subset = begins if begins in SUBSETS else said_by(raw.file, SUBSETS)
    if subset is None:
        raise RowError(
            "unknown_subset",
            f"neither the id nor the file name contain one of {', '.join(SUBSETS)}; keep the names of the published files",
        )
    labels = record.ratings.get("overall", ())
    return BenchmarkItem(record, subset, grades=tuple(float("nan") if label is None else label for label in labels))
