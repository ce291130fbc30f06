"""The help of the command line, in the language spoken and as wide as the terminal.

In comes a command's Config; out comes its usage, an example, its options by group, and its page of the documentation.
Begin with `help_text`; `guides` has the groups, examples and pages.
"""

from rewardsmith.manual.guides import GUIDES, Guide
from rewardsmith.manual.help import (
    COMMON_OPTIONS,
    HEADINGS,
    SHORT_FLAGS,
    Command,
    Screen,
    help_text,
    label,
    metavar,
    overview_of,
    position,
    screen,
)

__all__ = [
    "COMMON_OPTIONS",
    "GUIDES",
    "HEADINGS",
    "SHORT_FLAGS",
    "Command",
    "Guide",
    "Screen",
    "help_text",
    "label",
    "metavar",
    "overview_of",
    "position",
    "screen",
]
