"""How labels are spelt in tokens: every way to write each, as paths, so that one pass gives the probability of all of them.

A label is written as it is or behind a space. `10` may be one token or two; where a label begins a longer one, what the
longer one has is taken off it, so that the masses add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.errors import ModelError

Path = tuple[int, ...]


@dataclass(frozen=True)
class LabelPaths:
    """The spellings of labels: `spelt` maps a path of token ids to the place of its label."""

    labels: tuple[str, ...]
    spelt: Mapping[Path, int]

    @property
    def inner(self) -> list[Path]:
        """The beginnings of paths, but for the empty one: behind each of them the model has to be asked once more."""
        return sorted({path[:length] for path in self.spelt for length in range(1, len(path))})

    @property
    def longest_inner(self) -> list[Path]:
        """Those of them that no other one continues."""
        inner = self.inner
        return [path for path in inner if not any(other[: len(path)] == path for other in inner if other != path)]

    @property
    def tokens(self) -> list[int]:
        """Every token of a spelling, ascending."""
        return sorted({token for path in self.spelt for token in path})

    def masses(self, logprobs: Mapping[Path, Float[np.ndarray, " T"]]) -> tuple[float, ...]:
        """The mass of each label, from the log-probabilities of `tokens` behind the empty path and the `inner` ones."""
        place = {token: at for at, token in enumerate(self.tokens)}
        whole = {
            path: float(np.exp(sum(logprobs[path[:at]][place[token]] for at, token in enumerate(path))))
            for path in self.spelt
        }
        found = [0.0] * len(self.labels)
        for path, label in self.spelt.items():
            found[label] += whole[path] - sum(whole[longer] for longer in self.spelt if self._extends(longer, path))
        return tuple(max(0.0, mass) for mass in found)

    def _extends(self, longer: Path, path: Path) -> bool:
        """Whether the one continues the other, with no third spelling between them."""
        if len(longer) <= len(path) or longer[: len(path)] != path:
            return False
        return not any(longer[:length] in self.spelt for length in range(len(path) + 1, len(longer)))


def label_paths(tokenizer: Any, labels: Sequence[str]) -> LabelPaths:
    """The spellings of labels in a tokenizer; ModelError where it cannot write one, or writes two of them alike."""
    spelt: dict[Path, int] = {}
    for place, label in enumerate(labels):
        for form in (label, f" {label}"):
            path = tuple(map(int, tokenizer.encode(form, add_special_tokens=False)))
            if not path or tokenizer.decode(list(path), skip_special_tokens=True).strip() != label:
                raise ModelError(
                    f"the tokenizer does not write the label {label!r} as it is; choose other labels, or reading: text"
                )
            if spelt.setdefault(path, place) != place:
                raise ModelError(
                    f"the tokenizer writes the labels {labels[spelt[path]]!r} and {label!r} alike; choose other labels"
                )
    return LabelPaths(tuple(labels), spelt)
