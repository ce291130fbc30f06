"""The help of the command line, in the language spoken and as wide as the terminal.

In comes a command's Config; out comes its usage, an example, its options by group, and its page of the documentation.
Begin with `help_text`; `table` has the commands, `guides` their groups, examples and pages. `template` and `completion` are
the commands `config` and `completion`, which print what the command line takes, and so need the table.
"""

from rewardsmith.manual.guides import GUIDES, Guide
from rewardsmith.manual.help import (
    COMMON_OPTIONS,
    HEADINGS,
    SHORT_FLAGS,
    Screen,
    help_text,
    label,
    metavar,
    overview_of,
    position,
    screen,
)
from rewardsmith.manual.table import COMMANDS, Command

__all__ = [
    "COMMANDS",
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
