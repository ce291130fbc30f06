"""What lies beside the figures in a run folder and has a section of its own in the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rewardsmith.diagnose.stored import stored_measurements
from rewardsmith.files.reading import read_object


@dataclass(frozen=True, eq=False)
class Evidence:
    """`evaluation` is evaluation.json, and so on with `audit` and `learning_curve`; `hashes` holds (file, hash) of model and
    data. `error_tokens` is that of measurements.json, and `why_no_tokens` why it holds none: empty where nothing was tried.
    """

    evaluation: Mapping[str, Any] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)
    learning_curve: Mapping[str, Any] = field(default_factory=dict)
    hashes: tuple[tuple[str, str], ...] = ()
    error_tokens: Sequence[Mapping[str, Any]] = ()
    why_no_tokens: str = ""


NO_EVIDENCE = Evidence()


def read_evidence(folder: Path) -> Evidence:
    """What a run folder holds of it; DataError where a file is damaged."""
    stored = stored_measurements(folder)
    missing = {str(one.get("name")): str(one.get("why")) for one in stored.get("not_checked") or ()}
    return Evidence(
        evaluation=read_object(folder / "evaluation.json"),
        audit=read_object(folder / "audit.json"),
        learning_curve=read_object(folder / "learning_curve.json"),
        hashes=(*hashes_of_model(folder / "model"), *hashes_of_data(folder / "data")),
        error_tokens=tuple(stored.get("error_tokens") or ()),
        why_no_tokens=missing.get("error_tokens", ""),
    )


def hashes_of_model(folder: Path) -> list[tuple[str, str]]:
    """The weights and the scoring contract, as the model's manifest has them."""
    wanted = [(name, entry) for name, entry in read_object(folder / "manifest.json").items() if is_weight(name)]
    return [(f"model/{name}", str(entry.get("xxh3_128"))) for name, entry in wanted if isinstance(entry, Mapping)]


def is_weight(name: str) -> bool:
    """Whether a file of a model decides its rewards: the weights, or how a text is scored."""
    return name.endswith(".safetensors") or name == "reward.json"


def hashes_of_data(folder: Path) -> list[tuple[str, str]]:
    """The files that training read, by their last names, which show no folder of the machine."""
    files = read_object(folder / "data.json").get("files") or ()
    return [(Path(str(one.get("file"))).name, str(one.get("sha256"))) for one in files if isinstance(one, Mapping)]
