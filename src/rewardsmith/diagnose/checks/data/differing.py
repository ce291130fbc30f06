"""Whether the judged data is of the kind that was trained on: language, words, lengths, prompts, labels."""

from collections.abc import Iterator, Mapping

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.training.carried_over import beside_validation
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import Finding, Said, joined, percent
from rewardsmith.diagnose.intervals import wilson
from rewardsmith.diagnose.labels.marks import trait_parts
from rewardsmith.diagnose.measured import BesideTraining, DataSide

RARE, MANY = 0.02, 0.2
"""A language is new where less than RARE of the training data, and more than MANY of the judged data, is in it."""

NEW_WORDS, NEW_WORDS_MANY = 0.10, 0.30
"""Share of unknown running words above that of training data itself, from which the test is about something else."""

SAME_PROMPT, FEWEST_PROMPTS = 0.2, 10
"""Share of records with one and the same prompt, among at least so many prompts, from which prompts were lost; under so many
prompts lengths and shapes of two kinds of data are not compared."""

SHAPES_APART, SHAPES_ALL = 0.5, 0.9
"""Total variation distances between the shapes of conversations from which they are of another kind, and from which nearly
all are.
"""

LENGTHS = 2.5
"""Factor between the median lengths of responses."""

TOO_LONG, LOST = "too_long", 0.05
"""Why a record is not trained on that does not fit, and the share of such ones from which training is on shorter texts."""

OVERALL, WITH_MAIN = "overall", ("multi-objective", "gated", "helpful-cost")
"""The attribute of a comparison of the whole, and the heads that learn attributes."""


def test_voided(facts: Facts) -> Finding | None:
    """As `test_differs`, where the difference is so large that whatever else is seen follows from it."""
    found = difference(facts)
    return found if found is not None and found.severity == "critical" else None


def test_differs(facts: Facts) -> Finding | None:
    """The judged data is of another language, about other things, or of another length than the training data."""
    found = difference(facts)
    return found if found is not None and found.severity != "critical" else None


def difference(facts: Facts) -> Finding | None:
    """The finding of both."""
    found = facts.measured.beside
    if found is None:
        return None
    new, unknown = new_languages(found), more_unknown_words(found)
    parts = [
        *language_parts(new),
        *word_parts(found, unknown),
        *(() if long_ones_lost(facts) else length_parts(found)),
        *prompt_parts(found),
        *trait_parts(facts.measured.labels),
        *attribute_parts(facts),
        *beside_validation(facts),
    ]
    if not parts:
        return None
    listed = joined(parts)
    return Finding(
        "test_differs",
        "critical" if voids(found, new, unknown) else "warning",
        Said("the test data is unlike the training data", "测试数据与训练数据不同"),
        Said(f"The test data differs: {listed.en}.", f"测试数据不同：{listed.zh}。"),
        Said(
            "It was collected for another language, topic or use than the model was trained for, or its labels follow "
            "another criterion than those of training.",
            "它来自与训练不同的语言、主题或用途，或其标签遵循与训练不同的标准。",
        ),
        Said(
            "Evaluate on data like that of training, or train on data with texts and labels like those of the test.",
            "在与训练数据相似的数据上评估，或用文本和标签与测试数据相似的数据训练。",
        ),
        {"languages": new, "unknown_words": found.judged.unknown_words, "length_ratio": length_ratio(found)},
        command=commands.evaluate(facts),
    )


def voids(found: BesideTraining, new: dict[str, float], unknown: float) -> bool:
    """Whether the difference is so large that the figures are about something else, or training was."""
    lost = [side.same_prompt for side in (found.judged, found.training) if side.prompts >= FEWEST_PROMPTS]
    return max([*new.values(), *lost, 0.0]) >= 0.5 or unknown >= NEW_WORDS_MANY or turns_lost(found)


def turns_lost(found: BesideTraining) -> bool:
    """Whether nearly all prompts have other turns than those of training, and are shorter or longer by a factor: a system
    turn, or all but the last one, is on one side only.
    """
    judged, trained = found.judged, found.training
    return distance(judged.shapes, trained.shapes) >= SHAPES_ALL and bool(list(prompt_lengths(judged, trained)))


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The total variation distance of two shares; 0 where one is not known."""
    return sum(abs(one.get(n, 0.0) - other.get(n, 0.0)) for n in {*one, *other}) / 2 if one and other else 0.0


def new_languages(found: BesideTraining) -> dict[str, float]:
    """Languages of many judged records in which hardly any training record is, with their shares; of few prompts one in
    another language is none.
    """
    known, prompts = found.training.languages, found.judged.prompts
    return {
        name: share
        for name, share in found.judged.languages.items()
        if share >= MANY and known.get(name, 0.0) < RARE and prompts and wilson(share, prompts).low >= MANY / 2
    }


def language_parts(new: dict[str, float]) -> list[Said]:
    """These languages as a clause."""
    listed = ", ".join(f"{name} {percent(share)}" for name, share in new.items())
    return [Said(f"languages hardly in training: {listed}", f"训练中几乎没有的语言：{listed}")] if new else []


def more_unknown_words(found: BesideTraining) -> float:
    """The share of unknown words of the judged data above that of training data; 0 where it is little, or may be chance, as
    each prompt has words of its own.
    """
    judged, own = found.judged.unknown_words or 0.0, found.training.unknown_words or 0.0
    if judged - own < NEW_WORDS or judged <= 2 * own:
        return 0.0
    shown = found.more_unknown.low >= NEW_WORDS / 2 if found.more_unknown else found.judged.prompts >= FEWEST_PROMPTS
    return judged - own if shown else 0.0


def word_parts(found: BesideTraining, more: float) -> list[Said]:
    """Unknown words as a clause, where they are many more than in training data itself."""
    if not more:
        return []
    judged, own = percent(found.judged.unknown_words or 0.0), percent(found.training.unknown_words or 0.0)
    return [
        Said(
            f"{judged} of its words are unknown to the training data (of other training data {own})",
            f"其中 {judged} 的词不在训练数据中（其他训练数据为 {own}）",
        )
    ]


def prompt_parts(found: BesideTraining) -> list[Said]:
    """Prompts as clauses: lost or all the same on one side, of another length, or conversations of another shape."""
    judged, trained = found.judged, found.training
    parts = [*same_prompts(judged, trained)] or [*prompt_lengths(judged, trained)]
    return [*parts, *shapes(judged, trained)]


def prompt_lengths(judged: DataSide, trained: DataSide) -> Iterator[Said]:
    """Prompts whose lengths differ by a factor."""
    if not judged.prompt_words or not trained.prompt_words or not enough_prompts(judged, trained):
        return
    one, other = judged.prompt_words[1], trained.prompt_words[1]
    if max(one, other) >= LENGTHS * max(1.0, min(one, other)):
        yield Said(
            f"its prompts have a median of {one:.0f} words, those of training {other:.0f}",
            f"其提示词的词数中位数为 {one:.0f}，训练数据为 {other:.0f}",
        )


def shapes(judged: DataSide, trained: DataSide) -> Iterator[Said]:
    """Conversations whose turns are by other roles: the total variation distance between both sides."""
    one, other = judged.shapes, trained.shapes
    if not enough_prompts(judged, trained) or distance(one, other) < SHAPES_APART:
        return
    most = [max(side, key=lambda name: side[name]) or "-" for side in (one, other)]
    yield Said(
        f"its prompts mostly have the turns [{most[0]}], those of training [{most[1]}]",
        f"其提示词的轮次多为 [{most[0]}]，训练数据多为 [{most[1]}]",
    )


def enough_prompts(judged: DataSide, trained: DataSide) -> bool:
    """Whether both sides have so many prompts that their medians do not hang on a few of them."""
    return min(judged.prompts, trained.prompts) >= FEWEST_PROMPTS


def same_prompts(judged: DataSide, trained: DataSide) -> Iterator[Said]:
    """Many records with one and the same prompt, on one side only."""
    if judged.prompts >= FEWEST_PROMPTS and judged.same_prompt >= SAME_PROMPT > 2 * trained.same_prompt:
        share = percent(judged.same_prompt)
        yield Said(f"{share} of it has one and the same prompt", f"其中 {share} 的提示词完全相同")
    if trained.prompts >= FEWEST_PROMPTS and trained.same_prompt >= SAME_PROMPT > 2 * judged.same_prompt:
        share = percent(trained.same_prompt)
        yield Said(f"{share} of the training data has one and the same prompt", f"训练数据中 {share} 的提示词完全相同")


def has_main_attribute(facts: Facts) -> bool:
    """Whether the head follows an attribute of its own where no comparison is of the whole."""
    head = facts.settings.get("head")
    return (head.get("name") if isinstance(head, Mapping) else head) in WITH_MAIN


def attribute_parts(facts: Facts) -> list[Said]:
    """Labels of another attribute than those of training, as a clause."""
    trained, judged = facts.settings.get("attribute"), facts.attribute
    if not trained or not judged or trained == judged or (trained == OVERALL and has_main_attribute(facts)):
        return []
    return [
        Said(
            f"its labels are those of {judged!r}, trained was on {trained!r}",
            f"其标签针对 {judged!r}，训练使用的是 {trained!r}",
        )
    ]


def long_ones_lost(facts: Facts) -> bool:
    """Whether the texts that training could not take for their length are so many that those it took are shorter for it."""
    account = facts.left_out.get("training data")
    unused = account.tallies.get("unused") if account else None
    return account is not None and unused is not None and account.reason_count("unused", TOO_LONG) > LOST * unused.of


def length_ratio(found: BesideTraining) -> float:
    """The median length of judged responses over that of training responses; 1 where one is not known."""
    judged, own = found.judged.words, found.training.words
    return judged[1] / own[1] if judged and own and own[1] else 1.0


def length_parts(found: BesideTraining) -> list[Said]:
    """Lengths as a clause, where they differ by a factor."""
    if 1 / LENGTHS < length_ratio(found) < LENGTHS or not enough_prompts(found.judged, found.training):
        return []
    judged, own = f"{found.judged.words[1]:.0f}", f"{found.training.words[1]:.0f}"
    return [
        Said(
            f"its responses have a median of {judged} words, those of training {own}",
            f"其回复的词数中位数为 {judged}，训练数据为 {own}",
        )
    ]
