"""What settings a Config dataclass has, under which names, and how one is built from given values."""

import ast
import dataclasses
import functools
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from rewardsmith.errors import UsageError
from rewardsmith.settings.values import placeholder, words

C = TypeVar("C")
REQUIRED: Any = dataclasses.MISSING

# Names that other trainers and the usual recipes have for the same setting. An alias counts only for a Config that has
# the field on the right and none of the alias's own name. A per-device batch size is left out on purpose: here a batch
# is the records of one optimizer step over all devices, so taking the number over would change the training silently.
ALIASES: Mapping[str, str] = {
    "num_epochs": "epochs",
    "num_train_epochs": "epochs",
    "learning_rate": "lr",
    "batch_size": "batch",
    "model_name": "model",
    "model_name_or_path": "model",
    "model_path": "model",
    "dataset_name": "dataset",
    "dataset_path": "dataset",
    "output_dir": "output",
    "output_path": "output",
    "max_len": "max_length",
    "max_seq_len": "max_length",
    "max_seq_length": "max_length",
    "data_fraction": "frac",
    "train_frac": "frac",
    "heads": "members",
    "lambda": "combine.std_weight",
    "lora.rank": "lora.r",
    "lora.lora_r": "lora.r",
    "lora.lora_alpha": "lora.alpha",
    "lora.lora_dropout": "lora.dropout",
}


@dataclass(frozen=True)
class Setting:
    """One leaf of a Config: where it sits (`("lora", "r")`), its type, its default (or REQUIRED) and its help."""

    path: tuple[str, ...]
    hint: Any
    default: Any
    help: str

    @property
    def key(self) -> str:
        """The dotted name, as in YAML and in error messages."""
        return ".".join(self.path)

    @property
    def flag(self) -> str:
        """The flag, as in `--max-length` and `--lora.r`."""
        return "--" + self.key.replace("_", "-")

    @property
    def usage(self) -> str:
        """The flag with a placeholder for its value."""
        return f"{self.flag} {placeholder(self.hint)}".rstrip()


LANG = Setting(("lang",), Literal["en", "zh"], None, "Language of messages and reports.")
"""What every command takes beside its Config: the language that it speaks."""


@functools.cache
def settings_of(kind: type) -> tuple[Setting, ...]:
    """Every setting of a Config class, in the order of its fields; TypeError for a type that flags cannot express."""
    return tuple(_leaves(kind, ()))


NAME = "name"
"""The field of a nested Config that is set by the section's own word: `--loss hinge` beside `--loss.hinge-lead 2`."""


def path_of(field: str, above: tuple[str, ...]) -> tuple[str, ...]:
    """Where a field of a Config stands; of a nested one, `name` is the section itself."""
    return above if above and field == NAME else (*above, field)


def _leaves(kind: type, above: tuple[str, ...]) -> Iterator[Setting]:
    hints = typing.get_type_hints(kind, include_extras=True)
    documents = attribute_docs(kind)
    for field in dataclasses.fields(kind):
        if not field.init:
            continue
        hint, help_text = _annotated(hints[field.name])
        path = path_of(field.name, above)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from _leaves(hint, path)
            continue
        factory: Any = field.default_factory
        default = field.default if factory is REQUIRED else factory()
        words(hint)  # an impossible type is found when the command starts, not when a user gives the flag
        yield Setting(path, hint, default, help_text or documents.get(field.name, ""))


def _annotated(hint: Any) -> tuple[Any, str]:
    """The bare type, and the help of an `Annotated[T, "help"]` or `Annotated[T, Parameter(help="…")]`."""
    if typing.get_origin(hint) is not typing.Annotated:
        return hint, ""
    bare, *extras = typing.get_args(hint)
    texts = (extra if isinstance(extra, str) else getattr(extra, "help", None) for extra in extras)
    return bare, next((" ".join(text.split()) for text in texts if text), "")


@functools.cache
def attribute_docs(kind: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, as one line, base classes first; {} where there is no source."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for above, below in itertools.pairwise(body):
            if isinstance(above, ast.AnnAssign) and isinstance(above.target, ast.Name) and (text := _text(below)):
                found[above.target.id] = " ".join(text.split())
    return found


def _text(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value
    return None


@functools.cache
def names(kind: type) -> dict[str, Setting]:
    """Every accepted name, `_` for `-`: the key, its aliases, and `lora_r` for `lora.r` (and the other way round)."""
    found = {setting.key: setting for setting in settings_of(kind)}
    for setting in settings_of(kind):
        found.setdefault(setting.key.replace(".", "_"), setting)
    for section, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint) and section in found:  # `loss: {name: hinge}`
            found.setdefault(f"{section}.{NAME}", found[section])
    for alias, target in ALIASES.items():
        meant = found.get(target) or found.get(target.replace(".", "_"))
        if meant:
            found.setdefault(alias, meant)
            found.setdefault(alias.replace(".", "_"), meant)
    return found


def values_of(config: Any) -> dict[str, Any]:
    """Every setting of a Config by its dotted key, as `build` takes them."""
    found = {}
    kind: Any = type(config)
    for setting in settings_of(kind):
        value = config
        for name in setting.path:
            value = getattr(value, name)
        found[setting.key] = getattr(value, NAME) if dataclasses.is_dataclass(value) else value
    return found


def refuse_below(config: Any, lowest: Mapping[str, float]) -> None:
    """UsageError for a number of a Config that is below the lowest one that makes sense; None is no number."""
    for name, low in lowest.items():
        value = getattr(config, name)
        if value is not None and not value >= low:
            raise UsageError(f"--{name.replace('_', '-')} {value}: expected at least {low}")


def build(kind: type[C], values: Mapping[str, Any]) -> C:
    """The Config with `values` (by dotted key) over the defaults; UsageError where a required one is missing.

    A ValueError of the Config's own `__post_init__` becomes a UsageError: it is the user's value that was refused.
    """
    settings: tuple[Setting, ...] = settings_of(kind)  # type: ignore[arg-type]
    for setting in settings:
        if setting.default is REQUIRED and setting.key not in values:
            raise UsageError(f"{setting.key!r} is missing; pass {setting.usage} or set {setting.key} in the YAML file")
    return _build(kind, values, ())


def _build(kind: type[C], values: Mapping[str, Any], above: tuple[str, ...]) -> C:
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        path = path_of(field.name, above)
        hint = hints[field.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            given[field.name] = _build(hint, values, path)
        elif ".".join(path) in values:
            given[field.name] = values[".".join(path)]
    try:
        return kind(**given)
    except ValueError as error:
        raise UsageError(str(error)) from error
