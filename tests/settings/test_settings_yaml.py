"""Settings from YAML: what is read as what, what is refused and where, and the way back."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.errors import UsageError
from rewardsmith.settings import build, read_yaml, to_yaml
from rewardsmith.settings.fields import attribute_docs, settings_of


@dataclass(frozen=True)
class Inner:
    r: int = 16
    """Rank."""
    dropout: float = 0.0
    """Share."""


@dataclass(frozen=True)
class Config:
    name: str = "x"
    """A name."""
    lr: float = 1.0
    """A number."""
    epochs: int = 1
    """A count."""
    max_length: int | None = None
    """A length."""
    on: bool = False
    """A switch."""
    output: Path = Path("out")
    """A path."""
    kind: Literal["full", "lora"] = "full"
    """A choice."""
    files: tuple[str, ...] = ()
    """Several."""
    shares: tuple[float, float] = (0.5, 0.5)
    """Two."""
    size: int | Literal["auto"] = "auto"
    """A number or auto."""
    lora: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Flat:
    lora: bool = False
    lora_r: int = 1
    epochs: int = 1


def read(folder, text, kind=Config):
    path = folder / "f.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path, kind)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr: 1e-5", {"lr": 1e-5}),
        ("lr: 3", {"lr": 3.0}),
        ("lr: .5", {"lr": 0.5}),
        ("lr: -.inf", {"lr": -math.inf}),
        ("epochs: 010", {"epochs": 10}),
        ("epochs: 0x10", {"epochs": 16}),
        ("epochs: 0o10", {"epochs": 8}),
        ("name: yes", {"name": "yes"}),
        ("name: 2024-01-31", {"name": "2024-01-31"}),
        ("name: 12:30", {"name": "12:30"}),
        ("name: '5'", {"name": "5"}),
        ("name: 中文", {"name": "中文"}),
        ("on: True", {"on": True}),
        ("max-length: 5", {"max_length": 5}),
        ("max_length: null", {"max_length": None}),
        ("max_length: ", {"max_length": None}),
        ("files: [a, b]", {"files": ("a", "b")}),
        ("files: a", {"files": ("a",)}),
        ("shares: [1, 0]", {"shares": (1.0, 0.0)}),
        ("size: auto", {"size": "auto"}),
        ("size: 7", {"size": 7}),
        ("lora: {r: 8}", {"lora.r": 8}),
        ("lora.r: 8", {"lora.r": 8}),
        ("lora_r: 8", {"lora.r": 8}),
        ("lora:\n  lora_dropout: 0.5\nnum_epochs: 2", {"lora.dropout": 0.5, "epochs": 2}),
        ("", {}),
        ("# nothing", {}),
    ],
)
def test_yaml_is_read_as_version_1_2(tmp_path, text, expected):
    got = read(tmp_path, text)
    assert got == expected
    assert [type(value) for value in got.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr: '1'", "f.yaml:1: lr: got the text '1', expected a number"),
        ("lr: true", "f.yaml:1: lr: got the switch true, expected a number"),
        ("\nepochs: 1.0", "f.yaml:2: epochs: got the number 1.0, expected an integer"),
        ("name: 5", "expected text; put it in quotes"),
        ("name: null", "name: got no value, expected text"),
        ("on: yes", "got the text 'yes', expected true or false"),
        ("on: 1", "got the number 1, expected true or false"),
        ("kind: lorra", "got 'lorra', expected one of full, lora. Did you mean 'lora'?"),
        ("files: [a, 1]", "files: got the number 1, expected text"),
        ("shares: [1]", "shares: got 1 values, expected 2"),
        ("shares: 1", "write [a, b]"),
        ("size: big", "size: got the text 'big', expected an integer or one of auto"),
        ("output: ''", "output: got the text '', expected a path"),
        ("lora: {q: 1}", "f.yaml:1: unknown key 'lora.q'. Did you mean 'lora.r'?"),
        ("lora: 5", "f.yaml:1: 'lora' is a section"),
        ("lr: {a: 1}", "lr: got a section, expected a value"),
        ("epochs: 1\nepochs: 2", "f.yaml:2: 'epochs' is set twice"),
        ("epochs: 1\nnum_epochs: 2", "f.yaml:2: 'epochs' is set twice"),
        ("lora: {r: 1}\nlora: {r: 2}", "f.yaml:2: 'lora.r' is set twice"),
        ("zzzzz: 1", "Known: name, lr, epochs"),
        ("a: &a {b: *a}", "anchors and aliases are not supported"),
        ("lr: !!python/object:os.system x", "f.yaml:1: lr:"),
        ("lr: [", "f.yaml:1: not valid YAML"),
        ("- 1", "f.yaml:1: expected lines of `key: value`"),
        ("lr: 1\n---\nlr: 2", "not valid YAML"),
        (b"name: \xff", "not valid YAML"),
        ("? [a]\n: 1", "f.yaml:1: a key must be a plain word"),
    ],
)
def test_what_yaml_refuses_and_where(tmp_path, text, expected):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_section_switches_a_flat_config_on(tmp_path):
    assert read(tmp_path, "lora: {r: 16}", Flat) == {"lora": True, "lora_r": 16}
    assert read(tmp_path, "lora: false", Flat) == {"lora": False}


def test_a_folder_is_no_settings_file(tmp_path):
    with pytest.raises(UsageError, match="cannot read the settings file"):
        read_yaml(tmp_path, Config)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
CONFIGS = st.builds(
    Config,
    name=st.one_of(
        TEXTS, st.sampled_from(["1e-5", "yes", "null", "010", "0o7", "1_000", "~", "", "2024-01-01", "- a"])
    ),
    lr=st.floats(allow_nan=False),
    epochs=st.integers(),
    max_length=st.none() | st.integers(),
    on=st.booleans(),
    output=TEXTS.filter(lambda text: "\0" not in text).map(Path).filter(lambda path: str(path)),
    kind=st.sampled_from(["full", "lora"]),
    files=st.lists(TEXTS, max_size=3).map(tuple),
    shares=st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)),
    size=st.integers() | st.just("auto"),
    lora=st.builds(Inner, r=st.integers(), dropout=st.floats(0, 1)),
)


@given(CONFIGS)
def test_what_is_written_is_read_back(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_bytes(to_yaml(config).encode())
    assert build(Config, read_yaml(path, Config)) == config


def test_the_docstring_under_a_field_is_its_help():
    assert attribute_docs(Inner) == {"r": "Rank.", "dropout": "Share."}
    assert [setting.key for setting in settings_of(Config)][-2:] == ["lora.r", "lora.dropout"]


def test_a_type_that_flags_cannot_express_is_found_at_once():
    @dataclass(frozen=True)
    class Bad:
        table: dict[str, int]

    with pytest.raises(TypeError, match="not a supported type of a setting"):
        settings_of(Bad)
