"""The actions of findings as command lines that can be typed as they are printed.

Where the run is known, its own names stand in them; where not, words in capitals say what to put there.
"""

import shlex
from pathlib import Path
from typing import Any

from rewardsmith.diagnose.facts import Facts

HELD_OUT, MODEL, DATA = "TEST_DATA", "MODEL", "DATA"
"""What a person has to fill in."""


def line(*words: Any) -> str:
    """A command line with what a shell would take apart in quotes."""
    return shlex.join(["rewardsmith", *map(str, words)])


def is_run(facts: Facts) -> bool:
    """Whether a run folder with its settings is judged."""
    return bool(facts.place and facts.settings)


def model_of(facts: Facts) -> str:
    """The model that is judged."""
    return facts.model or MODEL


def sources_of(facts: Facts) -> list[str]:
    """The data that the run was trained on."""
    named = facts.settings.get("dataset") or ()
    return [str(name) for name in ([named] if isinstance(named, str) else named)] or [DATA]


def beside(facts: Facts, ending: str) -> str:
    """A new folder beside the one that is judged."""
    if not facts.place:
        return f"runs/{ending}"
    place = Path(facts.place)
    return str(place.parent / f"{place.resolve().name}-{ending}")


def evaluate(facts: Facts, data: str = HELD_OUT, *more: Any) -> str:
    """Evaluate the model on held-out data, and keep the figures."""
    return line("evaluate", model_of(facts), data, "--output", beside(facts, "evaluated"), *more)


def train(facts: Facts, *changes: Any) -> str:
    """The run once more with some settings changed, in a folder of its own."""
    start: list[Any] = ["--model", f"ORG/{MODEL}", "--dataset", DATA]
    if is_run(facts):
        start = ["--config", Path(facts.place) / "config.yaml"]
    return line("train", *start, "--output", beside(facts, "again"), *changes)


def resume(facts: Facts) -> str:
    """Go on with the run."""
    return line("train", "--config", Path(facts.place) / "config.yaml", "--output", facts.place, "--resume")


def prepare(facts: Facts, *flags: Any) -> str:
    """Clean and split the training data."""
    return line("prepare", *sources_of(facts), "--output", beside(facts, "data"), *flags)


def inspect(facts: Facts) -> str:
    """Look at what of a record is scored."""
    return line("inspect", sources_of(facts)[0], "--model", model_of(facts))


def verify(facts: Facts) -> str:
    """Check files, settings and probes of the run, also of one that lies elsewhere, else of the evaluated model."""
    return line("verify", facts.place if is_run(facts) else facts.measured.run or model_of(facts))


def diagnose(facts: Facts, *flags: Any) -> str:
    """Judge again."""
    return line("diagnose", facts.place or "RUN", "--overwrite", *flags)


def learning_curve(facts: Facts, *flags: Any) -> str:
    """Train on shares of the data, to see what more of it would give; runs that are there are not trained again."""
    return line("learning-curve", facts.place or "RUN", *flags)


def audit(facts: Facts, data: str = HELD_OUT) -> str:
    """Look for biases of the reward; the result goes into the run folder, or for another model into a folder beside."""
    if is_run(facts):
        return line("audit", facts.place, data)
    return line("audit", model_of(facts), data, "--output", beside(facts, "audit"))


def calibrate(facts: Facts, data: str = HELD_OUT, *more: Any) -> str:
    """Fit a calibration of the model on held-out data, and store it in the model."""
    return line("calibrate", model_of(facts), data, "--update", *more)
