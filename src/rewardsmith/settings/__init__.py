"""Settings of a command: one frozen `Config` dataclass is the source of its flags, YAML keys, aliases and help.

Values come from defaults < YAML file < flags. A field's one-line help is the docstring below it (or `Annotated[T,
"help"]`); a nested dataclass `lora` with a field `r` is the flag `--lora.r` and the YAML `lora: {r: 16}`.
"""

from rewardsmith.settings.fields import ALIASES, Setting, build, settings_of
from rewardsmith.settings.yaml_file import read_yaml, to_yaml

__all__ = ["ALIASES", "Setting", "build", "read_yaml", "settings_of", "to_yaml"]
