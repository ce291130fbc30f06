"""Counters and histograms in Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REWARDS = (-20.0, -10.0, -5.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
TEXTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

MetricLabels = tuple[tuple[str, str], ...]


@dataclass
class Histogram:
    """Numbers counted by the first bound that is not below them."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float, times: int = 1) -> None:
        """Count a number."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times


@dataclass
class Metrics:
    """What a server counts. Changed in its event loop only, so that a page of them is of one moment."""

    requests: Counter[MetricLabels] = field(default_factory=Counter)
    seconds: dict[str, Histogram] = field(default_factory=dict)
    texts: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    truncated: Counter[str] = field(default_factory=Counter)
    rewards: dict[str, Histogram] = field(default_factory=dict)
    open_requests: int = 0
    disconnected: int = 0

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self.requests[(("route", route), ("code", str(status)))] += 1
        self.seconds.setdefault(route, Histogram(SECONDS)).add(seconds)

    def scored(self, model: str, reward: float, tokens: int, *, truncated: bool) -> None:
        """A text got its reward."""
        self.texts[model] += 1
        self.tokens[model] += tokens
        self.truncated[model] += truncated
        self.rewards.setdefault(model, Histogram(REWARDS)).add(reward)

    def page(self, gauges: Mapping[str, float], extra: Iterable[str] = ()) -> str:
        """All of it, with numbers of the moment by their names."""
        lines = [
            *counter("requests_total", self.requests.items()),
            *histograms("request_seconds", "route", self.seconds),
            *counter("texts_total", by_model(self.texts)),
            *counter("tokens_total", by_model(self.tokens)),
            *counter("truncated_total", by_model(self.truncated)),
            *histograms("reward", "model", self.rewards),
            *counter("client_disconnects_total", [((), self.disconnected)]),
            *gauge("open_requests", [((), self.open_requests)]),
            *(line for name, value in gauges.items() for line in gauge(name, [((), value)])),
            *extra,
        ]
        return "\n".join(lines) + "\n"


def by_model(counts: Mapping[str, int]) -> Iterator[tuple[MetricLabels, float]]:
    """Counts under the label of the model."""
    return (((("model", name),), count) for name, count in counts.items())


def labelled(labels: MetricLabels) -> str:
    """Labels in braces, values escaped."""
    inside = ",".join(f'{name}="{escaped(value)}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""


def escaped(value: str) -> str:
    """A label's value."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def counter(name: str, samples: Iterable[tuple[MetricLabels, float]]) -> list[str]:
    """A counter's lines."""
    return [f"# TYPE rewardsmith_{name} counter", *lines_of(name, samples)]


def gauge(name: str, samples: Iterable[tuple[MetricLabels, float]]) -> list[str]:
    """The lines of a number that goes up and down."""
    return [f"# TYPE rewardsmith_{name} gauge", *lines_of(name, samples)]


def lines_of(name: str, samples: Iterable[tuple[MetricLabels, float]]) -> Iterator[str]:
    """One line a sample."""
    return (f"rewardsmith_{name}{labelled(labels)} {value:.17g}" for labels, value in samples)


def histograms(name: str, label: str, found: Mapping[str, Histogram]) -> Iterator[str]:
    """The lines of histograms under one label."""
    yield f"# TYPE rewardsmith_{name} histogram"
    for value, histogram in found.items():
        yield from histogram_lines(name, ((label, value),), histogram)


def histogram(name: str, found: Histogram) -> Iterator[str]:
    """The lines of one histogram without labels."""
    yield f"# TYPE rewardsmith_{name} histogram"
    yield from histogram_lines(name, (), found)


def histogram_lines(name: str, labels: MetricLabels, histogram: Histogram) -> Iterator[str]:
    """The lines of one histogram: buckets add up from below."""
    below = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        below += count
        yield f"rewardsmith_{name}_bucket{labelled((*labels, ('le', bound)))} {below}"
    yield f"rewardsmith_{name}_sum{labelled(labels)} {histogram.total:.17g}"
    yield f"rewardsmith_{name}_count{labelled(labels)} {below}"
