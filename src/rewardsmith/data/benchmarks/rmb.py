"""RMB: pairs, and lists of which one response is the best."""

from rewardsmith.data.benchmarks.item import BenchmarkItem, in_format, names_of, plain
from rewardsmith.data.input.rows import Raw, RowError

GOALS = ("Helpfulness", "Harmlessness")
FOLDERS = ("Pairwise_set", "BoN_set")
KINDS = {"bon_best": ("rmb-best-of-n", "BoN_set"), "chosen": ("rmb-pair", "Pairwise_set")}
"""The column that tells the kind of a row, its format, and its folder."""


def rmb(raw: Raw) -> BenchmarkItem:
    """`conversation_input` with `chosen, reject` or `bon_best, loser_list`; the goal is part of `category_path`, or of the
    file's path."""
    found = [kind for column, kind in KINDS.items() if raw.row.get(column) is not None]
    if not found:
        raise RowError("missing_field", f"none of the columns {', '.join(KINDS)} has a value; expected a row of RMB")
    name, folder = found[0]
    record = in_format(name, raw)
    best = {comparison.i for comparison in record.comparisons}
    grades = tuple(float(at in best) for at in range(len(record.responses)))
    return BenchmarkItem(record, goal_of(raw), folder, grades)


def goal_of(raw: Raw) -> str:
    """Helpfulness or Harmlessness."""
    path = raw.row.get("category_path")
    places = [*([path] if isinstance(path, str) else []), *names_of(raw.file)]
    for place in places:
        for goal in GOALS:
            if plain(goal) in plain(place):
                return goal
    raise RowError(
        "unknown_subset",
        f"neither category_path nor the path of the file contains {' or '.join(GOALS)}; keep the published folders",
    )
