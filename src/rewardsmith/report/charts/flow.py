"""Where things went: one stream that parts into several, step by step, each as thick as its count."""

from dataclasses import dataclass

from rewardsmith.report.charts import svg
from rewardsmith.report.charts.plot import Colour

WIDTH, TALLEST, GAP, BAR, THINNEST = 720.0, 150.0, 30.0, 9.0, 2.0
"""Units: the picture's width, the first stream, the room between streams (a line of text), a node, the thinnest stream."""

TOP = 22.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What a part is called, how many things are in it, and the parts that it parts into, which add up to it."""

    label: str
    count: int
    colour: Colour = "a"
    parts: tuple["Stream", ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A stream in its place: the column, the upper end and the height."""

    stream: Stream
    column: int
    top: float
    height: float


def flow_chart(label: str, start: Stream) -> str:
    """The picture: columns from left to right, every stream labelled with its name and count."""
    columns = depth(start)
    nodes: list[Node] = []
    ribbons: list[str] = []
    place(start, 0, TOP, columns, nodes, ribbons, scale=TALLEST / max(start.count, 1))
    height = max(node.top + node.height for node in nodes) + 18
    return svg.picture([*ribbons, *(drawn_node(node, columns) for node in nodes)], height, label, WIDTH)


def depth(stream: Stream) -> int:
    """How many columns a stream and its parts take."""
    return 1 + max((depth(part) for part in stream.parts), default=0)


def left_of(column: int, columns: int) -> float:
    """Where a column of nodes begins; the last leaves room for its labels."""
    return column * (WIDTH - 150) / max(columns - 1, 1)


def thickness(stream: Stream, scale: float) -> float:
    """How thick a stream is drawn."""
    return max(stream.count * scale, THINNEST)


def place(
    stream: Stream, column: int, top: float, columns: int, nodes: list[Node], ribbons: list[str], *, scale: float
) -> float:
    """Put a stream and its parts in their places; returns the lower end of what they take."""
    height = thickness(stream, scale)
    nodes.append(Node(stream, column, top, height))
    leaving, below = top, top
    for part in stream.parts:
        thick = thickness(part, scale)
        ribbons.append(ribbon(column, leaving, below, thick, columns, part))
        leaving = min(leaving + part.count * scale, top + height - THINNEST)
        below = place(part, column + 1, below, columns, nodes, ribbons, scale=scale) + GAP
    return max(top + height, below - GAP)


def ribbon(column: int, leaving: float, arriving: float, thick: float, columns: int, part: Stream) -> str:
    """A curved band from one node to the next."""
    x1, x2 = left_of(column, columns) + BAR, left_of(column + 1, columns)
    middle = (x1 + x2) / 2
    n = svg.attribute
    upper = f"M{n(x1)} {n(leaving)}C{n(middle)} {n(leaving)} {n(middle)} {n(arriving)} {n(x2)} {n(arriving)}"
    lower = (
        f"L{n(x2)} {n(arriving + thick)}C{n(middle)} {n(arriving + thick)} {n(middle)} {n(leaving + thick)} "
        f"{n(x1)} {n(leaving + thick)}Z"
    )
    return svg.element(
        "path", svg.hover(f"{part.label}: {part.count:,}"), d=upper + lower, class_=f"band {part.colour}"
    )


def drawn_node(node: Node, columns: int) -> str:
    """The bar of a stream with its name and count; above it inside the picture, beside it in the last column."""
    x = left_of(node.column, columns)
    bar = svg.element("rect", x=x, y=node.top, width=BAR, height=node.height, class_=f"fill {node.stream.colour}")
    written = f"{node.stream.label} {node.stream.count:,}"
    if node.stream.parts:
        return svg.element("g", bar, svg.text(written, x, node.top - 7, "start", "strong"))
    return svg.element("g", bar, svg.text(written, x + BAR + 6, node.top + max(node.height / 2, 1) + 4, "start"))
