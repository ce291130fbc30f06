"""`reward.json`, the one file beside a Hugging Face folder: contract, normaliser, calibration, probes, origin."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.errors import ContractError, DataError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration, calibration_from
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object, refuse_types, taking_from
from rewardsmith.model.forward.readout import Readout
from rewardsmith.model.heads.head import HeadInfo
from rewardsmith.scoring.contract import ScoringContract

SIDECAR = "reward.json"
SIDECAR_VERSION = 1


@dataclass(frozen=True)
class Normalizer:
    """Reward statistics on reference data; gives a z value and a percentile beside the raw reward, never instead."""

    mean: float
    std: float
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Probe:
    """A conversation whose token ids and reward are known; loading a model scores it again."""

    messages: tuple[tuple[str, str], ...]
    ids: tuple[int, ...]
    reward: float


@dataclass(frozen=True)
class Sidecar:
    """All that a folder of weights does not say about its rewards.

    `offset` is added to every logit: the bias of an imported value head, for which a decoder's head has no place.
    `readout` says what a head reads that is not the class's own (the last layer, pooled its way). `heads` above 1: the
    head is the mean of as many, which lie beside it (see `ensemble`). `head` names what gives columns beside the reward (see
    `heads`), None for a scalar head.
    """

    contract: ScoringContract
    probes: tuple[Probe, ...] = ()
    probed_on: str = "cpu"
    normalizer: Normalizer | None = None
    calibration: RewardCalibration | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    offset: float = 0.0
    readout: Readout | None = None
    heads: int = 1
    head: HeadInfo | None = None

    def save(self, folder: Path) -> None:
        """Write `reward.json` atomically."""
        value = {
            "format": "rewardsmith",
            "version": SIDECAR_VERSION,
            "contract": self.contract.to_json(),
            "normalizer": None if self.normalizer is None else asdict(self.normalizer),
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "offset": self.offset,
            "readout": None if self.readout is None else self.readout.to_json(),
            "heads": self.heads,
            "head": None if self.head is None else self.head.to_json(),
            "probed_on": self.probed_on,
            "probes": [asdict(probe) for probe in self.probes],
            "training": dict(self.training),
        }
        write_json(folder / SIDECAR, value)

    @classmethod
    def load(cls, folder: Path) -> "Sidecar | None":
        """Read `reward.json`; None where the folder has none (every public model)."""
        path = folder / SIDECAR
        if not path.is_file():
            return None
        try:
            with taking_from(path):
                return read_sidecar(read_object(path))
        except ContractError as error:
            raise ContractError(f"{path}: {error}") from error
        except DataError as error:
            raise ContractError(f"{path} is damaged ({error})") from error


def read_sidecar(value: Mapping[str, Any]) -> Sidecar:
    """From its JSON form; whatever is missing or of another type raises."""
    if value["version"] != SIDECAR_VERSION:
        raise ContractError(f"version {value['version']!r}; this program reads {SIDECAR_VERSION}")
    refuse_types(
        value, {"probed_on": str, "offset": float, "heads": int, "head": Mapping | None, "training": Mapping | None}
    )
    return Sidecar(
        contract=ScoringContract.from_json(value["contract"]),
        probes=tuple(read_probe(probe) for probe in value["probes"]),
        probed_on=value.get("probed_on", "cpu"),
        normalizer=read_normalizer(value.get("normalizer")),
        calibration=calibration_from(value.get("calibration")),
        training=value.get("training") or {},
        offset=float(value.get("offset", 0.0)),
        readout=Readout.from_json(value.get("readout")),
        heads=value.get("heads", 1),
        head=HeadInfo.from_json(value.get("head")),
    )


def read_probe(value: Mapping[str, Any]) -> Probe:
    """One probe from its JSON form."""
    refuse_types({**value}, {"ids": tuple[int, ...], "reward": float})
    messages = tuple((str(role), str(content)) for role, content in value["messages"])
    return Probe(messages, tuple(value["ids"]), float(value["reward"]))


def read_normalizer(value: Mapping[str, Any] | None) -> Normalizer | None:
    """The normaliser from its JSON form."""
    if not value:
        return None
    refuse_types(value, {"mean": float, "std": float, "quantiles": tuple[float, ...]})
    return Normalizer(value["mean"], value["std"], tuple(value["quantiles"]))
