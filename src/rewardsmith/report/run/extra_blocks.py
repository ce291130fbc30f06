"""Sections made of what others measured: benchmark, bias audit, best-of-N, learning curve; each where its figures are."""

from collections.abc import Callable, Mapping

from rewardsmith.language import Language
from rewardsmith.report.blocks import PageBlock
from rewardsmith.report.run.evidence import Evidence

SECTIONS: tuple[Callable[[Evidence, Mapping[str, str], Language], PageBlock | None], ...] = ()
"""In the order of the page."""


def extra_blocks(evidence: Evidence, texts: Mapping[str, str], lang: Language) -> list[PageBlock]:
    """The sections whose figures were measured."""
    return [block for build in SECTIONS if (block := build(evidence, texts, lang)) is not None]
