"""The report's own words, one dictionary per language; findings bring their sentences with them."""

import re
from collections.abc import Mapping

from rewardsmith.language import Language
from rewardsmith.report.words.alignment import ALIGNMENT
from rewardsmith.report.words.charts import CHARTS
from rewardsmith.report.words.comparison import COMPARISON
from rewardsmith.report.words.data import DATA
from rewardsmith.report.words.evidence import EVIDENCE
from rewardsmith.report.words.learning_curve import LEARNING_CURVE
from rewardsmith.report.words.policy_bench import POLICY_BENCH
from rewardsmith.report.words.run import RUN
from rewardsmith.report.words.tuning import TUNING

Words = Mapping[str, str]
"""The words of one language by name."""

SEVERITY_COLOURS = {"critical": "1;31", "warning": "33", "info": "36", "good": "32"}
"""ANSI colours in a terminal, as on the page: red, yellow, cyan, green."""

PAIRS = RUN | CHARTS | DATA | EVIDENCE | COMPARISON | LEARNING_CURVE | TUNING | ALIGNMENT | POLICY_BENCH
"""Every word by name, English and Chinese."""

TEXTS: dict[Language, dict[str, str]] = {
    "en": {name: english for name, (english, _) in PAIRS.items()},
    "zh": {name: chinese for name, (_, chinese) in PAIRS.items()},
}

COLOUR_OF_LABEL = {f"[{texts[name]}]": colour for texts in TEXTS.values() for name, colour in SEVERITY_COLOURS.items()}
LABEL = re.compile("^(" + "|".join(map(re.escape, COLOUR_OF_LABEL)) + ")", re.MULTILINE)


def coloured_severities(text: str) -> str:
    """A text for the terminal with the severity of each finding, at the beginning of its line, in its colour."""
    return LABEL.sub(lambda found: f"\x1b[{COLOUR_OF_LABEL[found[0]]}m{found[0]}\x1b[0m", text)
