"""The built-in data as a source: `synthetic:N` is N prompts with two responses each, `synthetic:NxK` with K;
`synthetic-steps:N` is N solutions by steps.

With `+critiques` behind `synthetic:N` every response has a critique, in the field `critiques` (see `critiques`).
"""

import re
from collections.abc import Iterator

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.rows import Raw
from rewardsmith.data.synthetic.arithmetic import MAX_PROBLEMS, arithmetic
from rewardsmith.data.synthetic.arithmetic import SOURCE as STEPS
from rewardsmith.data.synthetic.critiques import critiques_of
from rewardsmith.data.synthetic.generate import MAX_PROMPTS, generate
from rewardsmith.errors import UsageError

NAME = re.compile(r"synthetic(?::(\d+)(?:x(\d+))?)?(\+critiques)?")
DEFAULT_PROMPTS, DEFAULT_RESPONSES = 2000, 2


def is_builtin(source: str) -> bool:
    """Whether a source names the built-in data and no file."""
    return source.partition(":")[0].partition("+")[0] in ("synthetic", STEPS)


def read_builtin(source: str) -> Iterator[Raw]:
    """The rows behind such a name, seed 0; UsageError for a name that is not understood, or more prompts than there are."""
    if source.partition(":")[0] == STEPS:
        yield from read_solutions(source)
        return
    found = NAME.fullmatch(source)
    if found is None:
        raise UsageError(
            f"unknown source {source!r}; expected synthetic:N or synthetic:NxK, for N prompts with K responses each, "
            "for instance synthetic:2000x4, with +critiques behind it for a critique of each response"
        )
    prompts = int(found[1] or DEFAULT_PROMPTS)
    if not 1 <= prompts <= MAX_PROMPTS:
        raise UsageError(f"{source}: expected 1 to {MAX_PROMPTS} prompts")
    made = generate(prompts, responses_per_prompt=int(found[2] or DEFAULT_RESPONSES), seed=0)
    for line, record in enumerate(made.records, start=1):
        row = to_row(record.at(source, line))
        if found[3]:
            row["fields"] |= {"critiques": list(critiques_of(record))}
        yield Raw(source, line, row)


def read_solutions(source: str) -> Iterator[Raw]:
    """The rows behind `synthetic-steps:N`; UsageError for another name or number."""
    _, _, count = source.partition(":")
    problems = int(count or DEFAULT_PROMPTS) if count.isdecimal() or not count else 0
    if not 1 <= problems <= MAX_PROBLEMS:
        raise UsageError(f"{source}: expected {STEPS}:N with 1 to {MAX_PROBLEMS} solutions, for instance {STEPS}:2000")
    for record in arithmetic(problems):
        yield Raw(source, record.line, to_row(record.at(source, record.line)))
