"""A head that reads several layers, at the last token, as a mean over the answer, or both.

The last layer of a language model is made to predict the next word; what tells a good answer from a bad one is often
plainer some layers below, and spread over the answer's tokens. A linear head over several layers and poolings keeps the
reward linear in the hidden states, so a frozen backbone's best head is still found at once (`train.probe`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.forward.batches import AnswerTokens, PackedTrees, TextBatch

LAST, MEAN, PROMPT = "last", "mean", "prompt"
POOLINGS = (LAST, MEAN, PROMPT)


@dataclass(frozen=True)
class Readout:
    """What the head reads: the outputs of `layers` (1 is the first; the last layer's comes behind the final norm), each
    pooled in the ways of `pooling`: "last" is the last token (an encoder's first), "mean" the mean over the answer, "prompt"
    the token before the answer, of a decoder, which has seen nothing of the answer.

    Features stand layer by layer, and within a layer in the order of `pooling`.
    """

    layers: tuple[int, ...]
    pooling: tuple[str, ...] = (LAST,)

    def __post_init__(self) -> None:
        if not self.layers or list(self.layers) != sorted(set(self.layers)) or self.layers[0] < 1:
            raise ContractError(f"the layers to read are {list(self.layers)}; expected increasing numbers >= 1")
        if not self.pooling or set(self.pooling) - set(POOLINGS) or len(set(self.pooling)) < len(self.pooling):
            raise ContractError(f"pooling is {list(self.pooling)}; expected some of {', '.join(POOLINGS)}, each once")

    @property
    def answers(self) -> bool:
        """Whether it has to know which tokens are the answer."""
        return self.pooling != (LAST,)

    def told(self) -> str:
        """In words, as settings."""
        return f"layers {', '.join(map(str, self.layers))} pooled by {' and '.join(self.pooling)}"

    def width(self, hidden: int) -> int:
        """Features of a response, from hidden states of this size."""
        return hidden * len(self.layers) * len(self.pooling)

    def to_json(self) -> dict[str, Any]:
        """As stored in `reward.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> "Readout | None":
        """Read back what `to_json` wrote; None where there is none."""
        return None if not value else cls(tuple(value["layers"]), tuple(value["pooling"]))


class LayerOutputs:
    """Keeps the outputs of some layers during a forward pass."""

    def __init__(self, layers: Sequence[nn.Module], numbers: Sequence[int]) -> None:
        if numbers[-1] > len(layers):
            raise ModelError(
                f"the head reads layer {numbers[-1]}, but the model has {len(layers)} layers; remove --layers"
            )
        self.numbers = tuple(numbers)
        self.top = len(layers)
        self.kept: dict[int, Tensor] = {}
        for number in numbers:
            if number < self.top:
                layers[number - 1].register_forward_hook(self._keeper(number))

    def take(self, final: Tensor) -> list[Tensor]:
        """The outputs of the pass that just ended, in order; `final` is the backbone's own output."""
        kept, self.kept = self.kept, {}
        kept[self.top] = final
        return [kept[number] for number in self.numbers]

    def _keeper(self, number: int) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            self.kept[number] = output[0] if isinstance(output, tuple) else output

        return keep


def pooled(states: Sequence[Tensor], batch: TextBatch, readout: Readout, last: Tensor) -> Float[Tensor, "R F"]:
    """Features from the hidden states of each layer read, (1, T, H) of packed trees or (R, L, H) of padded rows.

    `last` is the place of every response's pooled token in the flattened states.
    """
    columns = []
    for state in states:
        flat = state.reshape(-1, state.shape[-1])
        for way in readout.pooling:
            columns.append(flat[last].float() if way == LAST else of_answers(flat, batch.answers, way))
    return torch.cat(columns, dim=1)


def of_answers(flat: Float[Tensor, "T H"], answers: AnswerTokens | None, way: str) -> Float[Tensor, "R H"]:
    """In fp32 the mean over each response's answer tokens, or the state of the token before them."""
    if answers is None:
        raise ModelError(f"this model pools by {way}, but the texts were passed without response lengths")
    return flat[answers.before].float() if way == PROMPT else mean_of(flat, answers)


def mean_of(flat: Float[Tensor, "T H"], answers: AnswerTokens) -> Float[Tensor, "R H"]:
    """The mean in fp32 over each response's answer tokens."""
    total = flat.new_zeros((len(answers.count), flat.shape[1]), dtype=torch.float32)
    total = total.index_add(0, answers.response, flat[answers.token].float())
    return total / answers.count[:, None]


def last_places(batch: TextBatch, kind: str) -> Tensor:
    """Where each response's pooled token stands in the flattened batch: the last one, of encoders the first."""
    if isinstance(batch, PackedTrees):
        return batch.pooled
    rows, width = batch.mask.shape
    starts = torch.arange(rows, device=batch.mask.device) * width
    return starts if kind == "encoder" else starts + batch.mask.sum(dim=1) - 1
