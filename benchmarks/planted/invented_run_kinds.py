"""Faults of training, evaluation and model folder that were invented after all earlier parts had been read."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from planted import edits
from planted.evaluation_kinds import NOISY, SMALL
from planted.invented_kinds import language
from planted.model_kinds import finish
from planted.project import Project, as_exported
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.pipelines.evaluate import evaluation as evaluating
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.records import Record

OTHER_PROMPTS = 90_000
"""Added to a project's seed for prompts that its data do not have."""
GREETINGS = {
    "en": ("Good morning!", "Hello there.", "Hi, excuse me,", "Dear team,", "Hey you,"),
    "zh": ("早上好!", "你们好。", "打扰一下,", "亲爱的店员,", "嗨,"),
}
CLOSINGS = {
    "en": ("Many thanks!", "See you soon.", "Cheers.", "Thank you so much.", "Best wishes."),
    "zh": ("多谢!", "一会儿见。", "祝好。", "非常感谢。", "辛苦了。"),
}


def warmup_whole_run(project: Project, warmup: float) -> None:
    """The learning rate rises until the last step: the run ends before it began in earnest."""
    project.healthy(warmup=warmup, lr=2e-4)


def clip_tiny(project: Project, clip: float) -> None:
    """Gradients are clipped to so small a norm that the optimizer's epsilon swallows them."""
    project.healthy(clip=clip, epochs=2)


def smoothing_extreme(project: Project, smoothing: float) -> None:
    """Labels are smoothed so much that equal rewards are nearly the best answer."""
    project.healthy(loss=LossSettings(name="label-smoothing", smoothing=smoothing), epochs=2)


def margin_in_points(project: Project, points: float) -> None:
    """The margins of the data are percentage points of votes, the loss reads them as differences of rewards."""
    data, test = project.draw(300, 150)
    margins = [replace(one, comparisons=tuple(replace(c, margin=points) for c in one.comparisons)) for one in data]
    project.give(margins, test)
    project.train(epochs=2, loss=LossSettings(name="margin"))


def validation_from_training(project: Project, epochs: int) -> None:
    """The validation rows are training rows, so that the best checkpoint is the one that knows them by heart."""
    data, test = project.draw(110, 150)
    pairs = edits.as_pairs(data, project.seed)
    project.give(pairs, test)
    project.write(pairs[::2], "validation.jsonl")
    project.train(validation=("validation.jsonl",), epochs=epochs, evals=1)


def same_prompts_tested(project: Project, epochs: int) -> None:
    """The test asks other answers of the very prompts that were trained on."""
    data, other = project.draw(SMALL, 60, noise=NOISY, responses_per_prompt=8)
    project.facts["like"] = {"noise": NOISY}
    project.give(*([part_of(one, range(k, k + 4)) for one in data] for k in (0, 4)))
    project.write(other, "validation.jsonl")
    project.train(validation=("validation.jsonl",), epochs=epochs, evals=1)


def part_of(record: Record, kept: range) -> Record:
    """The record with some of its responses, and the comparisons between them."""
    comparisons = tuple(
        replace(c, i=c.i - kept.start, j=c.j - kept.start) for c in record.comparisons if c.i in kept and c.j in kept
    )
    return replace(record, responses=tuple(record.responses[k] for k in kept), comparisons=comparisons)


def test_easy(project: Project, responses: int) -> None:
    """The test compares the best with the worst of many answers; in training, and in use, the answers are closer."""
    data, _ = project.draw(300, 1, noise=NOISY)
    others = generate(200, seed=project.seed + OTHER_PROMPTS, responses_per_prompt=responses, noise=0.25).records
    project.facts["like"] = {"noise": NOISY}
    project.give(data, list(map(best_and_worst, others)))
    project.train(epochs=2)


def best_and_worst(record: Record) -> Record:
    """The pair of the response that won most with the one that won least, in an order that says nothing."""
    wins = np.bincount([c.i for c in record.comparisons], minlength=len(record.responses))
    best, worst = int(wins.argmax()), int(wins.argmin())
    sides = (best, worst) if len(record.prompt[-1].content) % 2 else (worst, best)
    kept = replace(record.comparisons[0], i=sides.index(best), j=sides.index(worst))
    return replace(record, responses=tuple(record.responses[k] for k in sides), comparisons=(kept,))


def test_paraphrased(project: Project, prompts: int) -> None:
    """A few test prompts, each typed anew in two dozen ways, with the same answers: n counts what is not there."""
    data, test = project.draw(test_prompts=prompts)
    project.give(data, [version for one in edits.as_pairs(test, project.seed) for version in in_other_words(one)])
    project.facts["prompts"] = prompts
    project.train()


def in_other_words(record: Record) -> Iterator[Record]:
    """The record under prompts that ask for the same with another greeting and another ending."""
    name, text = language(record), record.prompt[-1].content
    for before in GREETINGS[name]:
        for after in CLOSINGS[name]:
            yield edits.with_prompt(record, f"{before} {text} {after}")


def metrics_concatenated(project: Project, rate: float) -> None:
    """The log of an earlier run stands in front of that of the run."""
    project.give(*project.draw())
    project.train(lr=rate, output=project.folder / "earlier")
    project.train(epochs=2)
    path, earlier = (project.folder / name / "metrics.jsonl" for name in ("run", "earlier"))
    path.write_bytes(earlier.read_bytes() + path.read_bytes())
    shutil.rmtree(project.folder / "earlier")
    (project.folder / "run" / "manifest.json").unlink()


@contextlib.contextmanager
def scored_as(change: Any) -> Iterator[None]:
    """Evaluations inside see the rewards through `change`, as a program's that scores otherwise."""
    right = evaluating.score_all

    def wrong(*given: Any, **more: Any) -> Any:
        scored = right(*given, **more)
        return replace(scored, rewards=[change(values, scored.rewards) for values in scored.rewards])

    with mock.patch.object(evaluating, "score_all", wrong):
        yield


def spread(rewards: Any) -> float:
    """The standard deviation of all rewards."""
    return float(np.concatenate(list(rewards)).std())


def evaluation_noisy(project: Project, size: float) -> None:
    """The evaluation was made with dropout on: each reward carries noise, and a second evaluation gives other ones."""
    project.healthy(epochs=2)
    rng = np.random.default_rng(project.seed)
    with scored_as(lambda values, all_: values + size * spread(all_) * rng.standard_normal(len(values))):
        project.evaluate("run", "test.jsonl")
    project.argv = ["eval"]


def rewards_clipped(project: Project, size: float) -> None:
    """The evaluation saw the rewards through a clip that is meant for a trainer: most are at one of its ends."""
    project.healthy(epochs=2)

    def clip(values: Any, all_: Any) -> Any:
        middle, reach = float(np.median(np.concatenate(list(all_)))), size * spread(all_)
        return np.clip(values, middle - reach, middle + reach)

    with scored_as(clip):
        project.evaluate("run", "test.jsonl")
    project.argv = ["eval"]


def pooling_lost(project: Project, way: str) -> None:
    """The head read the mean over the response; the exported folder says nothing of it, and the last token is read."""
    project.give(*project.draw(400))
    project.train(epochs=2, pooling=("mean",))
    as_exported(project.folder / "run" / "model")
    finish(project, way)
