"""The check `code`: do the tests of the row pass with the program in the response."""

from collections.abc import Mapping
from typing import Any

from rewardsmith.errors import DataError
from rewardsmith.verifiable.code.cases import Tests
from rewardsmith.verifiable.code.extraction import program_in
from rewardsmith.verifiable.code.running import RunSettings, TestOutcome, outcome_of
from rewardsmith.verifiable.sandbox.limits import MIB, ProgramLimits

NO_CODE = "no_code"
OPTIONS: Mapping[str, Any] = {
    "share": False, "timeout": 10.0, "memory": 512, "whole": False, "tolerance": 0.0, "entry": "entry_point",
    "setup": "test_setup_code",
}  # fmt: skip


def tested(text: str, row: Mapping[str, Any], options: Mapping[str, Any], tests: Tests) -> TestOutcome | None:
    """The tests run with the program in a text; None where there is none. DataError where the tests cannot be run."""
    program = text if options["whole"] else program_in(text)
    if program is None or not program.strip():
        return None
    limits = ProgramLimits(seconds=float(options["timeout"]), memory=int(options["memory"]) * MIB)
    return outcome_of(
        program,
        tests,
        RunSettings(
            limits,
            tolerance=float(options["tolerance"]),
            until_first=not options["share"],
            entry=text_in(row, options["entry"]),
            setup=text_in(row, options["setup"]) or "",
        ),
    )


def text_in(row: Mapping[str, Any], column: str) -> str | None:
    """The text of a column; None where the row has none, DataError where it is no text."""
    value = row.get(column)
    if value is not None and not isinstance(value, str):
        raise DataError(f"the column {column} is {str(value)[:40]!r}; expected a text")
    return value or None
