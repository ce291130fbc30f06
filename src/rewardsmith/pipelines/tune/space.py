"""What a search may change: settings of `train`, each with the values that it may take.

Written on the command line as `lr=1e-5..1e-3:log batch=8,16,32`, in a YAML file as

    lr: {low: 1e-5, high: 1e-3, log: true}
    batch: [8, 16, 32]
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.settings.fields import Setting, names, values_of
from rewardsmith.settings.values import arms, element, from_words, from_yaml, nearest
from rewardsmith.settings.yaml_file import plain_values

TrainingKind = Literal["tiny", "full", "lora", "head", "probe"]
Value = Any
"""A value of a setting: a number, a text, or a list of texts or numbers as a tuple."""

EXPECTED = "expected NAME=LOW..HIGH, NAME=LOW..HIGH:log, NAME=LOW..HIGH:step=STEP or NAME=A,B,C"
GRID_POINTS = 5
"""Values that a grid takes of a range without a step."""
MOST_POINTS = 1000
"""Combinations that a grid may have."""

# What decides which comparisons are validated, where and how a run is written, and what a trial is told by the search.
FIXED = frozenset(
    {
        *("dataset", "validation", "test", "map", "attribute", "split_by", "test_groups", "max_per_source", "strict"),
        *("merge_prompts", "output", "resume", "overwrite", "dry_run", "report", "keep", "seed", "evals", "device"),
        *(
            "parallel",
            "deepspeed_config",
            "threads",
            "split_seed",
            "members",
            "members.kind",
            "track",
            "track_project",
            "run_name",
            "track_uri",
        ),
        *("trust_remote_code", "push_to_hub", "push_public"),
    }
)
"""Settings that are the same in every trial."""

SPACES: Mapping[TrainingKind, tuple[str, ...]] = {
    "tiny": ("lr=3e-4..1e-2:log", "batch=8,16,32", "weight_decay=1e-3..0.3:log", "dropout=0..0.3", "warmup=0..0.2"),
    "full": ("lr=2e-6..2e-4:log", "batch=8,16,32,64", "weight_decay=1e-3..0.3:log", "warmup=0..0.2"),
    "lora": ("lr=2e-5..2e-3:log", "batch=8,16,32,64", "lora.r=8,16,32,64", "lora.dropout=0..0.1", "warmup=0..0.2"),
    "head": ("lr=1e-4..3e-2:log", "batch=8,16,32,64", "weight_decay=1e-3..0.3:log", "dropout=0..0.3"),
    "probe": ("pooling=last,mean,last+mean",),
}
"""What is searched where nothing else is asked for: about one order of magnitude around each default of `train`."""


@dataclass(frozen=True)
class Parameter:
    """One setting and its values: `choices`, or all from `low` to `high`, `whole` numbers only where it counts something.

    `log` draws uniformly in the logarithm; `step` allows low, low + step, … only.
    """

    key: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    whole: bool = False

    def holds(self, value: Value) -> bool:
        """Whether the search could draw this value."""
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return self.step is None or math.isclose((value - self.low) / self.step % 1, 0, abs_tol=1e-9)

    def points(self) -> tuple[Value, ...]:
        """The values of a grid: the choices, the steps, or GRID_POINTS evenly apart (in the logarithm with `log`)."""
        if self.choices:
            return self.choices
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9)
            return tuple(self.typed(self.low + k * self.step) for k in range(count + 1))
        shares = [k / (GRID_POINTS - 1) for k in range(GRID_POINTS)]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(self.typed(min(max(one, self.low), self.high)) for one in found))

    def typed(self, value: float) -> Value:
        """A number as the setting takes it."""
        return round(value) if self.whole else float(value)

    def told(self) -> str:
        """As it is written on the command line."""
        if self.choices:
            return f"{self.key}={','.join(map(word_of, self.choices))}"
        end = ":log" if self.log else "" if self.step is None else f":step={self.step:g}"
        return f"{self.key}={self.low:g}..{self.high:g}{end}"

    def to_json(self) -> dict[str, Any]:
        """As it is written in a YAML file."""
        if self.choices:
            return {self.key: [word_of(one) if isinstance(one, tuple) else one for one in self.choices]}
        return {self.key: {"low": self.low, "high": self.high, "log": self.log, "step": self.step}}


def of_json(space: Sequence[Parameter], values: Mapping[str, Any]) -> dict[str, Value]:
    """Values of the space as JSON keeps them, with tuples for lists again."""
    return {p.key: tuple(v) if isinstance(v := values[p.key], list) else v for p in space if p.key in values}


def word_of(value: Value) -> str:
    """A value as one word; the members of a list are joined by +."""
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def kind_of(config: TrainConfig) -> TrainingKind:
    """The kind of training that the settings ask for, as `train` names it; a head that is fitted directly is `probe`."""
    if config.lora.r is not None:
        return "lora"
    if config.freeze_layers == -1:
        return "probe" if config.head_start == "probe" else "head"
    return "tiny" if config.model == "tiny" else "full"


def chosen_space(config: TrainConfig, searched: Sequence[str], file: Path | None) -> tuple[Parameter, ...]:
    """The space of `--search`, of `--space`, or the default one of the kind of training; UsageError for what cannot be."""
    if searched and file is not None:
        raise UsageError(f"--search and --space {file} cannot be combined; add the settings to the file")
    if file is not None:
        space = read_space(file)
    else:
        space = tuple(parsed(text, "--search") for text in searched or SPACES[kind_of(config)])
    keys = [parameter.key for parameter in space]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise UsageError(f"the search names {twice[0]} twice; keep one")
    return space


def parsed(text: str, place: str) -> Parameter:
    """One word of `--search`; UsageError with what was expected."""
    name, equals, values = text.partition("=")
    if not equals or not values:
        raise UsageError(f"{place} {text}: {EXPECTED}")
    setting = found_setting(name, f"{place} {text}")
    if ".." in values:
        return range_of(setting, values, f"{place} {text}")
    return choices_of(setting, values.split(","), f"{place} {text}")


def found_setting(name: str, place: str) -> Setting:
    """The setting of `train` with this name; UsageError for one that is not there or stays the same in every trial."""
    known = names(TrainConfig)
    key = name.strip().replace("-", "_")
    if key not in known:
        raise UsageError(f"{place}: train has no setting {name!r}.{nearest(key, known)}")
    setting = known[key]
    if setting.key in FIXED:
        raise UsageError(f"{place}: {setting.key} is the same in every trial; pass it as {setting.flag}")
    return setting


def range_of(setting: Setting, values: str, place: str) -> Parameter:
    """LOW..HIGH, LOW..HIGH:log or LOW..HIGH:step=STEP."""
    ends, _, how = values.partition(":")
    low, _, high = ends.partition("..")
    step = how.removeprefix("step=") if how.startswith("step=") else None
    if how not in ("", "log") and step is None:
        raise UsageError(f"{place}: got {how!r} behind the range; {EXPECTED}")
    try:
        numbers = float(low), float(high), None if step is None else float(step)
    except ValueError:
        raise UsageError(f"{place}: a range needs numbers; {EXPECTED}") from None
    return checked_range(setting, *numbers, log=how == "log", place=place)


def checked_range(setting: Setting, low: float, high: float, step: float | None, *, log: bool, place: str) -> Parameter:
    """A range; UsageError where the setting is no number, or the range is empty or cannot be drawn from."""
    kinds = {kind for kind in arms(setting.hint) if kind in (int, float)}
    if not kinds:
        raise UsageError(f"{place}: {setting.key} is not a number; list its values, NAME=A,B,C")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"{place}: the range from {low:g} to {high:g} is empty; expected LOW below HIGH")
    if log and low <= 0:
        raise UsageError(f"{place}: a logarithmic range cannot begin at {low:g}; expected LOW above 0")
    found = Parameter(setting.key, (), low, high, log, step, float not in kinds)
    refuse_step(found, place)
    return found


def refuse_step(found: Parameter, place: str) -> None:
    """UsageError for a step that does not fit its range, or numbers between those that the setting takes."""
    if found.step is not None and not 0 < found.step <= found.high - found.low:
        most = found.high - found.low
        raise UsageError(
            f"{place}: step {found.step:g} does not fit into the range; expected above 0, at most {most:g}"
        )
    numbers = (found.low, found.high, found.step or 1.0)
    if found.whole and not all(float(one).is_integer() for one in numbers):
        raise UsageError(f"{place}: {found.key} is an integer; expected integers as ends and step")


def choices_of(setting: Setting, words: Sequence[str], place: str) -> Parameter:
    """A list of values, each typed as the setting's own; the members of one that is a list are joined by +."""
    several = element(setting.hint) is not None
    try:
        values = [from_words(word.split("+") if several else word, setting.hint) for word in words]
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
    if bool in arms(setting.hint):
        raise UsageError(f"{place}: {setting.key} is a switch; write its values in a file for --space")
    return Parameter(setting.key, tuple(dict.fromkeys(values)))


def read_space(file: Path) -> tuple[Parameter, ...]:
    """The space in a YAML file, one setting a line; UsageError for any refusal."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read --space {file}: {error.strerror or error}") from error
    found = tuple(of_yaml(str(name), value, str(file)) for name, value in plain_values(content, file).items())
    if not found:
        raise UsageError(f"--space {file} names no setting; expected lines such as `batch: [8, 16]`")
    return found


def of_yaml(name: str, value: Any, file: str) -> Parameter:
    """One line of the file: a list of choices, or {low, high, log, step}."""
    place = f"{file}: {name}"
    setting = found_setting(name, place)
    if isinstance(value, Mapping):
        refuse_fields(value, place)
        low, high, step = float(value["low"]), float(value["high"]), value.get("step")
        return checked_range(
            setting, low, high, None if step is None else float(step), log=value.get("log", False), place=place
        )
    if not isinstance(value, list) or not value:
        raise UsageError(f"{place}: expected a list of values, or {{low: NUMBER, high: NUMBER}}")
    return Parameter(setting.key, tuple(dict.fromkeys(typed_choice(one, setting, place) for one in value)))


def refuse_fields(value: Mapping[str, Any], place: str) -> None:
    """UsageError for a range in YAML that has other fields, or fields of another type."""
    known = {"low", "high", "log", "step"} >= set(map(str, value))
    if not known or not is_number(value.get("low")) or not is_number(value.get("high")):
        raise UsageError(f"{place}: expected {{low: NUMBER, high: NUMBER}}, and log: true or step: NUMBER")
    if not isinstance(value.get("log", False), bool):
        raise UsageError(f"{place}: expected true or false as log, got {value['log']!r}")
    if value.get("step") is not None and not is_number(value["step"]):
        raise UsageError(f"{place}: expected a number as step, got {value['step']!r}")


def typed_choice(value: Any, setting: Setting, place: str) -> Value:
    """A value of a list in YAML, typed; of settings that are lists, `last+mean` or [last, mean]."""
    if isinstance(value, str) and element(setting.hint) is not None:
        value = value.split("+")
    try:
        return from_yaml(value, setting.hint)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error


def is_number(value: Any) -> bool:
    """Whether a value of YAML is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def defaults_in(space: Sequence[Parameter], config: TrainConfig, rate: float) -> dict[str, Value] | None:
    """The values that the settings have without a search, `rate` for a learning rate by default; None outside the space."""
    present = values_of(config)
    found: dict[str, Value] = {}
    for parameter in space:
        value = present[parameter.key]
        if parameter.key == "lr" and value is None:
            value = rate
        if not parameter.holds(value):
            return None
        found[parameter.key] = value
    return found


def grid(space: Sequence[Parameter]) -> list[dict[str, Value]]:
    """Every combination of the points; UsageError where they are too many."""
    points = [parameter.points() for parameter in space]
    count = math.prod(map(len, points))
    if count > MOST_POINTS:
        raise UsageError(
            f"--sampler grid: {count} combinations, at most {MOST_POINTS}; search fewer settings, or use --sampler tpe"
        )
    return [
        {parameter.key: value for parameter, value in zip(space, values, strict=True)}
        for values in itertools.product(*points)
    ]
