"""What each part of ODIN does to two linear heads, on features in which quality and length are both there to be read.

    python benchmarks/odin_heads.py --features FOLDER [-o benchmarks/results/odin_heads.json] [--seeds 3]

A tiny model learns the gold reward of the built-in data with the meaningless sentence at random (two CPU minutes; kept in
FOLDER). Its features, and beside them the length of the response, standardised and times 5, are what the heads read: a model
that sees length easily. The heads then learn from data in which the sentence stands on the best response of four prompts in
five, and are tested where it stands on one at random (as in `odin.py`). One arm takes seconds, so weights, ways to take the
correlation and steps can be compared. `no shortcut` learns from the sentence at random, and shows what the features hold.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import rewardsmith as rs
from odin import BOUND, CALIBRATED, MATCHED, NEAR, PADDED, PLAIN, at_random, rows_of
from rewardsmith.data.formats.native import to_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.corrections.fitting import FitChoices, ScoredPairs, fit_calibration
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.calibrate.pairs import pairs_of
from rewardsmith.records import Record
from rewardsmith.train.examples import Example, encode_examples
from rewardsmith.train.labels import labels_of
from rewardsmith.train.losses.bradley_terry import bradley_terry
from rewardsmith.train.losses.loss import Annotations, difference_of
from rewardsmith.train.losses.odin import given_the_label, odin, pearson

RESULT = Path(__file__).parent / "results" / "odin_heads.json"
PROMPTS, TAUGHT, EPOCHS, LR, STEP = 600, 3000, 5, 1e-2, 8
LENGTH_SCALE = 5.0
Measure = Callable[[Tensor, Annotations], Tensor]


def within_prompts(column: Tensor, labels: Annotations) -> Tensor:
    """The correlation with length after the mean of each prompt is taken off both."""
    count = torch.bincount(labels.record).to(column)

    def centred(values: Tensor) -> Tensor:
        total = values.new_zeros(len(count)).index_add(0, labels.record, values)
        return values - (total / count.clamp(min=1))[labels.record]

    return pearson(centred(column), centred(labels.length.to(column)))


def variant(outputs: Tensor, labels: Annotations, *, measure: Measure, weight: float, given: bool) -> Tensor:
    """ODIN with another correlation; with `given`, Bradley-Terry takes the reward of length as it is."""
    quality, length = outputs[:, 0], outputs[:, 1]
    ranked = quality + (length.detach() if given else length)
    ranking = bradley_terry(difference_of(ranked, labels), labels.preference)
    return ranking + weight * (measure(quality, labels).abs() - measure(length, labels)) + outputs[0, 2].abs()


def one_head(outputs: Tensor, labels: Annotations, *, measure: Measure, weight: float) -> Tensor:
    """Bradley-Terry on the quality alone, and the penalty: no head takes length on."""
    ranking = bradley_terry(difference_of(outputs[:, 0], labels), labels.preference)
    return ranking + weight * measure(outputs[:, 0], labels).abs()


def plain(outputs: Tensor, labels: Annotations) -> Tensor:
    """Bradley-Terry."""
    return bradley_terry(difference_of(outputs[:, 0], labels), labels.preference)


def equally_long(outputs: Tensor, labels: Annotations) -> Tensor:
    """Bradley-Terry on the comparisons whose sides are about equally long."""
    sides = torch.stack([labels.length[labels.preferred], labels.length[labels.other]]).to(outputs)
    near = ((sides[0] - sides[1]).abs() <= NEAR * sides.max(dim=0).values).to(outputs)
    return near * plain(outputs, labels) * len(near) / near.sum().clamp(min=1)


ARMS: dict[str, tuple[Callable[..., Tensor], int]] = {
    PLAIN: (plain, STEP),
    BOUND: (plain, STEP),
    MATCHED: (equally_long, STEP),
    "odin": (odin, STEP),
    "odin, weight of length 4": (partial(odin, length_weight=4.0), STEP),
    "odin, weight of length 16": (partial(odin, length_weight=16.0), STEP),
    "odin, no orthogonality": (partial(odin, orthogonal_weight=0.0), STEP),
    "odin, 32 prompts a step": (odin, 4 * STEP),
    "odin within prompts": (partial(variant, measure=within_prompts, weight=1.0, given=False), STEP),
    "odin within prompts, l given": (partial(variant, measure=within_prompts, weight=1.0, given=True), STEP),
    "odin of all responses, l given": (
        partial(
            variant, measure=lambda column, labels: pearson(column, labels.length.to(column)), weight=1.0, given=True
        ),
        STEP,
    ),
    "odin given the label, l not given": (partial(variant, measure=given_the_label, weight=1.0, given=False), STEP),
    "odin, given the label": (partial(odin, given_label=1), STEP),
    "odin, given the label, weight 4": (partial(odin, given_label=1, length_weight=4.0), STEP),
    "one head, penalty given the label": (partial(one_head, measure=given_the_label, weight=1.0), STEP),
    "one head, penalty within prompts": (partial(one_head, measure=within_prompts, weight=1.0), STEP),
}


@dataclass(frozen=True, eq=False)
class Known:
    """Records, their examples, and per example the features (K, F) of its responses."""

    records: list[Record]
    examples: list[Example]
    features: list[Tensor]


def teacher(folder: Path) -> RewardModel:
    """The model whose features are read, trained unless it is there."""
    easy: dict[str, Any] = {"responses_per_prompt": 6, "language": "en", "noise": 0.0}
    if not (folder / "run" / "model").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        for name, count, seed in (("train", TAUGHT, 50), ("validation", 100, 51)):
            write_jsonl(folder / f"{name}.jsonl", map(to_row, at_random(count, seed, easy)))
        rs.train(
            "tiny", str(folder / "train.jsonl"), folder / "run", validation=str(folder / "validation.jsonl"), lr=2e-3,
            epochs=4, batch=8, evals=4, report=False, threads=1, seed=0,
        )  # fmt: skip
    return RewardModel.load(folder / "run", device="cpu")


def known(model: RewardModel, records: list[Record]) -> Known:
    """The features of some records, before they are scaled."""
    examples = encode_examples(records, model.encoder, share=True).examples
    found: list[Tensor] = []
    with torch.no_grad():
        for begin in range(0, len(examples), 32):
            chosen = examples[begin : begin + 32]
            states = model.network.features(model.network.collate([e.tree for e in chosen])).float()
            length = labels_of(chosen, states.device, "comparison").length.float()[:, None]
            found += torch.cat([states, length], dim=1).split([e.responses for e in chosen])
    return Known(records, list(examples), found)


def scaled(some: Known, like: Known) -> Known:
    """Features standardised as those of `like`, the length times `LENGTH_SCALE`."""
    all_of = torch.cat(like.features)
    spread = all_of.std(0) + 1e-6
    spread[-1] /= LENGTH_SCALE
    return Known(some.records, some.examples, [(each - all_of.mean(0)) / spread for each in some.features])


@cache
def steps_of(data: Known, step: int, seed: int) -> list[tuple[Tensor, Annotations]]:
    """Features and labels of every step of a run, in the order of that seed."""
    draw, steps = np.random.default_rng(seed), []
    for _ in range(EPOCHS):
        order = draw.permutation(len(data.examples))
        for begin in range(0, len(order) - step + 1, step):
            chosen = order[begin : begin + step]
            labels = labels_of([data.examples[k] for k in chosen], torch.device("cpu"), "comparison")
            steps.append((torch.cat([data.features[k] for k in chosen]), labels))
    return steps


def learned(data: Known, loss: Callable[..., Tensor], step: int, seed: int) -> Tensor:
    """The head of quality after `EPOCHS`."""
    width, steps = data.features[0].shape[1], steps_of(data, step, seed)
    heads = torch.randn(2, width, generator=torch.Generator().manual_seed(seed)) * 0.1 / width**0.5
    optimizer = torch.optim.AdamW([heads.requires_grad_()], lr=LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(steps))
    for features, labels in steps:
        rewards = features @ heads.T
        alike = F.cosine_similarity(heads[:1], heads[1:], dim=1).expand(len(rewards))
        values = loss(torch.cat([rewards, alike[:, None]], dim=1), labels)
        optimizer.zero_grad()
        ((labels.unit_weight * values).sum() / labels.unit_weight.sum()).backward()
        optimizer.step()
        schedule.step()
    return heads.detach()[0]


def paired(data: Known, head: Tensor, *, after: Any = None) -> np.ndarray:
    """Margins of every comparison, of calibrated rewards where a calibration is given."""
    pairs = scored(data, head)
    return pairs.margin(pairs.reward if after is None else after.rewards(pairs.reward, pairs.length))


def scored(data: Known, head: Tensor) -> ScoredPairs:
    """All responses and comparisons with the rewards of a head."""
    lengths = {id(r): each[:, -1].double().numpy() for r, each in zip(data.records, data.features, strict=True)}
    rewards = [(each @ head).double().numpy() for each in data.features]
    return pairs_of(data.records, rewards, lambda record: lengths[id(record)])


def runs_of(sets: dict[str, Known], arms: Iterable[str], seeds: int) -> Iterator[dict[str, list[np.ndarray]]]:
    """Margins on the test by arm and seed, again after each arm; Bradley-Terry is the first."""
    seen: dict[str, list[np.ndarray]] = {}
    for name in dict.fromkeys([PLAIN, *arms]):
        loss, step = ARMS[name]
        for seed in range(seeds):
            head = learned(sets["fair" if name == BOUND else "train"], loss, step, seed)
            seen.setdefault(name, []).append(paired(sets["test"], head))
            if name == PLAIN:
                fitted = fit_calibration(scored(sets["validation"], head), FitChoices(("length",), smoother="lowess"))
                seen.setdefault(CALIBRATED, []).append(paired(sets["test"], head, after=fitted))
        print(name, [float((margin > 0).mean()) for margin in seen[name]], flush=True)
        yield seen


def drawn(model: RewardModel, responses: int) -> dict[str, Known]:
    """All data, with the features scaled as in training."""
    easy: dict[str, Any] = {"responses_per_prompt": responses, "language": "en", "noise": 0.0}
    shortcut = {**easy, "faults": {"length_shortcut": PADDED}}
    records = {
        "train": generate(PROMPTS, seed=900, **shortcut).records,
        "validation": generate(200, seed=901, **shortcut).records,
        "fair": at_random(PROMPTS, 900, easy),
        "test": at_random(400, 1_000, easy),
    }
    raw = {name: known(model, some) for name, some in records.items()}
    return {name: scaled(some, raw["train"]) for name, some in raw.items()}


def main() -> None:
    """Every arm with pairs and with rankings of six."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--responses", type=int, nargs="+", default=[6, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model, tables = teacher(given.features), {}
    for responses in given.responses:
        sets = drawn(model, responses)
        for seen in runs_of(sets, given.arms, given.seeds):
            tables[str(responses)] = rows_of(seen, sets["test"].records)
            write_json(given.output, {"prompts": PROMPTS, "epochs": EPOCHS, "lr": LR, "by_responses": tables})


if __name__ == "__main__":
    main()
