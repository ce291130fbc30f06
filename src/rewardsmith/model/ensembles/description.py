"""`ensemble.json`: which members an ensemble has, how their rewards are put on one scale, and how they are combined."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from rewardsmith.errors import ContractError, DataError, UsageError
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object, refuse_types, taking_from
from rewardsmith.model.ensembles.combination import RULES, Combiner, CombineRule, MemberScale

ENSEMBLE = "ensemble.json"
VERSION = 1
EnsembleKind = Literal["heads", "lora", "models"]
KINDS: tuple[str, ...] = get_args(EnsembleKind)
NOT_SCALED, BY_MARGINS = "", "standard deviation of the margins on validation data"


@dataclass(frozen=True)
class MemberEntry:
    """One member: where it lies (a path from the ensemble's folder, or a name on the hub), a hash of it, its scale."""

    path: str
    identity: str = ""
    scale: MemberScale = field(default_factory=MemberScale)


@dataclass(frozen=True)
class Description:
    """What `ensemble.json` says.

    `kind`: heads and lora have one backbone, models are whole models. `scaled_by` says what the scales were fitted on, ""
    where they were not. `spread` is T and f of `evaluate.members.spread` under the stored rule, where they could be fitted.
    """

    kind: EnsembleKind
    members: tuple[MemberEntry, ...]
    combination: Combiner = Combiner()  # noqa: RUF009 - frozen
    scaled_by: str = NOT_SCALED
    spread: Mapping[str, float] | None = None

    @property
    def scales(self) -> tuple[MemberScale, ...]:
        """The members' scales."""
        return tuple(member.scale for member in self.members)

    def with_scales(self, scales: Sequence[MemberScale]) -> "Description":
        """The same members, on scales that were fitted on validation data."""
        members = tuple(replace(one, scale=scale) for one, scale in zip(self.members, scales, strict=True))
        return replace(self, members=members, scaled_by=BY_MARGINS)

    def save(self, folder: Path) -> None:
        """Write the file atomically."""
        content = {
            "format": "rewardsmith-ensemble",
            "version": VERSION,
            "kind": self.kind,
            "combine": self.combination.rule,
            "std_weight": self.combination.std_weight,
            "scaled_by": self.scaled_by or None,
            "spread": None if self.spread is None else dict(self.spread),
            "members": [{"path": one.path, "identity": one.identity, **asdict(one.scale)} for one in self.members],
        }
        write_json(folder / ENSEMBLE, content)

    @classmethod
    def load(cls, folder: Path) -> "Description | None":
        """Read `ensemble.json`; None where the folder has none, ContractError where it is damaged."""
        path = folder / ENSEMBLE
        if not path.is_file():
            return None
        try:
            with taking_from(path):
                return read_description(read_object(path))
        except ContractError as error:
            raise ContractError(f"{path}: {error}") from error
        except DataError as error:
            raise ContractError(f"{path} is damaged ({error})") from error


def read_description(value: Mapping[str, Any]) -> Description:
    """From its JSON form; whatever is missing or of another type raises."""
    if value["version"] != VERSION:
        raise ContractError(f"version {value['version']!r}; this program reads {VERSION}")
    if value["kind"] not in KINDS:
        raise ContractError(f"unknown kind {value['kind']!r}; expected {', '.join(KINDS)}")
    members = tuple(read_member(one) for one in value["members"])
    if len(members) < 2:
        raise ContractError(f"{len(members)} members; expected at least 2")
    return Description(
        kind=value["kind"],
        members=members,
        combination=combiner_of(value["combine"], value["std_weight"]),
        scaled_by=value.get("scaled_by") or NOT_SCALED,
        spread=value.get("spread"),
    )


def read_member(value: Mapping[str, Any]) -> MemberEntry:
    """One member from its JSON form."""
    refuse_types({**value}, {"path": str, "identity": str, "centre": float, "scale": float})
    if not 0 < value["scale"] < float("inf"):
        raise ContractError(f"member {value['path']} has scale {value['scale']}; expected a positive number")
    return MemberEntry(value["path"], value["identity"], MemberScale(float(value["centre"]), float(value["scale"])))


def combiner_of(rule: str, std_weight: float | None = None) -> Combiner:
    """The combination of these settings; UsageError where there is none like it."""
    if rule not in RULES:
        raise UsageError(f"--combine {rule}: expected one of {', '.join(RULES)}")
    if std_weight is None:
        return Combiner(_rule(rule))
    if not 0 <= std_weight < float("inf"):
        raise UsageError(f"--combine.std-weight {std_weight:g}: expected a number of at least 0")
    return Combiner(_rule(rule), float(std_weight))


def _rule(name: str) -> CombineRule:
    return next(rule for rule in get_args(CombineRule) if rule == name)
