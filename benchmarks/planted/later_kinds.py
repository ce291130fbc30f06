"""Kinds that were thought of after the first ones had been judged; the verdict was changed before they were made."""

import random
import shutil
from collections.abc import Callable
from dataclasses import replace

from planted import edits
from planted.data_kinds import FORGETTING, shortcut
from planted.model_kinds import finish, tensors_of
from planted.project import Project, as_exported, edit_weights
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.records import Comparison, Message, Record

ANNOTATORS = ("a17", "b02", "c33", "d08")


def annotator_inverted(project: Project, share: float) -> None:
    """One of several annotators read the scale the wrong way round; he judged a share of the rows."""
    data, test = project.draw(400, 200)
    rng = random.Random(project.seed)
    judged = [(one, ANNOTATORS[0] if rng.random() < share else rng.choice(ANNOTATORS[1:])) for one in data]
    named = [with_field(one, "annotator", who) for one, who in judged]
    project.give([edits.flipped(one) if one.fields["annotator"] == ANNOTATORS[0] else one for one in named], test)
    project.train(epochs=2)


def with_field(record: Record, name: str, value: str) -> Record:
    """The record with one field more."""
    return replace(record, fields={**record.fields, name: value})


def source_flipped(project: Project, share: float) -> None:
    """Of two files one has chosen and rejected exchanged."""
    two_sources(project, share, edits.flipped)


def source_constant(project: Project, share: float) -> None:
    """In one of two files the first response is always the preferred one, whatever it says."""
    two_sources(project, share, first_wins)


def two_sources(project: Project, share: float, change: Callable[[Record], Record]) -> None:
    """Two data files, the second with a share of the rows, changed; a test that is right."""
    data, test = project.draw(400, 200)
    cut = round((1 - share) * len(data))
    project.write(data[:cut], "data.jsonl")
    project.write([change(one) for one in data[cut:]], "more.jsonl")
    project.write(test, "test.jsonl")
    project.train(dataset=("data.jsonl", "more.jsonl"), epochs=2)


def first_wins(record: Record) -> Record:
    """Every comparison for the response that stands first."""
    return replace(record, comparisons=tuple(replace(c, i=min(c.i, c.j), j=max(c.i, c.j)) for c in record.comparisons))


def prompt_lost_in_training(project: Project, share: float) -> None:
    """A share of the training rows lost its prompt on export; the test has all."""
    data, test = project.draw(300, 150)
    project.give(edits.some(data, share, lambda one: edits.with_prompt(one, "…"), project.seed), test)
    project.train(**FORGETTING)


def figures_of_another_run(project: Project, rate: float) -> None:
    """Evaluation and rows of a good run were copied beside a model that hardly learned."""
    project.give(*project.draw())
    project.train(lr=rate, max_steps=5)
    good = project.folder.parent / f"{project.folder.name}-good"
    if project.sound is not None:
        shutil.copytree(project.sound / "run", good)
    for name in ("evaluation.json", "comparisons.jsonl"):
        shutil.move(good / name, project.folder / "run" / name)
    shutil.rmtree(good)
    (project.folder / "run" / "manifest.json").unlink()


def few_rows_weigh(project: Project, rows: int) -> None:
    """The column that was taken for the weight is another one: a few rows have nearly all of it."""
    data, test = project.draw(240, 150)
    heavy = set(random.Random(project.seed).sample(range(len(test)), rows))
    project.give(data, [weighted(one, 5_000.0 if k in heavy else 0.01) for k, one in enumerate(test)])
    project.train(epochs=2)


def weighted(record: Record, weight: float) -> Record:
    """The record with that weight on the first of its comparisons, and little on the others."""
    first, *others = record.comparisons or (None,)
    if first is None:
        return record
    lighter: list[Comparison] = [replace(c, weight=0.01) for c in others if c is not None]
    return replace(record, comparisons=(replace(first, weight=weight), *lighter))


def chosen_cut(project: Project, share: float) -> None:
    """The preferred answers were cut off by a limit when they were exported, the others were not."""
    shortcut(project, share, lambda text: text[: max(4, len(text) * 2 // 3)])


def adapter_lost(project: Project, dose: tuple[str, int]) -> None:
    """The head was exported with the weights of the backbone, without the adapter that was trained."""
    way, rank = dose
    project.give(*project.draw(500))
    project.train(epochs=2, lr=1e-2, lora=Lora(r=rank))
    model = project.folder / "run" / "model"
    before = tensors_of(project.folder / "backbone")
    as_exported(model)
    edit_weights(model, lambda tensors: tensors.update({name: before[name] for name in tensors if name in before}))
    finish(project, way)


def other_conversations(project: Project, turns: int) -> None:
    """The test is of long dialogues, the training of single questions."""
    data, test = project.draw(300, 150)
    earlier = [one.prompt[-1].content for one in data]
    project.give(data, [after_talk(one, earlier[k : k + turns]) for k, one in enumerate(test)])
    project.train(epochs=2)


def after_talk(record: Record, questions: list[str]) -> Record:
    """The record behind a dialogue about other things."""
    talk = [turn for text in questions for turn in (Message("user", text), Message("assistant", "ok"))]
    return replace(record, prompt=(*talk, *record.prompt))


def batch_too_large(project: Project, batch: int) -> None:
    """All of the data in one or two updates."""
    project.healthy(batch=batch, epochs=2)
