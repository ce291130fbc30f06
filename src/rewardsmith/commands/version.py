"""`rewardsmith version`: versions of rewardsmith and what it runs on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith version`."""

    verbose: bool = False
    """Also show libraries, machine, devices, extras and models, for bug reports; user and host names are not included."""


@dataclass(frozen=True)
class Result:
    """What there is, by name; the values are text, numbers, lists, or tables of these."""

    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """`rewardsmith`, and with --verbose `python, system, machine, packages, extras, models, models_folder`."""
        return dict(self.facts)

    def to_text(self) -> str:
        """A line a fact, tables indented."""
        return "\n".join(lines_of(self.facts))


def lines_of(facts: Mapping[str, Any], indent: str = "") -> list[str]:
    """The facts as lines; tables are indented below their name."""
    lines = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            lines += [f"{indent}{name}:", *lines_of(value, indent + "  ")]
        elif isinstance(value, list | tuple):
            lines.append(f"{indent}{name} {', '.join(map(str, value)) or 'none'}")
        else:
            lines.append(f"{indent}{name} {'unknown' if value is None else value}")
    return lines


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Look up what there is; libraries are imported for --verbose only."""
    from rewardsmith.version import VERSION

    if not config.verbose:
        return Result({"rewardsmith": VERSION})
    from rewardsmith.bench.environment import describe_environment

    return Result({"rewardsmith": VERSION, **describe_environment()})
