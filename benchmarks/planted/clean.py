"""Sound projects: nothing is wrong with them, so that what a verdict warns of is a false alarm."""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planted.edits import as_pairs
from planted.project import Project, edit_json


@dataclass(frozen=True)
class Clean:
    """A sound project, made with some seeds in each part."""

    make: Callable[[Project], None]
    dev: int = 1
    held: int = 6
    fresh: int = 2
    unseen: int = 1
    real: int = 0
    invented: int = 1

    def seeds(self, half: str) -> tuple[int, ...]:
        """Seeds that no fault has."""
        first, count = {
            "dev": (21, self.dev),
            "held": (521, self.held),
            "fresh": (921, self.fresh),
            "unseen": (1321, self.unseen),
            "real": (1721, self.real),
            "invented": (1721, self.invented),
        }[half]
        return tuple(range(first, first + count))


def of_size(prompts: int, test: int, epochs: int, **settings: object) -> Callable[[Project], None]:
    """Built-in data of a size, with a test file."""

    def make(project: Project) -> None:
        project.give(*project.draw(prompts, test, **settings))
        project.train(epochs=epochs)

    return make


def split_by_itself(project: Project) -> None:
    """One file that the program splits."""
    data, _ = project.draw(900, 1)
    project.write(data, "data.jsonl")
    project.train(test=())


def of_pairs(project: Project) -> None:
    """Plain pairs, one a prompt."""
    data, test = project.draw(700, 300)
    project.give(as_pairs(data, project.seed), as_pairs(test, project.seed))
    project.train(epochs=2)


def evaluated_again(project: Project) -> None:
    """The finished model on another file of the same kind."""
    data, test = project.draw(300, 350)
    project.give(data, test[:150])
    project.train(epochs=2)
    project.write(test[150:], "more.jsonl")
    project.evaluate("run", "more.jsonl")
    project.argv = ["eval"]


def adapted(project: Project) -> None:
    """A LoRA adapter."""
    from rewardsmith.pipelines.train.config import Lora

    project.give(*project.draw(400, 120))
    project.train(epochs=2, lr=1e-2, lora=Lora(r=8))


def real(
    name: str, rows: int, *, step: int = 1, first: int | None = None, **settings: object
) -> Callable[[Project], None]:
    """Rows of a real set, given through REWARDSMITH_DATA: from `first` on (None: by the seed), every `step`th where they are
    sorted by prompt.

    The tiny model reads bytes, so that it is told to read as many as these texts have.
    """
    settings = {"max_length": 2048, "epochs": 2, **settings}

    def make(project: Project) -> None:
        path = Path(os.environ["REWARDSMITH_DATA"]) / f"{name}.jsonl.gz"
        begin = project.seed % 5 * 50 if first is None else first
        with gzip.open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)[begin : begin + rows * step : step]
        (project.folder / "data.jsonl").write_bytes(b"".join(lines))
        edit_json(
            project.folder / "backbone" / "config.json",
            lambda config: config.update(max_position_embeddings=settings["max_length"]),
        )
        project.train(test=(), **settings)

    return make


FROZEN: dict[str, Any] = {"freeze_layers": -1, "head_start": "probe", "lr": 5e-4}
"""A head alone, on layers that stay as they are."""

ON_MINILM: dict[str, Any] = {**FROZEN, "model": "minilm-l6", "max_length": 512}
"""The same on an encoder that was trained on sentences."""


def only_real(make: Callable[[Project], None]) -> Clean:
    """A project of the part `real` alone."""
    return Clean(make, 0, 0, 0, 0, real=1)


SETS = {
    "hh-rlhf/harmless-base": ((1000, 400, 1), (1400, 500, 1), (1900, 412, 1)),
    "hh-rlhf/helpful": ((800, 400, 1), (1200, 500, 1), (1700, 652, 1)),
    "ultrafeedback-noise/clean": ((400, 250, 1), (650, 350, 1)),
    "ukp-convarg/strict": ((5, 400, 29), (3, 600, 19), (11, 900, 12)),
    "webgpt/comparisons": ((0, 450, 1), (450, 451, 1)),
    "alpaca-eval/pairs_length_balanced": ((2, 350, 8), (400, 400, 6)),
}
"""Real sets, and (first row, rows, step) of the projects of the part `real`: rows that no earlier part had if there are."""

LATER_REAL: dict[str, Clean] = {
    **{
        f"real, frozen minilm-l6 {name} {first}:{rows}:{step}": only_real(
            real(name, rows, step=step, first=first, **ON_MINILM)
        )
        for name, parts in SETS.items()
        for first, rows, step in parts
    },
    **{
        f"real, frozen {name} {first}:{rows}:{step}": only_real(
            real(name, rows, step=step, first=first, **FROZEN, max_length=2048)
        )
        for name, parts in SETS.items()
        for first, rows, step in parts[:1]
    },
    **{
        f"real {name} {first}:{rows}:{step}": only_real(real(name, rows, step=step, first=first))
        for name, (_, (first, rows, step), *_) in SETS.items()
        if name in ("hh-rlhf/harmless-base", "hh-rlhf/helpful", "ukp-convarg/strict")
    },
}
"""Sound runs on real sets that came after the rules had been mended for the alarms on the earlier ones: heads on layers that
stay as they are, of two models, and all layers of the tiny one."""

CLEAN: dict[str, Clean] = {
    "small": Clean(of_size(200, 120, 2), 1, 10, unseen=10),
    "medium": Clean(of_size(400, 200, 2), 1, 12, unseen=8),
    "large": Clean(of_size(700, 200, 1), 1, 8, unseen=6),
    "english": Clean(of_size(400, 200, 2, language="en"), 1, 6, unseen=7),
    "chinese": Clean(of_size(400, 200, 2, language="zh"), 1, 6, unseen=7),
    "noisier": Clean(of_size(500, 250, 2, noise=1.0), 1, 6, unseen=6),
    "many_responses": Clean(of_size(200, 120, 2, responses_per_prompt=6), 1, 5, unseen=6),
    "split_by_itself": Clean(split_by_itself, 1, 6, unseen=6),
    "pairs": Clean(of_pairs, 1, 6, unseen=6),
    "evaluated_again": Clean(evaluated_again, 1, 6, unseen=6),
    "adapted": Clean(adapted, 1, 4, unseen=4),
    "real hh-rlhf/harmless-base": Clean(real("hh-rlhf/harmless-base", 700), 1, 1),
    "real hh-rlhf/helpful": Clean(real("hh-rlhf/helpful", 700), 1, 1),
    "real ultrafeedback-noise/clean": Clean(real("ultrafeedback-noise/clean", 300, max_length=4096), 1, 1, 1),
    "real alpaca-eval/pairs_length_balanced": Clean(
        real("alpaca-eval/pairs_length_balanced", 300, max_length=4096), 1, 1, 1
    ),
    "real ukp-convarg/strict": Clean(real("ukp-convarg/strict", 1500, step=7), 1, 1),
    "real, frozen hh-rlhf/harmless-base": Clean(real("hh-rlhf/harmless-base", 900, **FROZEN), 0, 0),
    "real, frozen hh-rlhf/helpful": Clean(real("hh-rlhf/helpful", 600, **FROZEN), 0, 0),
    "real, frozen ukp-convarg/strict": Clean(real("ukp-convarg/strict", 900, step=11, **FROZEN), 0, 0),
    **LATER_REAL,
}
