"""What `reward.json` holds under `calibration`: how to read the rewards, beside the raw ones and never in their place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from rewardsmith.errors import DataError
from rewardsmith.evaluate.corrections.isotonic import IsotonicMap, isotonic_from
from rewardsmith.evaluate.corrections.length import LengthCurve, curve_from
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.files.reading import refuse_types

CalibrationMethod = Literal["temperature", "isotonic", "length"]


@dataclass(frozen=True, eq=False)
class RewardCalibration:
    """First the trend in `length` is taken off the rewards, then `temperature` or `isotonic` makes probabilities of margins.

    Each part may be None; never both of the last two. `fitted_on` names the data, `records` is the hash of its records (""
    where training fitted it), `comparisons` and `prompts` count them (0: not known).
    """

    fitted_on: str
    temperature: float | None = None
    isotonic: IsotonicMap | None = None
    length: LengthCurve | None = None
    comparisons: int = 0
    prompts: int = 0
    records: str = ""

    @property
    def methods(self) -> tuple[CalibrationMethod, ...]:
        """The parts that are there, in the order in which they are applied."""
        parts: dict[CalibrationMethod, object] = {
            "length": self.length, "temperature": self.temperature, "isotonic": self.isotonic,
        }  # fmt: skip
        return tuple(name for name, part in parts.items() if part is not None)

    def rewards(
        self, raw: Float[np.ndarray, " R"], length: Float[np.ndarray, " R"] | None = None
    ) -> Float[np.ndarray, " R"]:
        """The calibrated rewards: without the trend in length, and divided by the temperature.

        `length` is that of each response, in the unit of the curve; it has to be given where there is a curve.
        """
        corrected = raw.astype(np.float64)
        if self.length is not None:
            assert length is not None
            corrected = self.length.corrected(corrected, length.astype(np.float64))
        return corrected if self.temperature is None else corrected / self.temperature

    def probability(self, margin: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """P(first beats second) from the difference of two calibrated rewards; without temperature and isotonic map, sigma
        of it."""
        return sigmoid(margin) if self.isotonic is None else self.isotonic.probability(margin)

    def in_words(self) -> list[str]:
        """The parts with their parameters."""
        words = []
        if self.length is not None:
            words.append(f"length ({self.length.smoother}, {self.length.smoothing:.3g}, in {self.length.unit})")
        if self.temperature is not None:
            words.append(f"temperature {self.temperature:.3g}")
        if self.isotonic is not None:
            words.append(f"isotonic ({self.isotonic.margins.size} knots)")
        return words

    def to_json(self) -> dict[str, Any]:
        """Plain values; the parts that are not there are left out."""
        parts = {
            "temperature": self.temperature,
            "isotonic": None if self.isotonic is None else self.isotonic.to_json(),
            "length": None if self.length is None else self.length.to_json(),
        }
        counts = {"comparisons": self.comparisons, "prompts": self.prompts, "records": self.records}
        return {
            **{name: part for name, part in parts.items() if part is not None},
            "fitted_on": self.fitted_on,
            **{name: value for name, value in counts.items() if value},
        }


def calibration_from(value: Mapping[str, Any] | None) -> RewardCalibration | None:
    """A calibration from its JSON form; None for none, DataError for anything else."""
    if not value:
        return None
    refuse_types({"fitted_on": value["fitted_on"], "temperature": value.get("temperature")}, {
        "fitted_on": str, "temperature": float | None,
    })  # fmt: skip
    temperature, isotonic, length = (value.get(name) for name in ("temperature", "isotonic", "length"))
    if temperature is not None and not 0 < temperature < float("inf"):
        raise DataError(f"the temperature is {temperature}; expected a number above 0")
    if temperature is not None and isotonic is not None:
        raise DataError("the calibration has both a temperature and an isotonic map; expected one of them")
    return RewardCalibration(
        value["fitted_on"],
        temperature,
        None if isotonic is None else isotonic_from(isotonic),
        None if length is None else curve_from(length),
        int(value.get("comparisons", 0)),
        int(value.get("prompts", 0)),
        str(value.get("records", "")),
    )
