"""A small project as a user has it: data files, a run, a model; made in a folder of its own, with names that say nothing."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from rewardsmith.commands import evaluate, train
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_bytes, write_jsonl
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.records import Record

BACKBONE_PROMPTS, BACKBONE_EPOCHS, BACKBONE_SEED = 8_000, 2, 7_771
"""The tiny model that all projects start from, as others start from a pretrained one: it can already compare a prompt with a
response, so that a project needs seconds. Its prompts are drawn with a seed that no project has."""
TRAIN_PROMPTS, TEST_PROMPTS, RESPONSES = 240, 100, 4
NOISE = 0.5
"""Temperature of the judges: they disagree with the gold reward in about 2 % of the comparisons."""
SOUND = {"epochs": 2}
"""The settings of a sound project, beside those that `train` has here by default."""
FRESH_SEED = 5_000_000
"""Added to a project's seed for the fresh comparisons on which it is measured what a fault does."""
ROW_KEYS = ("source", "line")


def rows_of(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as rows of the package's own format, without the place where they were read."""
    return [{key: value for key, value in to_row(one).items() if key not in ROW_KEYS} for one in records]


@dataclass
class Project:
    """Where one fault is planted. `argv` is how its user calls `rewardsmith diagnose` inside `folder`.

    `sound` is the folder of a sound project of the same seed, which is copied instead of trained again. `facts` keeps what
    the planting itself knows and a measure needs afterwards, `misleading` how to put a shortcut's mark on the worse answer
    of a pair; neither is ever written into the folder.
    """

    folder: Path
    seed: int
    backbone: Path
    sound: Path | None = None
    argv: list[str] = field(default_factory=lambda: ["run"])
    facts: dict[str, Any] = field(default_factory=dict)
    misleading: Callable[[Record], Record] = lambda pair: pair

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        shutil.copytree(self.backbone, self.folder / "backbone")

    def draw(
        self, train_prompts: int = TRAIN_PROMPTS, test_prompts: int = TEST_PROMPTS, **settings: Any
    ) -> tuple[list[Record], list[Record]]:
        """Training and test records without a common prompt; the labels are those of judges with little noise."""
        settings = {"responses_per_prompt": RESPONSES, "noise": NOISE, **settings}
        made = generate(train_prompts + test_prompts, seed=self.seed, **settings).records
        return made[:train_prompts], made[train_prompts:]

    def write(self, records: Iterable[Record], name: str) -> None:
        """A data file of the project."""
        write_jsonl(self.folder / name, rows_of(records))

    def give(self, data: Sequence[Record], test: Sequence[Record]) -> None:
        """Both data files."""
        self.write(data, "data.jsonl")
        self.write(test, "test.jsonl")

    def train(self, **settings: Any) -> dict[str, Any]:
        """Train in the project's folder, by default on data.jsonl with test.jsonl; the result's JSON."""
        chosen = {
            "model": "backbone",
            "dataset": ("data.jsonl",),
            "test": ("test.jsonl",),
            "output": Path("run"),
            "epochs": 1,
            "batch": 8,
            "lr": 1e-3,
            "evals": 2,
            "threads": 1,
            "seed": self.seed % 1000,
            **settings,
        }
        with contextlib.chdir(self.folder):
            return train.run(TrainConfig(**chosen)).to_json()

    def evaluate(
        self, model: str, source: str = "test.jsonl", *, output: str = "eval", **settings: Any
    ) -> dict[str, Any]:
        """Evaluate in the project's folder; the summary."""
        with contextlib.chdir(self.folder):
            chosen = evaluate.Config(model=model, sources=(source,), output=Path(output), **settings)
            return evaluate.run(chosen).to_json()

    def healthy(self, **settings: Any) -> None:
        """A project in which nothing is wrong yet."""
        if self.sound is not None and settings == SOUND:
            for name in ("data.jsonl", "test.jsonl"):
                shutil.copyfile(self.sound / name, self.folder / name)
            shutil.copytree(self.sound / "run", self.folder / "run")
            return
        self.give(*self.draw())
        self.train(**settings)


def edit_weights(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the tensors of a model folder in place."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    write_bytes(path, json.dumps(value, ensure_ascii=False, indent=1).encode())


def as_exported(folder: Path) -> None:
    """Leave of a model folder what another program would have saved: no contract, no probes, no hashes."""
    for name in ("reward.json", "manifest.json", "README.md"):
        (folder / name).unlink(missing_ok=True)


def make_backbone(folder: Path, *, prompts: int = BACKBONE_PROMPTS, epochs: int = BACKBONE_EPOCHS) -> None:
    """Train the tiny model once and keep it without its head, as a pretrained model is published."""
    scratch = folder.parent / f"{folder.name}-training"
    made = generate(prompts, responses_per_prompt=RESPONSES, seed=BACKBONE_SEED, noise=0.25).records
    scratch.mkdir(parents=True)
    write_jsonl(scratch / "data.jsonl", rows_of(made))
    train.run(
        TrainConfig(
            model="tiny",
            dataset=(str(scratch / "data.jsonl"),),
            output=scratch / "run",
            epochs=epochs,
            batch=8,
            lr=2e-3,
            block_size=384,
            evals=2,
            threads=1,
        )
    )
    headless(scratch / "run" / "model", folder)


def headless(model: Path, folder: Path) -> None:
    """A copy of a model folder without its reward head and without what only rewardsmith writes."""
    unfinished = folder.with_name(folder.name + ".part")
    shutil.copytree(model, unfinished)
    as_exported(unfinished)
    edit_weights(unfinished, lambda tensors: tensors.pop("score.weight"))
    edit_json(unfinished / "config.json", lambda config: config.update(architectures=["LlamaModel"]))
    unfinished.rename(folder)


def opaque(*key: object) -> str:
    """A folder name that depends on `key` and tells nothing about it."""
    return hashlib.sha256(":".join(map(str, key)).encode()).hexdigest()[:10]
