"""Faults of the evaluation: the model is what it is, the figure says something else."""

import random
from dataclasses import replace

from planted import edits
from planted.project import Project
from rewardsmith.data.synthetic.faults import with_text
from rewardsmith.files import write_bytes
from rewardsmith.records import Record

SMALL, MANY, NOISY = 60, 25, 2.0
"""Prompts, epochs and noise of a training that knows its labels by heart, so that a test on them says nothing."""


def test_inverted(project: Project, share: float) -> None:
    """The labels of the test are the wrong way round."""
    data, test = project.draw()
    project.give(data, edits.some(test, share, edits.flipped, project.seed))
    project.train()


def test_noisy(project: Project, share: float) -> None:
    """The labels of the test are partly wrong, those of the training are right."""
    data, test = project.draw()
    project.give(data, edits.noisy(test, share, project.seed))
    project.train(epochs=2)


def learned_by_heart(project: Project) -> tuple[list[Record], list[Record]]:
    """Training data that are read so often that their labels, noise included, are known."""
    data, test = project.draw(SMALL, 60, noise=NOISY)
    project.facts["like"] = {"noise": NOISY}
    project.write(data, "data.jsonl")
    return data, test


def exact_leak(project: Project, share: float) -> None:
    """Test rows are training rows."""
    data, test = learned_by_heart(project)
    taken = round(share * SMALL)
    project.write([*data[:taken], *test[: SMALL - taken]], "test.jsonl")
    project.write(test, "validation.jsonl")
    project.train(epochs=MANY, evals=1, validation=("validation.jsonl",))


def near_leak(project: Project, share: float) -> None:
    """Test rows are training rows whose prompt was typed anew."""
    data, test = learned_by_heart(project)
    taken = round(share * SMALL)
    project.write([*(edits.retyped(one) for one in data[:taken]), *test[: SMALL - taken]], "test.jsonl")
    project.write(test, "validation.jsonl")
    project.train(epochs=MANY, evals=1, validation=("validation.jsonl",))


def training_file_evaluated(project: Project, epochs: int) -> None:
    """The file that the model was trained on is evaluated."""
    _, test = learned_by_heart(project)
    project.write(test, "test.jsonl")
    project.train(epochs=epochs, evals=1)
    project.evaluate("run", "data.jsonl")
    project.argv = ["eval"]


def benchmark_contaminated(project: Project, share: float) -> None:
    """A published test stands among the training rows; it is evaluated afterwards."""
    data, test = learned_by_heart(project)
    taken = round(share * len(test))
    mixed = [*data, *test[:taken]]
    random.Random(project.seed).shuffle(mixed)
    project.give(mixed, test)
    project.train(epochs=MANY, evals=1, test=())
    project.evaluate("run", "test.jsonl")
    project.argv = ["eval"]


def test_too_small(project: Project, prompts: int) -> None:
    """A handful of test prompts."""
    data, test = project.draw(test_prompts=prompts)
    project.give(data, edits.as_pairs(test, project.seed))
    project.train()


def test_of_one_prompt(project: Project, prompts: int) -> None:
    """Hundreds of comparisons, all of the same few prompts."""
    data, _ = project.draw()
    _, test = project.draw(test_prompts=prompts, responses_per_prompt=20)
    project.give(data, test)
    project.train()


def rows_lost(project: Project, share: float) -> None:
    """A share of the test rows cannot be read, and they are the hard ones."""
    data, test = project.draw(test_prompts=200)
    test = edits.as_pairs(test, project.seed)
    project.give(data, test)
    path = project.folder / "test.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for index in random.Random(project.seed).sample(range(len(lines)), round(share * len(lines))):
        lines[index] = lines[index][: len(lines[index]) // 2] + b"\n"
    write_bytes(path, b"".join(lines))
    project.train()


def responses_cut(project: Project, length: int) -> None:
    """The limit in tokens is so short that a good part of the conversations does not fit, in training and test."""
    project.healthy(max_length=length)


def label_ties(project: Project, share: float) -> None:
    """Most test judgements are ties."""
    data, test = project.draw(test_prompts=200)
    rng = random.Random(project.seed)
    tied = [
        replace(
            one,
            comparisons=tuple(replace(c, preference=0.5) if rng.random() < share else c for c in one.comparisons),
        )
        for one in test
    ]
    project.give(data, tied)
    project.train()


def identical_answers(project: Project, share: float) -> None:
    """Both answers of a share of the test pairs are the same text."""
    data, test = project.draw(test_prompts=200)
    pairs = edits.as_pairs(test, project.seed)
    project.give(data, edits.some(pairs, share, lambda one: with_text(one, 1, one.responses[0].text), project.seed))
    project.train()


def category_failed(project: Project, topic: str) -> None:
    """One topic of the test was labelled the wrong way round."""
    data, test = project.draw(test_prompts=240)
    project.give(data, [edits.flipped(one) if one.fields["topic"] == topic else one for one in test])
    project.train()


def fell_out_with_prompt(project: Project, share: float) -> None:
    """A share of the test rows lost its prompt on export."""
    data, test = project.draw()
    project.give(data, edits.some(test, share, lambda one: edits.with_prompt(one, "…"), project.seed))
    project.train()
