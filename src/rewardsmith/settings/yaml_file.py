"""Settings from and to YAML, read as YAML 1.2: `1e-5` is a number, `yes` and `on` are text, `010` is ten.

Every refusal names file and line. Unknown keys, duplicate keys, anchors, tags and wrong types are refused; relative
paths in the file mean what they mean on the command line, namely relative to the current folder.
"""

import dataclasses
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.settings.elsewhere import suggestion
from rewardsmith.settings.fields import LANG, Setting, names, settings_of
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.values import from_yaml, is_switch, nearest

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 1_000_000
"""Of a settings file; one of this size takes seconds to read."""
INTEGER = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
# YAML 1.2, chapter 10.3 (core schema): tag, pattern, first characters
RESOLVERS = (
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ("~", "n", "N", "")),
    ("tag:yaml.org,2002:int", INTEGER, "-+0123456789"),
    ("tag:yaml.org,2002:float", FLOAT, "-+.0123456789"),
)


@functools.cache
def _loader() -> "type[yaml.SafeLoader]":
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.2's core schema on PyYAML's parser."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML wants a class attribute

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
                raise yaml.MarkedYAMLError(problem="anchors and aliases are not supported", problem_mark=mark)
            return super().compose_node(parent, index)

    def integer(loader: Any, node: Any) -> int:
        text = str(loader.construct_scalar(node))
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))

    for tag, pattern, first in RESOLVERS:
        Loader.add_implicit_resolver(tag, pattern, list(first))
    Loader.add_constructor("tag:yaml.org,2002:int", integer)
    return Loader


@functools.cache
def _dumper() -> "type[yaml.SafeDumper]":
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes whatever YAML 1.1 or 1.2 would not read as text."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        # PyYAML folds U+0085 and its kind like line ends, unless the text is in double quotes.
        style = None if value.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    for tag, pattern, first in RESOLVERS:
        Dumper.add_implicit_resolver(tag, pattern, list(first))
    return Dumper


def read_yaml(path: Path, kind: type) -> dict[str, Any]:
    """The settings that a YAML file gives for a Config class, by dotted key and typed; UsageError for any refusal.

    `lang` may stand in every file: it is the command line's own, not the Config's.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read the settings file {path}: {error.strerror or error}") from error
    loader, root = _parsed(content, path)
    if root is None:
        return {}
    values: dict[str, Any] = {}
    unknown: list[str] = []
    for setting, node, line in _entries(root, (), path=path, kind=kind, loader=loader):
        if isinstance(setting, str):
            unknown.append(f"{path}:{line}: {setting}")
            continue
        if setting.key in values:
            raise UsageError(f"{path}:{line}: {setting.key!r} is set twice; keep one")
        values[setting.key] = _value(loader, node, setting, place=f"{path}:{line}")
    if unknown:
        raise UsageError(" ".join(unknown))
    return values


def plain_values(content: bytes, path: Path) -> dict[str, Any]:
    """All values of YAML lines `key: value` as they stand, whoever's settings they are; UsageError as in `read_yaml`."""
    import yaml

    loader, root = _parsed(content, path)
    try:
        return {} if root is None else dict(loader.construct_document(root))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise UsageError(_broken(path, error)) from error


def _parsed(content: bytes, path: Path) -> tuple[Any, Any]:
    """The loader and the mapping at the top, None for an empty file."""
    import yaml

    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES // 1_000_000} MB; expected a settings file")
    try:
        loader = _loader()(content)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        raise UsageError(_broken(path, error)) from error
    except RecursionError as error:
        raise UsageError(f"{path}: the settings are nested too deeply") from error
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{path}:1: expected lines of `key: value`")
    return loader, root


def _broken(path: Path, error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    place = f"{path}:{mark.line + 1}" if mark else str(path)
    return f"{place}: not valid YAML: {' '.join(str(problem).split())}"


def _entries(
    mapping: Any, above: tuple[str, ...], *, path: Path, kind: type, loader: Any
) -> Iterator[tuple[Setting | str, Any, int]]:
    """Each setting under a mapping with its node, or the refusal of a key; None as node: switched on by having a section."""
    import yaml

    for key_node, node in mapping.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError(f"{path}:{line}: a key must be a plain word")
        here = (*above, *key_node.value.replace("-", "_").split("."))
        setting = _find(kind, here)
        if isinstance(node, yaml.MappingNode) and _is_section(kind, here):
            if setting and is_switch(setting.hint):
                yield setting, None, line
            yield from _entries(node, here, path=path, kind=kind, loader=loader)
        elif setting:
            yield setting, node, line
        else:
            yield _unknown(kind, here), None, line


def _find(kind: type, path: tuple[str, ...]) -> Setting | None:
    known = {**names(kind), LANG.key: LANG}
    return known.get(".".join(path)) or known.get("_".join(path))


def _is_section(kind: type, path: tuple[str, ...]) -> bool:
    prefixes = (".".join(path) + ".", "_".join(path) + "_")
    return any(setting.key.startswith(prefixes) for setting in settings_of(kind))


def _unknown(kind: type, path: tuple[str, ...]) -> str:
    key = ".".join(path)
    if any(setting.key.startswith(key + ".") for setting in settings_of(kind)):
        return f"{key!r} is a section; expected `{key}: {{name: value}}`"
    hint = suggestion(key, kind, "yaml") or nearest(key, [LANG.key])
    hint = hint or f" Known: {', '.join(setting.key for setting in (*settings_of(kind), LANG))}."
    return f"unknown key {key!r}.{hint}"


def _value(loader: Any, node: Any, setting: Setting, *, place: str) -> Any:
    import yaml

    if node is None:
        return True
    if isinstance(node, yaml.MappingNode):
        raise UsageError(f"{place}: {setting.key}: got a section, expected a value")
    try:
        return from_yaml(loader.construct_object(node, deep=True), setting.hint)
    except UsageError as error:
        raise UsageError(f"{place}: {setting.key}: {error}") from error
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        raise UsageError(f"{place}: {setting.key}: {' '.join(str(problem).split())}") from error


def to_yaml(config: Any) -> str:
    """A Config as YAML that `read_yaml` reads back to an equal one; nested dataclasses become sections."""
    import yaml

    text = yaml.dump(_plain(config), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=10_000)
    return str(text)


def inline(value: Any) -> str:
    """A value of a setting as it stands behind `key: ` in YAML; lists in brackets."""
    import yaml

    text = yaml.dump([_plain(value)], Dumper=_dumper(), default_flow_style=True, allow_unicode=True, width=10_000)
    return text.strip()[1:-1]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, InMemory) else value
