"""The built-in data as a source: `synthetic:N` is N prompts with two responses each, `synthetic:NxK` with K."""

import re
from collections.abc import Iterator

from rewardsmith.data.formats.native import to_row
from rewardsmith.data.input.rows import Raw
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.errors import DataError

NAME = re.compile(r"synthetic(?::(\d+)(?:x(\d+))?)?")
DEFAULT_PROMPTS, DEFAULT_RESPONSES = 2000, 2


def is_builtin(source: str) -> bool:
    """Whether a source names the built-in data and no file."""
    return source.partition(":")[0] == "synthetic"


def read_builtin(source: str) -> Iterator[Raw]:
    """The rows behind such a name, seed 0; DataError for a name that is not understood."""
    found = NAME.fullmatch(source)
    if found is None:
        raise DataError(
            f"unknown source {source!r}; expected synthetic:N or synthetic:NxK, for N prompts with K responses each, "
            "for instance synthetic:2000x4"
        )
    made = generate(int(found[1] or DEFAULT_PROMPTS), responses_per_prompt=int(found[2] or DEFAULT_RESPONSES), seed=0)
    for line, record in enumerate(made.records, start=1):
        yield Raw(source, line, to_row(record.at(source, line)))
