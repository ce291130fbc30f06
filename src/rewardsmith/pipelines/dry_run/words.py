"""Estimates as a person reads them."""

GIB = 2**30


def duration(seconds: float) -> str:
    """`12 s`, `3.4 min`, `2.1 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def about(count: float, *, exact: bool) -> str:
    """A count with thousands separated; of an estimate three digits, behind ≈."""
    if exact:
        return f"{round(count):,}"
    digits = max(0, len(str(round(count))) - 3)
    return f"≈{round(count, -digits):,.0f}"
