"""Durations, counts, rates and figures as a person reads them beside a bar or in a log line."""

from collections.abc import Mapping

from rewardsmith.language import say


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def count_text(value: float) -> str:
    """A count of units: 1,234, or 0.5 where it is no whole number."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.10g}"


def rate_text(rate: float, unit: str) -> str:
    """`4,080 rows/s`, `0.25 steps/s`: three digits, and never as a power of ten."""
    digits = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}" if rate >= 0.001 else f"{rate:.4f}"
    return f"{digits} {unit}{say('/s')}"


def figures_text(figures: Mapping[str, float]) -> str:
    """`loss=0.61 accuracy=0.7`, four digits each."""
    return " ".join(f"{name}={value:.4g}" for name, value in figures.items())
