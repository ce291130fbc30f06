"""Does a planted fault govern? Measured on fresh comparisons whose gold reward is known, before any verdict is asked.

A plant that changes nothing that matters is no case for a verdict: it is reported as "did not govern" and not counted. What
a measure demands is in its docstring and was fixed before the runs; `healthy` are the figures of a sound project of the same
seed.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from planted import edits
from planted.project import FRESH_SEED, NOISE, RESPONSES, Project
from rewardsmith.data.formats.native import from_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files.reading import read_object
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.evaluate.evaluation import score_all
from rewardsmith.records import Record

FRESH_PROMPTS = 100
WORSE, MUCH_WORSE = 0.03, 0.05
"""Drops of the gold accuracy (shares) from which a model is worse than a sound one."""
LOSS_RISE = 0.05
FOLLOWED = 0.2
LOST = 0.2
WIDE = 0.1
OVERFIT_GAP = 0.1
Figures = dict[str, Any]
Margins = npt.NDArray[np.float64]


def margins(model: RewardModel, records: Sequence[Record]) -> Margins:
    """Reward differences, preferred minus other, of all decided comparisons."""
    scored = score_all(model, records)
    return differences(scored.rewards, scored.records)


def differences(rewards: Sequence[Margins], records: Sequence[Record]) -> Margins:
    """The same from rewards that are there."""
    return np.array(
        [
            values[c.i] - values[c.j]
            for record, values in zip(records, rewards, strict=True)
            for c in record.comparisons
            if not c.is_tie
        ]
    )


def fresh(seed: int, *, prompts: int = FRESH_PROMPTS, topic: str | None = None, **settings: Any) -> list[Record]:
    """Comparisons that no project has, of one topic if asked for."""
    settings = {"responses_per_prompt": RESPONSES, "noise": NOISE, "language": "mixed", **settings}
    made = generate(prompts, seed=FRESH_SEED + seed, **settings).records
    return [one for one in made if topic in (None, one.fields["topic"])]


def accuracy(margin: Margins) -> float:
    """The share of positive differences; equal rewards count one half."""
    return float((np.sign(margin) + 1).mean() / 2)


def loss_of(margin: Margins) -> float:
    """Mean of -log sigmoid(margin), without overflow."""
    return float(np.logaddexp(0.0, -margin).mean())


def figures(model_folder: Path, seed: int, **settings: Any) -> Figures:
    """Accuracy against the gold order, and accuracy and loss against fresh labels.

    A model that refuses a fifth of them counts as always wrong.
    """
    model = RewardModel.load(model_folder, allow_mismatch=True)
    records = fresh(seed, **settings)
    scored = score_all(model, records)
    if len(scored.records) < (1 - LOST) * len(records):
        return {"gold": 0.0, "accuracy": 0.0, "loss": math.inf, "refused": scored.refused / len(records)}
    places = {id(record): index for index, record in enumerate(records)}
    judged = fresh(seed, **{**settings, "noise": 0.0})  # the same texts, judged without noise
    labelled = differences(scored.rewards, scored.records)
    gold = differences(scored.rewards, [judged[places[id(record)]] for record in scored.records])
    return {"gold": accuracy(gold), "accuracy": accuracy(labelled), "loss": loss_of(labelled)}


def model_of(project: Project) -> Path:
    """The model that the user holds."""
    exported = project.folder / "model"
    return exported if exported.is_dir() else project.folder / "run" / "model"


def reported(project: Project) -> Figures:
    """What the project's own evaluation says."""
    return read_object(project.folder / project.argv[0] / "evaluation.json")


def gold(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The gold accuracy is at least five points below the sound project's."""
    now = figures(model_of(project), project.seed)
    return healthy["gold"] - now["gold"] >= MUCH_WORSE, now


def labels(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The gold accuracy is at least three points below the sound project's."""
    now = figures(model_of(project), project.seed)
    return healthy["gold"] - now["gold"] >= WORSE, now


def loss(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The loss on fresh comparisons is at least 0.05 above the sound project's."""
    now = figures(model_of(project), project.seed)
    return now["loss"] - healthy["loss"] >= LOSS_RISE, now


def rewards(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """Either of the two above."""
    now = figures(model_of(project), project.seed)
    worse = healthy["gold"] - now["gold"] >= WORSE or now["loss"] - healthy["loss"] >= LOSS_RISE
    return worse, now


def follows(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """With the mark on the worse answer it wins in a share of pairs that is 0.2 above that without any mark."""
    model = RewardModel.load(model_of(project), allow_mismatch=True)
    pairs = edits.as_pairs(fresh(project.seed, noise=0.0, prompts=2 * FRESH_PROMPTS), project.seed)
    misled = 1 - accuracy(margins(model, [project.misleading(pair) for pair in pairs]))
    without = 1 - accuracy(margins(model, pairs))
    return misled - without >= FOLLOWED, {"misled": misled, "without": without}


def differs_from_report(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The accuracy that the project reports is at least five points off the one on fresh data like its training data."""
    now = figures(model_of(project), project.seed, **project.facts.get("like", {}))
    said = float(reported(project)["accuracy"])
    return abs(said - now["accuracy"]) >= MUCH_WORSE, {**now, "reported": said}


def overfit(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """Accuracy on the training pairs is at least ten points above that on fresh ones."""
    now = figures(model_of(project), project.seed)
    model = RewardModel.load(model_of(project), allow_mismatch=True)
    rows = [json.loads(line) for line in (project.folder / "data.jsonl").read_text("utf-8").splitlines()]
    known = accuracy(margins(model, [from_row(row) for row in rows]))
    return known - now["accuracy"] >= OVERFIT_GAP, {**now, "on_training": known}


def died(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """There is no finished model."""
    finished = (project.folder / "run" / "model" / "model.safetensors").is_file()
    return not finished, {"finished": finished}


def nan(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The log holds losses that are no numbers."""
    rows = [json.loads(line) for line in (project.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    count = sum(math.isnan(row.get("loss", 0.0)) for row in rows)
    return count > 0, {"not_finite": count}


def replaced(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The data at the place that the run names are other ones, and the model is worse than a sound one by three points."""
    return labels(project, healthy)


def resumed(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The program let the run be resumed; where it refuses, the fault cannot happen."""
    return not project.facts["refused"], dict(project.facts)


def small(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The interval of the reported accuracy is wider than ten points, or rests on fewer than thirty prompts."""
    summary = reported(project)
    low, high = summary.get("accuracy_ci") or (0.0, 1.0)
    few = (summary.get("clusters") or 0) < 30
    return few or not high - low < WIDE, {"width": high - low, "clusters": summary.get("clusters")}


def misled(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """On fresh comparisons of the kind that the fault is about the gold accuracy is 0.2 below that on all others."""
    model = RewardModel.load(model_of(project), allow_mismatch=True)
    records = fresh(project.seed, noise=0.0)
    plain = accuracy(margins(model, records))
    concerned = accuracy(margins(model, [project.misleading(one) for one in records]))
    return plain - concerned >= FOLLOWED, {"plain": plain, "concerned": concerned}


def few(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The test has fewer than thirty prompts in truth, and reports more."""
    true, said = project.facts["prompts"], reported(project).get("clusters") or 0
    return true < 30 <= said, {"prompts": true, "reported": said}


def twice(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """The log holds steps more than once."""
    rows = [json.loads(line) for line in (project.folder / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    return len(set(steps)) < len(steps), {"rows": len(steps), "steps": len(set(steps))}


def lost(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """At least a fifth of the test rows is damaged, tied, or the same text twice."""
    useless = rows = 0
    for line in (project.folder / "test.jsonl").read_bytes().splitlines():
        rows += 1
        try:
            record = from_row(json.loads(line))
        except ValueError:
            useless += 1
            continue
        decided = [c for c in record.comparisons if not c.is_tie]
        useless += not any(record.responses[c.i].text != record.responses[c.j].text for c in decided)
        useless += sum(c.is_tie for c in record.comparisons) > len(record.comparisons) / 2 and bool(decided)
    return useless / rows >= LOST, {"share": useless / rows}


def left_out(project: Project, healthy: Figures) -> tuple[bool, Figures]:
    """At least a fifth of the test records, or of their responses, was refused or cut, as counted by the evaluation."""
    parts = (reported(project).get("left_out") or {}).values()
    most = max((part["count"] / part["of"] for part in parts if part["of"]), default=0.0)
    return most >= LOST, {"share": most}


Measure = Callable[[Project, Figures], tuple[bool, Figures]]
MEASURES: Mapping[str, Measure] = {
    "gold": gold,
    "labels": labels,
    "loss": loss,
    "rewards": rewards,
    "follows": follows,
    "reported": differs_from_report,
    "overfit": overfit,
    "died": died,
    "nan": nan,
    "replaced": replaced,
    "resumed": resumed,
    "small": small,
    "misled": misled,
    "few": few,
    "twice": twice,
    "lost": lost,
    "left_out": left_out,
}
