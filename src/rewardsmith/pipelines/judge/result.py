"""What a judge came to, in numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.judge.counts import JudgeCounts
from rewardsmith.pipelines.judge.agreement import share_text


@dataclass(frozen=True)
class Result:
    """What was asked, read and found.

    `records` were judged, `refused` could not be shown to the judge, `quarantined` rows could not be read; `problems` names
    the first of both. `accuracy` is against the labels of the data (None without any) and `consistency` over orders of
    showing (None where there is one order), each with its interval. `pairs` and `ties` count what `--label` wrote, and
    `unlabelled` records have no pair that could be told. `cost` is in the unit of the prices, None without them. `examples`
    are printed.
    """

    judge: str
    kind: str
    reading: str
    records: int
    refused: int
    quarantined: int
    counts: JudgeCounts
    accuracy: Mapping[str, Any] | None
    consistency: Mapping[str, Any] | None
    cost: float | None
    output: str | None = None
    pairs: int | None = None
    ties: int | None = None
    unlabelled: int | None = None
    problems: Sequence[str] = ()
    examples: Sequence[str] = field(default_factory=tuple)

    def to_json(self) -> dict[str, Any]:
        """The fields by name, with what was counted as `counts`."""
        return {**self.__dict__, "counts": self.counts.to_json()}

    def to_text(self) -> str:
        """The figures, and all that is not as it should be."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield from self.examples
        counts = self.counts
        how = f"{self.judge}, {self.kind}, read by {self.reading}"
        yield f"{counts.questions} questions about {self.records} records ({how})"
        yield from counts.lines(orders=False)
        if self.consistency is not None:
            share = share_text(self.consistency, "order_consistency")
            yield f"order consistency {share} on {self.consistency['pairs']} pairs"
            yield from counts.place_lines()
        yield from self._accuracy()
        if counts.seconds:
            yield (f"{counts.seconds:.1f} s, {counts.prompt_tokens} prompt tokens and {counts.tokens} generated ones")
        if self.cost is not None:
            yield f"cost {self.cost:.4f}"
        yield from self._written()
        if self.refused:
            yield f"{self.refused} records could not be shown to the judge"
        if self.quarantined:
            yield f"{self.quarantined} rows could not be read and were excluded"
        yield from self.problems

    def _accuracy(self) -> Iterator[str]:
        if self.accuracy is None:
            yield "no labels to compare with"
            return
        if self.accuracy["comparisons"]:
            yield f"accuracy {share_text(self.accuracy, 'accuracy')} on {self.accuracy['comparisons']} labelled comparisons"
        if self.accuracy["unread"]:
            yield f"{self.accuracy['unread']} labelled comparisons have no readable verdict"

    def _written(self) -> Iterator[str]:
        if self.pairs is not None:
            yield f"{self.pairs} preferences and {self.ties} ties → {self.output}"
            if self.unlabelled:
                yield f"{self.unlabelled} records have no pair with a readable verdict, and are not in the output"
        elif self.output is not None:
            yield f"→ {self.output}"
