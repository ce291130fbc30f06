"""A calibration into the `reward.json` of a model folder: of a copy, or of the folder itself."""

import shutil
from dataclasses import replace
from pathlib import Path

from rewardsmith.errors import ModelError, UsageError
from rewardsmith.evaluate.corrections.calibration import RewardCalibration
from rewardsmith.files import write_folder
from rewardsmith.files.kinds import MODEL
from rewardsmith.files.manifest import MANIFEST
from rewardsmith.model.checkpoint.intact import CARD, seal_model
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.model.ensembles.description import Description


def model_folder(name: str) -> Path:
    """The folder of a model that has a `reward.json`; ModelError where there is none."""
    from rewardsmith.model.loading.locating import locate

    folder = Path(locate(name))
    if Sidecar.load(folder) is None:
        raise ModelError(
            f"{name} has no reward.json to store a calibration in; first run: rewardsmith import {name} -o FOLDER"
        )
    return folder


def refuse_elsewhere(name: str, folder: Path) -> None:
    """UsageError for an ensemble whose members are named by where they are from its folder: a copy would not find them."""
    described = Description.load(folder)
    paths = () if described is None else tuple(member.path for member in described.members)
    if any(path.startswith("..") or Path(path).is_absolute() for path in paths):
        raise UsageError(
            f"--output: {name} is an ensemble of models in other folders, which a copy does not find; use --update"
        )


def update(folder: Path, calibration: RewardCalibration) -> None:
    """Put the calibration into the folder.

    The manifest goes first and comes last: a run that is killed between leaves a model without one, which opens.
    """
    sidecar = Sidecar.load(folder)
    assert sidecar is not None
    (folder / MANIFEST).unlink(missing_ok=True)
    replace(sidecar, calibration=calibration).save(folder)
    seal_model(folder)


def store_copy(folder: Path, output: Path, calibration: RewardCalibration, *, overwrite: bool) -> None:
    """Write a copy of the model's own files with the calibration; not of its card, which tells of other figures."""

    def fill(place: Path) -> None:
        strange = {*MODEL.foreign(folder), folder / CARD}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path not in strange:
                target = place / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        update(place, calibration)

    write_folder(output, fill, MODEL, overwrite=overwrite)
