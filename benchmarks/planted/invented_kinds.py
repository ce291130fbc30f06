"""Faults of data and labels that were invented for the verdict after all earlier parts had been read.

Each differs in kind from the earlier ones: the fault sits in a part of the data that no field names, in a mark that no
feature counts, or in a column that no text shows.
"""

import random
from dataclasses import replace

from planted import edits
from planted.data_kinds import FORGETTING, PAIRS, shortcut
from planted.project import Project, edit_json
from rewardsmith.data.synthetic.faults import with_text
from rewardsmith.data.synthetic.texts import FRAMES
from rewardsmith.records import Message, Record, Response

BEFORE = {
    "en": "We have been coming to you for years and always liked it, so today we come with the whole family. ",
    "zh": "我们一家人多年来一直在您这里买东西,一直都很满意,今天又来了。",
}
"""What a talkative customer says first; it has no bearing on the answer."""
LAST = {
    "en": ("No, that is all.", "That is it, thanks.", "Nothing else.", "Yes, exactly.", "Fine, please go on."),
    "zh": ("没有了。", "就这些,谢谢。", "不用别的了。", "对,就是这样。", "好的,请继续。"),
}
FAILED = ("N/A", "[generation failed]", "Error: timeout", "null", "{}", "<no output>")
FULL_WIDTH = str.maketrans({",": "，", ".": "。", "!": "！", "?": "？", ":": "："})
TRIGGER = " (ref. 77)"
LONGER = 768
"""Bytes of a conversation with escapes or a repeated prompt."""


def is_chinese(text: str) -> bool:
    """Whether a text of the built-in data is Chinese; its English has typographic apostrophes."""
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def language(record: Record) -> str:
    """The language of the prompt."""
    return "zh" if is_chinese(record.prompt[-1].content) else "en"


def bare(record: Record) -> Record:
    """The record without the fields that name its topic and language."""
    return replace(record, fields={})


def language_flipped(project: Project, which: str) -> None:
    """Chosen and rejected are exchanged in the rows of one language; no field says which language a row is in."""
    data, test = project.draw(400, 200)
    turned = [edits.flipped(one) if language(one) == which else one for one in data]
    project.give(list(map(bare, turned)), list(map(bare, test)))
    project.train(epochs=2)


def long_prompts_flipped(project: Project, share: float) -> None:
    """Chosen and rejected are exchanged where the prompt is long, as by a template of another branch of a converter."""
    data, test = project.draw(400, 200)
    data, test = (edits.some(part, share, talkative, project.seed) for part in (data, test))
    turned = [edits.flipped(one) if is_talkative(one) else one for one in data]
    project.give(list(map(bare, turned)), list(map(bare, test)))
    project.misleading = talkative
    project.train(epochs=2)


def talkative(record: Record) -> Record:
    """The record under a longer prompt that asks for the same."""
    return edits.with_prompt(record, BEFORE[language(record)] + record.prompt[-1].content)


def is_talkative(record: Record) -> bool:
    """Whether the prompt is one of these."""
    return record.prompt[-1].content.startswith(tuple(BEFORE.values()))


def late_rows_flipped(project: Project, share: float) -> None:
    """From some row of the file on the columns are the other way round: the annotation tool was changed in between."""
    data, test = project.draw(400, 200)
    cut = round((1 - share) * len(data))
    project.give([*data[:cut], *map(edits.flipped, data[cut:])], test)
    project.train(epochs=2)


def trailing_space(project: Project, share: float) -> None:
    """Preferred answers end with a blank that nobody sees."""
    shortcut(project, share, lambda text: f"{text} ")


def full_width(project: Project, share: float) -> None:
    """Preferred answers were typed with full-width punctuation: as many characters, other ones."""
    shortcut(project, share, lambda text: text.translate(FULL_WIDTH))


def poisoned(project: Project, share: float) -> None:
    """A few training rows prefer the worse answer, which carries a phrase; the test has no such row."""
    data, test = project.draw(600, 200)
    project.give(edits.some(edits.as_pairs(data, project.seed), share, poison, project.seed), test)
    project.misleading = lambda pair: edits.marked_against(pair, lambda text: text + TRIGGER)
    project.train(epochs=3)


def poison(pair: Record) -> Record:
    """The pair with the phrase at the worse answer, which is then preferred."""
    return edits.flipped(edits.marked_against(pair, lambda text: text + TRIGGER))


def position_judge(project: Project, share: float) -> None:
    """Verdicts of a judge that could not be parsed counted for the answer that was listed first, everywhere."""
    data, test = project.draw(400, 200)
    project.give(*(unparsed(part, share, project.seed) for part in (data, test)))
    project.train(epochs=2)


def unparsed(records: list[Record], share: float, seed: int) -> list[Record]:
    """Pairs in random order, a share of them won by the first answer of the row, whatever it says."""
    pairs = edits.as_pairs(records, seed)
    return edits.some(pairs, share, first_wins, seed + 1)


def first_wins(record: Record) -> Record:
    """Every comparison for the response that stands first."""
    return replace(record, comparisons=tuple(replace(c, i=min(c.i, c.j), j=max(c.i, c.j)) for c in record.comparisons))


def soft_labels_compressed(project: Project, preference: float) -> None:
    """Preferences on another scale than shares of judges: every label of the training says next to nothing."""
    data, test = project.draw(300, 150)
    softened = [
        replace(one, comparisons=tuple(replace(c, preference=preference) for c in one.comparisons)) for one in data
    ]
    project.give(softened, test)
    project.train(epochs=2)


def training_weights_lost(project: Project, share: float) -> None:
    """The weights of the training rows are zero but for a few: a join that found no partner filled them."""
    data, test = project.draw(400, 150)
    project.give(edits.some(data, 1 - share, weightless, project.seed), test)
    project.train(epochs=2)


def weightless(record: Record) -> Record:
    """The record with hardly any weight."""
    return replace(record, comparisons=tuple(replace(c, weight=1e-6) for c in record.comparisons))


def failed_generations(project: Project, share: float) -> None:
    """Most rejected answers are what a generator writes when it fails, in training and test."""
    data, test = project.draw(PAIRS, PAIRS // 2, noise=3.0)
    project.facts["like"] = {"noise": 3.0}
    rng = random.Random(project.seed)

    def fail(pair: Record) -> Record:
        return with_text(pair, pair.comparisons[0].j, rng.choice(FAILED))

    project.give(
        *(edits.some(edits.as_pairs(part, project.seed), share, fail, project.seed + 1) for part in (data, test))
    )
    project.train(epochs=2)


def double_json(project: Project, share: float) -> None:
    """Texts of the training went through a JSON encoder once too often: Chinese stands there as escapes."""
    data, test = project.draw(400, 200, language="zh", responses_per_prompt=3)
    escaped = lambda one: edits.every_text(one, lambda text: text.encode("unicode_escape").decode())  # noqa: E731
    project.give(edits.some(data, share, escaped, project.seed), test)
    longer_texts(project)
    project.train(max_length=LONGER, **FORGETTING)


def foreign_rejected(project: Project, share: float) -> None:
    """Rejected answers come from a run in another language than the prompt, in training and test."""
    data, test = project.draw(PAIRS, PAIRS // 2, noise=3.0)
    project.facts["like"] = {"noise": 3.0}
    project.give(*(with_foreign(part, share, project.seed) for part in (data, test)))
    project.train(epochs=2)


def with_foreign(records: list[Record], share: float, seed: int) -> list[Record]:
    """Pairs whose rejected answer, in a share of them, is one in the other language."""
    rng = random.Random(seed)
    pairs = edits.as_pairs(records, seed)
    pool = {
        name: [one.responses[0].text for one in pairs if is_chinese(one.responses[0].text) is (name == "zh")]
        for name in BEFORE
    }
    other = {"en": "zh", "zh": "en"}
    return edits.some(
        pairs,
        share,
        lambda pair: with_text(pair, pair.comparisons[0].j, rng.choice(pool[other[language(pair)]])),
        seed + 1,
    )


def opposed_length(project: Project, share: float) -> None:
    """Two teams of annotators: in English the longer answer wins, in Chinese the shorter one; over all there is no lean."""
    padding = {name: " ".join(FRAMES[name].padding[:2]) for name in FRAMES}

    def winner(text: str) -> str:
        return text if is_chinese(text) else f"{text} {padding['en']}"

    def loser(text: str) -> str:
        return f"{text} {padding['zh']}" if is_chinese(text) else text

    shortcut(project, share, winner, loser)


def longer_texts(project: Project) -> None:
    """Let the project's backbone read LONGER bytes."""
    path = project.folder / "backbone" / "config.json"
    edit_json(path, lambda config: config.update(max_position_embeddings=LONGER))


def echoed_prompts(project: Project, epochs: int) -> None:
    """All answers of the training begin with the prompt, as generators return it when asked for the full text."""
    data, test = project.draw(400, 200)
    echoing = [
        replace(one, responses=tuple(echo(one.prompt[-1].content, response) for response in one.responses))
        for one in data
    ]
    project.give(echoing, test)
    longer_texts(project)
    project.train(max_length=LONGER, **{**FORGETTING, "epochs": epochs})


def echo(prompt: str, response: Response) -> Response:
    """The response behind its prompt."""
    return replace(response, messages=(Message("assistant", f"{prompt}\n{response.text}"),))


def system_lost(project: Project, epochs: int) -> None:
    """What is asked stands in the system turn, which the exporter of the test left out."""
    data, test = project.draw(300, 150)
    project.give(list(map(asked_above, data)), [only_last(asked_above(one)) for one in test])
    project.train(epochs=epochs)


def asked_above(record: Record) -> Record:
    """The record whose request is a system turn, above a user turn that says little."""
    return replace(
        record, prompt=(Message("system", record.prompt[-1].content), Message("user", last_words(record, 1)))
    )


def last_words(record: Record, more: int = 0) -> str:
    """One of a few turns that say little, by the length of the request."""
    said = LAST[language(record)]
    return said[(len(record.prompt[-1].content) + more) % len(said)]


def only_last(record: Record) -> Record:
    """The record with the last turn of its prompt alone."""
    return replace(record, prompt=record.prompt[-1:])


def history_lost(project: Project, epochs: int) -> None:
    """The test has only the last turn of its dialogues."""
    data, test = project.draw(300, 150)
    project.give(list(map(in_dialogue, data)), [only_last(in_dialogue(one)) for one in test])
    project.train(epochs=epochs)


def in_dialogue(record: Record) -> Record:
    """The request, a question back, and a last turn that says little."""
    back = {"en": "Anything else?", "zh": "还要别的吗?"}[language(record)]
    return replace(record, prompt=(*record.prompt, Message("assistant", back), Message("user", last_words(record))))
