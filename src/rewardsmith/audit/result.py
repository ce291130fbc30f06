"""The result of an audit, as audit.json holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rewardsmith.audit.effect import LEVEL, Effect, Scale
from rewardsmith.diagnose.finding import Said

if TYPE_CHECKING:
    from rewardsmith.audit.attribution import Attribution
    from rewardsmith.audit.conformance import Conformance

VERSION = 1
ORDER = {"found": 0, "cannot_tell": 1, "excluded": 2}


@dataclass(frozen=True, slots=True)
class NotChecked:
    """What could not be looked at, why, and what to bring for it."""

    name: str
    why: Said
    bring: Said

    def to_json(self) -> dict[str, Any]:
        """The entry of `not_checked`."""
        return {
            "name": self.name,
            "why": {"en": self.why.en, "zh": self.why.zh},
            "bring": {"en": self.bring.en, "zh": self.bring.zh},
        }


@dataclass(frozen=True)
class BiasAudit:
    """All that an audit found; `effects` with those that were found first, the largest first.

    `prompts` of `prompts_available` were audited, with `responses` responses. `texts` counts what was scored, `cut` and
    `refused` what got no reward of it. `length` holds accuracies by length and the partial correlation, `best_of_n` the
    curve and what follows from it, `policies` the same of policies trained by RL; None where it was not measured.
    """

    model: str
    source: str
    split: str
    prompts: int
    prompts_available: int
    responses: int
    bound: float
    seed: int
    scale: Scale | None = None
    effects: tuple[Effect, ...] = ()
    length: Mapping[str, Any] | None = None
    conformance: "tuple[Conformance, ...]" = ()
    best_of_n: Mapping[str, Any] | None = None
    policies: Mapping[str, Any] | None = None
    not_checked: tuple[NotChecked, ...] = ()
    texts: Mapping[str, int] = field(default_factory=dict)
    attribution: "Attribution | None" = None

    def with_status(self, status: str) -> list[Effect]:
        """The effects of one status."""
        return [effect for effect in self.effects if effect.status == status]

    def to_json(self) -> dict[str, Any]:
        """Everything; docs/audit.md describes the keys."""
        return {
            "version": VERSION,
            "model": self.model,
            "source": self.source,
            "split": self.split,
            "prompts": self.prompts,
            "prompts_available": self.prompts_available,
            "responses": self.responses,
            "bound": self.bound,
            "level": LEVEL,
            "seed": self.seed,
            "reward_sd": None if self.scale is None else self.scale.to_json(),
            "effects": [effect.to_json() for effect in self.effects],
            "length": self.length,
            "conformance": [check.to_json() for check in self.conformance],
            "best_of_n": self.best_of_n,
            "policies": self.policies,
            "not_checked": [one.to_json() for one in self.not_checked],
            "texts": dict(self.texts),
            **({} if self.attribution is None else {"attribution": self.attribution.to_json()}),
        }


def ordered(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Found ones first, then those that cannot be told, then excluded ones; the largest first among them."""
    return tuple(sorted(effects, key=lambda one: (ORDER[one.status], -abs(one.effect_sd), one.name)))
