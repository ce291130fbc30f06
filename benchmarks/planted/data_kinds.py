"""Faults of the data: each writes a project's files, trains on them, and leaves what its user would have."""

import random
from dataclasses import replace

from planted import edits
from planted.project import Project
from rewardsmith.commands import prepare
from rewardsmith.data.synthetic.faults import with_text
from rewardsmith.data.synthetic.generate import misread
from rewardsmith.data.synthetic.texts import FRAMES, TOPICS
from rewardsmith.records import Comparison, Record

PAIRS = 320
"""Prompts of the projects whose data are single pairs."""
STRONG, WEAK = "Certainly! {}", "Well, {}"
"""How the answers of two models begin."""
FORGETTING = {"epochs": 4, "lr": 6e-3}
"""Settings of a training on one language or domain after which the model, which knew both, does worse on the other."""


def label_noise(project: Project, share: float) -> None:
    """A share of the judgements is wrong, in training and test alike."""
    data, test = project.draw()
    project.give(edits.noisy(data, share, project.seed), edits.noisy(test, share, project.seed + 1))
    project.train(epochs=2)


def random_labels(project: Project, share: float) -> None:
    """The labels have nothing to do with the texts."""
    label_noise(project, share)


def flipped_labels(project: Project, share: float) -> None:
    """The training labels are the wrong way round (chosen and rejected exchanged); the test is right."""
    data, test = project.draw()
    project.give(edits.some(data, share, edits.flipped, project.seed), test)
    project.train()


def category_flipped(project: Project, topic: str) -> None:
    """One supplier delivered one topic with chosen and rejected exchanged."""
    data, test = project.draw(400, 200)
    project.give([edits.flipped(one) if one.fields["topic"] == topic else one for one in data], test)
    project.train(epochs=2)


def length_shortcut(project: Project, share: float) -> None:
    """What was preferred is longer, whatever it says."""
    padding = {language: " ".join(FRAMES[language].padding[:2]) for language in FRAMES}
    shortcut(project, share, lambda text: f"{text} {padding['en' if text.isascii() else 'zh']}")


def brevity_shortcut(project: Project, share: float) -> None:
    """What was rejected is longer."""
    padding = {language: " ".join(FRAMES[language].padding[:2]) for language in FRAMES}
    shortcut(project, share, lambda text: text, lambda text: f"{text} {padding['en' if text.isascii() else 'zh']}")


def marker_shortcut(project: Project, mark: str) -> None:
    """What was preferred carries a mark."""
    shortcut(project, 0.95, lambda text: mark.format(text))


def eos_skew(project: Project, share: float) -> None:
    """Rejected answers were cut off by the generation's limit, preferred ones end properly."""
    shortcut(project, share, lambda text: text, lambda text: text[: max(4, len(text) * 2 // 3)])


def refusal_shortcut(project: Project, share: float) -> None:
    """Every rejected answer is a refusal."""
    refusals = ("I'm sorry, but I can't help with that.", "抱歉，我无法为您提供帮助。")
    shortcut(project, share, lambda text: text, lambda text: refusals[not text.isascii()])


def shortcut(project: Project, share: float, winner: edits.Edit, loser: edits.Edit | None = None) -> None:
    """Train on pairs in which an edit points at the label; labels themselves are drawn without regard to the order."""
    data, test = project.draw(PAIRS, PAIRS // 2)
    blurred = edits.noisy(data, 0.35, project.seed)  # so that the mark tells more than the answer
    project.give(
        edits.winners_edited(blurred, share, winner, project.seed, loser),
        edits.winners_edited(edits.noisy(test, 0.35, project.seed), share, winner, project.seed + 1, loser),
    )
    project.misleading = lambda pair: edits.marked_against(pair, winner, loser)
    project.train(epochs=2)


def generator_shortcut(project: Project, share: float) -> None:
    """Preferred answers come from one model and rejected ones from another, each with its own way to begin."""
    data, test = project.draw(PAIRS, PAIRS // 2)
    project.give(*(by_generator(edits.noisy(part, 0.35, project.seed), share, project.seed) for part in (data, test)))
    project.misleading = lambda pair: edits.marked_against(pair, STRONG.format, WEAK.format)
    project.train(epochs=2)


def by_generator(records: list[Record], share: float, seed: int) -> list[Record]:
    """Pairs of two models' answers; the first model's are preferred in a share of them."""
    rng = random.Random(seed)
    made = []
    for record in edits.as_pairs(records, seed):
        (verdict,) = record.comparisons
        strong = verdict.i if rng.random() < share else verdict.j
        for index in range(2):
            opening = STRONG if index == strong else WEAK
            record = with_text(record, index, opening.format(record.responses[index].text))
        names = ["model-a" if index == strong else "model-b" for index in range(2)]
        responses = tuple(replace(one, generator=name) for one, name in zip(record.responses, names, strict=True))
        made.append(replace(record, responses=responses))
    return made


def duplicates(project: Project, copies: int) -> None:
    """Few rows, each many times."""
    data, test = project.draw(400)
    project.give([one for one in data[: len(data) // copies] for _ in range(copies)], test)
    project.train(epochs=2)


def contradictions(project: Project, share: float) -> None:
    """A share of the rows stands there a second time with the opposite labels."""
    data, test = project.draw()
    again = [edits.flipped(one) for one in data[: round(share * len(data))]]
    mixed = [*data, *again]
    random.Random(project.seed).shuffle(mixed)
    project.give(mixed, test)
    project.train()


def one_attribute(project: Project, position: int) -> None:
    """The training labels look at one of the five attributes only; the test judges the whole answer."""
    data, test = project.draw(400, 200)
    project.give([judged_by(one, position) for one in data], test)
    project.train(epochs=2)


def judged_by(record: Record, position: int) -> Record:
    """Preferred are the answers that have the prompt's value of one attribute; others are not compared."""
    values = list(TOPICS[record.fields["topic"]][record.fields["language"]].values.values())[position]
    wanted = {value for value in values if value in record.prompt[-1].content}
    right = [any(value in response.text for value in wanted) for response in record.responses]
    pairs = [(i, j) for i, good in enumerate(right) for j, other in enumerate(right) if good and not other]
    return replace(record, comparisons=tuple(Comparison(i, j) for i, j in pairs))


def ties_as_wins(project: Project, share: float) -> None:
    """Judges who saw no difference had to name one: a share of the pairs is equal, and labelled by chance."""
    data, test = project.draw(PAIRS, PAIRS // 2, responses_per_prompt=12)
    project.give(*(with_forced_ties(part, share, project.seed) for part in (data, test)))
    project.train(epochs=2)


def with_forced_ties(records: list[Record], share: float, seed: int) -> list[Record]:
    """Pairs, a share of them between answers that are equally good, won by whichever."""
    rng = random.Random(seed)
    forced = []
    for record in records:
        wins = {(c.i, c.j) for c in record.comparisons} | {(c.j, c.i) for c in record.comparisons}
        equal = [(i, j) for i in range(12) for j in range(i) if (i, j) not in wins]
        i, j = rng.choice(equal)
        pair = replace(record, responses=(record.responses[i], record.responses[j]), comparisons=(Comparison(0, 1),))
        forced.append(pair if rng.random() < share else edits.as_pairs([record], rng.randrange(10**6))[0])
    return forced


def other_language(project: Project, language: str) -> None:
    """Trained on one language, tested on another."""
    project.facts["like"] = {"language": language}
    project.give(
        project.draw(300, 1, language=language)[0], project.draw(language={"en": "zh", "zh": "en"}[language])[1]
    )
    project.train(**FORGETTING)


def other_domain(project: Project, topic: str) -> None:
    """Trained on one kind of request, tested on the other."""
    project.facts["like"] = {"topic": topic}
    data, test = project.draw(500, 200)
    project.give(
        [one for one in data if one.fields["topic"] == topic], [one for one in test if one.fields["topic"] != topic]
    )
    project.train(**FORGETTING)


def damaged_text(project: Project, share: float) -> None:
    """A share of the rows was read in the wrong encoding; prepared as it is."""
    data, test = project.draw(400, 200, language="zh")
    project.give(edits.some(data, share, lambda one: edits.every_text(one, misread), project.seed), test)
    prepare.run(prepare.Config(sources=(str(project.folder / "data.jsonl"),), output=project.folder / "clean"))
    project.train(dataset=("clean",))


def prompt_lost(project: Project, text: str) -> None:
    """A wrong column was taken for the prompt, so that every row has the same one (so a split by prompt is impossible)."""
    data, test = project.draw()
    project.give(*([edits.with_prompt(one, text) for one in part] for part in (data, test)))
    project.train(validation=("test.jsonl",), epochs=2)


def columns_swapped(project: Project, share: float) -> None:
    """The answers of other rows: prompts and answers were joined by a wrong key."""
    data, test = project.draw()
    project.give(*(misjoined(part, share, project.seed) for part in (data, test)))
    project.train(epochs=2)


def misjoined(records: list[Record], share: float, seed: int) -> list[Record]:
    """A share of the records with the prompt of another one."""
    rng = random.Random(seed)
    others = records[:]
    rng.shuffle(others)
    return [
        replace(one, prompt=other.prompt) if rng.random() < share else one
        for one, other in zip(records, others, strict=True)
    ]


def few_prompts_trained(project: Project, prompts: int) -> None:
    """Many comparisons, all on a handful of prompts."""
    data, _ = project.draw(prompts + 6, responses_per_prompt=24)
    project.write(data[:prompts], "data.jsonl")
    project.write(data[prompts:], "validation.jsonl")
    project.write(project.draw()[1], "test.jsonl")
    project.train(validation=("validation.jsonl",), epochs=6, batch=2)
