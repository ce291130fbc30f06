"""Elements of SVG as text. Every value is escaped, and colours are classes, so that a page can forbid inline styles."""

from html import escape

from rewardsmith.language import display_width

WIDTH = 400
"""Units of a chart's width; on a screen of 360 px a unit is 0.84 px."""

FONT = 11.5
"""Size of the texts in units, as in `charts.css`."""

COLUMN = 0.6 * FONT
"""Units that one column of a terminal takes in a proportional font: half of a Chinese character, a wide Latin letter."""


def element(name: str, *children: str, **attributes: str | float) -> str:
    """`<name …>children</name>`; children are markup already, attributes are escaped, `_` in their names becomes `-`."""
    listed = "".join(f' {key.strip("_").replace("_", "-")}="{attribute(value)}"' for key, value in attributes.items())
    return f"<{name}{listed}>{''.join(children)}</{name}>" if children else f"<{name}{listed}/>"


def attribute(value: str | float) -> str:
    """A value inside quotes: numbers to a tenth of a unit, texts escaped."""
    if isinstance(value, str):
        return escape(value)
    return f"{value:.1f}".removesuffix(".0") if abs(value) >= 0.05 else "0"


def text(content: str, x: float, y: float, anchor: str = "start", classes: str = "") -> str:
    """A text whose baseline begins, is centred or ends at x."""
    extra = {"class_": classes} if classes else {}
    return element("text", escape(content), x=x, y=y, text_anchor=anchor, **extra)


def hover(*lines: str) -> str:
    """What a browser shows under the pointer, and a screen reader says."""
    return element("title", escape("\n".join(lines)))


def line(start: tuple[float, float], end: tuple[float, float], classes: str) -> str:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=classes)


def text_width(content: str) -> float:
    """Units that a text takes, rather more than fewer."""
    return display_width(content) * COLUMN


def picture(content: list[str], height: float, label: str, width: float = WIDTH) -> str:
    """The whole SVG element, named for those who cannot see it."""
    view = f"0 0 {attribute(width)} {attribute(height)}"
    return element("svg", *content, viewBox=view, role="img", aria_label=label)
