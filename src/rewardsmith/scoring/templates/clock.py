"""A template that asks for the date is pinned to a stored one, so that a reward cannot change overnight.

The pinned text is part of the contract and goes with the tokenizer: plain transformers, vLLM and TRL read the same date.
"""

import datetime
import re

from jinja2 import nodes

from rewardsmith.scoring.templates.sandbox import parsed

CLOCK = "strftime_now"
CLOCK_CALL = re.compile(r"strftime_now\(\s*(['\"])((?:(?!\1)[^\\])*)\1\s*\)")
CODES = "aAbBcdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZfC"
WITHOUT_PADDING = "deHIjklmMSUVWy"

# Shadows transformers' function. `%%` is a percent sign, whatever stands behind it. The line break at the end is taken by
# `trim_blocks`, so that the template behind it begins a line, as it did.
MACRO = (
    "{%- macro strftime_now(format) -%}{%- for part in format.split('%%') -%}{{- '' if loop.first else '%' -}}"
    "{%- set said = namespace(text=part) -%}{%- for code, text in [CODES] -%}"
    "{%- set said.text = said.text.replace(code, text) -%}{%- endfor -%}{{- said.text -}}{%- endfor -%}{%- endmacro %}\n"
)


def pin_clock(template: str, date: datetime.date) -> str:
    """The template with the clock at the beginning of `date`.

    A `strftime_now("…")` is replaced by the text that it gives. Where the format is no plain string, or the function is
    passed on, a macro of that name is put in front which knows the text of every code on that date.
    """
    pinned = CLOCK_CALL.sub(lambda call: repr(moment(date).strftime(call[2])), template)
    return macro(date) + pinned if calls_clock(pinned) else pinned


def calls_clock(template: str) -> bool:
    """Whether the template uses `strftime_now` other than to ask whether it is defined."""
    tree = parsed(template)
    if any(item.name == CLOCK for item in tree.find_all(nodes.Macro)):
        return False  # pinned already, or one of its own
    asked = sum(
        isinstance(test.node, nodes.Name) and test.node.name == CLOCK and test.name in ("defined", "undefined")
        for test in tree.find_all(nodes.Test)
    )
    return sum(name.name == CLOCK and name.ctx == "load" for name in tree.find_all(nodes.Name)) > asked


def macro(date: datetime.date) -> str:
    """`strftime_now` as a macro that knows one date."""
    codes = [f"%-{code}" for code in WITHOUT_PADDING] + [f"%{code}" for code in CODES]
    texts = [(code, moment(date).strftime(code)) for code in codes]
    return MACRO.replace("CODES", ", ".join(f"({code!r}, {text!r})" for code, text in texts))


def moment(date: datetime.date) -> datetime.datetime:
    """The beginning of a day; strftime of a date alone knows no `%f`."""
    return datetime.datetime.combine(date, datetime.time())
