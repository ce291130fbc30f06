"""`rewardsmith demo`: the whole way on the built-in data and the tiny model, offline, in about two minutes on two cores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rewardsmith.language import say
from rewardsmith.progress import SILENT, Progress

if TYPE_CHECKING:
    from rewardsmith.pipelines.train.config import Config as TrainConfig

# Sizes that reach clearly beyond the baselines within the time; docs/decisions/0003-built-in-data.md has the search.
PROMPTS, RESPONSES = 8_000, 4
FAULTS = {"duplicates": 0.01, "mojibake": 0.005}
N_LAYER, N_HEAD, N_EMBD, BLOCK_SIZE = 2, 4, 64, 256
EPOCHS, BATCH, LR = 2, 8, 2e-3


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith demo`."""

    output: Path = Path("rewardsmith-demo")
    """Output folder for the data, the run and the report."""
    prompts: int = PROMPTS
    """Number of prompts to generate; fewer are faster but train a worse model."""
    data_only: bool = False
    """Write the data (data.jsonl) only."""
    seed: int = 0
    """Random seed of the data and of the training."""
    overwrite: bool = False
    """Replace the output of an earlier run of this command in --output; other files are never deleted."""


@dataclass(frozen=True)
class Result:
    """What each stage came to."""

    stages: Mapping[str, Any]
    text: str
    quotes_data: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """prepare, train, ceiling, example, report."""
        return dict(self.stages)

    def to_text(self) -> str:
        """The story of the demo, ending with the verdict and the report's path."""
        return self.text

    def to_coloured_text(self) -> str:
        """The same, the severity of each finding in its colour."""
        from rewardsmith.report.text import coloured_severities

        return coloured_severities(self.text)


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Generate, clean, train, evaluate, diagnose, use."""
    from rewardsmith.files import claimed
    from rewardsmith.files.kinds import DEMO

    with claimed(config.output, DEMO):
        return shown(config, progress)


def shown(config: Config, progress: Progress) -> Result:
    """All stages one after the other; the output is claimed."""
    from rewardsmith.files import prepare_output, write_json
    from rewardsmith.files.kinds import DEMO
    from rewardsmith.pipelines.prepare.config import Config as PrepareConfig
    from rewardsmith.pipelines.prepare.pipeline import prepare
    from rewardsmith.pipelines.train.pipeline import train
    from rewardsmith.version import VERSION

    prepare_output(config.output, DEMO, overwrite=config.overwrite)
    write_json(config.output / "demo.json", {"rewardsmith": VERSION, "prompts": config.prompts, "seed": config.seed})
    raw = config.output / "data.jsonl"
    ceiling = write_data(config, raw)
    progress.note(f"wrote {config.prompts} prompts to {raw}; highest accuracy a model can reach: {ceiling:.3f}")
    if config.data_only:
        return Result({"data": str(raw), "ceiling": ceiling}, say(f"wrote {raw}"))
    cleaned = prepare(PrepareConfig(sources=(str(raw),), output=config.output / "clean"), progress)
    for line in cleaned.to_text().splitlines():
        progress.note(line)
    trained = train(training(config), progress)
    example = use(config)
    report = config.output / "run" / "report.html"
    stages = {
        "prepare": cleaned.to_json(),
        "train": trained.to_json(),
        "ceiling": ceiling,
        "example": example,
        "report": str(report),
    }
    lines = [
        say(f"cleaning: {cleaned.rows} rows, {cleaned.removed} removed, {cleaned.quarantined} quarantined"),
        say(trained.to_text()),
        say(
            "highest accuracy a model can reach on this data (computed from the gold reward that generated the "
            f"labels): {ceiling:.3f}"
        ),
        "",
        say("rank() on one prompt of the test split:"),
        f"  {example['prompt']}",
        *(f"  {reward:+.2f}  {text}" for reward, text in example["ranked"]),
        "",
        say(f"report: {report}"),
    ]
    return Result(stages, "\n".join(lines))


def training(config: Config) -> "TrainConfig":
    """The settings of the demo's training run."""
    from rewardsmith.pipelines.train.config import Config as TrainConfig

    return TrainConfig(
        model="tiny",
        dataset=(str(config.output / "clean"),),
        output=config.output / "run",
        n_layer=N_LAYER,
        n_head=N_HEAD,
        n_embd=N_EMBD,
        block_size=BLOCK_SIZE,
        epochs=EPOCHS,
        batch=BATCH,
        lr=LR,
        evals=2,
        seed=config.seed,
    )


def write_data(config: Config, path: Path) -> float:
    """Write the built-in data with some planted faults for the cleaning to find; returns its Bayes ceiling."""
    from rewardsmith.data.formats.native import to_row
    from rewardsmith.data.synthetic.generate import generate
    from rewardsmith.files import write_jsonl

    made = generate(config.prompts, responses_per_prompt=RESPONSES, seed=config.seed, faults=FAULTS)
    rows = (
        {key: value for key, value in to_row(record).items() if key not in ("source", "line")}
        for record in made.records
    )
    write_jsonl(path, rows)
    return made.ceiling


def use(config: Config) -> dict[str, Any]:
    """Rank the responses of one test prompt with the model as it was saved."""
    import orjson

    from rewardsmith.data.formats.native import from_row
    from rewardsmith.model.reward_model import RewardModel

    with (config.output / "clean" / "test.jsonl").open("rb") as file:
        record = from_row(orjson.loads(file.readline()))
    model = RewardModel.load(config.output / "run" / "model")
    texts = [response.text for response in record.responses]
    ranked = model.rank(record.prompt, texts)
    prompt = " ".join(message.content for message in record.prompt)
    return {"prompt": prompt, "ranked": [(reward, texts[index]) for index, reward in ranked]}
