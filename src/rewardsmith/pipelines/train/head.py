"""The head of `rewardsmith train`: its settings, and the loss that trains it."""

from dataclasses import dataclass, replace

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.train.loss import DEFAULT, LossSettings
from rewardsmith.settings.options import NamedSettings

SCALAR = "scalar"
LOSS_OF = {"odin": "odin"}
"""The loss that trains each head beside the scalar one, as in `model.heads.HEADS`, without its imports."""
ALONE = ("odin",)
"""Losses of a head that also train a scalar one: what they need beside it is dropped at the end."""


@dataclass(frozen=True, kw_only=True)
class HeadSettings(NamedSettings):
    """The reward head and its options; an option that the head does not use is refused."""

    name: str = SCALAR
    """Reward head: scalar or odin (see docs/heads.md)."""


def loss_for(head: HeadSettings, loss: LossSettings) -> LossSettings:
    """The loss to train with: that of the head where none was chosen; UsageError for one that does not train this head."""
    wanted = LOSS_OF.get(head.name)
    if wanted is None:
        owner = next((name for name, own in LOSS_OF.items() if own == loss.name and own not in ALONE), None)
        if owner is not None:
            raise UsageError(f"--loss {loss.name} trains --head {owner}; add --head {owner}")
        return loss
    if loss.name == DEFAULT:
        return replace(loss, name=wanted)
    if loss.name != wanted:
        raise UsageError(f"--loss {loss.name}: --head {head.name} is trained with --loss {wanted}; remove --loss")
    return loss
