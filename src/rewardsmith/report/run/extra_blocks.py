"""Sections made of what others measured, each where its figures are: benchmark, learning curve, audit, best-of-N, …"""

from collections.abc import Callable

from rewardsmith.language import Language
from rewardsmith.report.blocks import PageBlock
from rewardsmith.report.run.evidence import Evidence
from rewardsmith.report.run.sections.audit import conformance_block, effects_block, tokens_block
from rewardsmith.report.run.sections.benchmark import benchmark_block
from rewardsmith.report.run.sections.disagreement import disagreement_block
from rewardsmith.report.run.sections.learning_curve import learning_curve_block
from rewardsmith.report.run.sections.over_optimisation import best_of_n_block, policies_block
from rewardsmith.report.text import Words

SECTIONS: tuple[Callable[[Evidence, Words, Language], PageBlock | None], ...] = (
    benchmark_block,
    disagreement_block,
    learning_curve_block,
    effects_block,
    best_of_n_block,
    policies_block,
    tokens_block,
    conformance_block,
)
"""In the order of the page."""


def extra_blocks(evidence: Evidence, texts: Words, lang: Language) -> list[PageBlock]:
    """The sections whose figures were measured."""
    return [block for build in SECTIONS if (block := build(evidence, texts, lang)) is not None]
