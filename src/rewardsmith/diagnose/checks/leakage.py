"""Whether the figures are about data that the model had not seen, and about data like that of its training."""

from collections.abc import Iterator, Mapping

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.checks.training.carried_over import beside_validation
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import NOTHING, Finding, Said, Severity, joined, percent, span
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import BesideTraining, DataSide, Figures

SEEN_KINDS = ("same_pair", "same_prompt", "near_prompt")

SEEN, SEEN_MANY = 0.01, 0.05
"""Shares of judged comparisons that were trained on, from which it is a warning, and from which the figures are void."""

SEEN_FEW, SEEN_NEAR = 0.02, 0.05
"""Shares of judged comparisons whose prompt was trained on, exactly, and exactly or nearly, from which it is a warning:
templates make some prompts alike by chance."""

SEEN_PROMPTS = 0.2
"""Share of judged comparisons whose prompt, with other responses, was trained on, from which the figures are void."""

RARE, MANY = 0.02, 0.2
"""A language is new where less than RARE of the training data, and more than MANY of the judged data, is in it."""

NEW_WORDS, NEW_WORDS_MANY = 0.10, 0.30
"""Share of unknown running words above that of training data itself, from which the test is about something else."""

SAME_PROMPT, FEWEST_PROMPTS = 0.2, 10
"""Share of records with one and the same prompt, among at least so many prompts, from which prompts were lost."""

SHAPES_APART = 0.5
"""Total variation distance between the shapes of conversations from which they are of another kind."""

ALSO_VALIDATION = 0.2
"""Share of judged records that are in the validation data too."""

LENGTHS = 2.5
"""Factor between the median lengths of responses."""

OVERALL, WITH_MAIN = "overall", ("multi-objective", "gated", "helpful-cost")
"""The attribute of a comparison of the whole, and the heads that learn attributes."""


def measured_on_training_data(facts: Facts) -> Finding | None:
    """The judged split is the training split."""
    if facts.split != "train":
        return None
    return Finding(
        "measured_on_training_data",
        "critical",
        Said("evaluated on the training data", "在训练数据上评估"),
        Said("The evaluated split is `train`.", "评估所用的划分是 `train`。"),
        Said("A model can memorise its training pairs.", "模型可能记住了训练数据。"),
        Said("Evaluate on data that was not used in training.", "在未用于训练的数据上评估。"),
        command=commands.evaluate(facts),
    )


def validation_only(facts: Facts) -> Finding | None:
    """The judged split is the one by which the checkpoint was chosen."""
    if facts.split != "validation" or facts.accuracy is None:
        return None
    return Finding(
        "validation_only",
        "info",
        Said("evaluated on the validation split, not on the test split", "在验证集而非测试集上评估"),
        Said("The evaluated split is `validation`.", "评估所用的划分是 `validation`。"),
        Said(
            "The checkpoint, early stopping and the temperature are chosen on this split, so its results are slightly "
            "too optimistic.",
            "检查点、早停和温度都依据该划分选定，因此结果略为乐观。",
        ),
        Said("Evaluate on a test split.", "在测试集上评估。"),
        command=commands.evaluate(facts),
    )


def overlap(facts: Facts) -> Finding | None:
    """Judged comparisons whose texts or prompts were trained on, exactly or nearly: none, few, or too many."""
    found = facts.measured.beside
    total = sum(found.overlap.values()) if found else 0
    if found is None or not total:
        return None
    pairs, prompts, near = (found.overlap.get(kind, 0) / total for kind in SEEN_KINDS)
    near_only, all_ = pairs < SEEN and pairs + prompts < SEEN_FEW, pairs + prompts + near
    if near_only and all_ < SEEN_NEAR:
        return few_seen(found, total)
    on_new = figures_on_new(found.new)
    examples = "; ".join(found.examples[:3])
    return Finding(
        "near_test_in_training" if near_only else "test_in_training",
        overlap_severity(pairs, all_),
        Said("nearly the same prompts are in the training data", "训练数据中有几乎相同的提示词")
        if near_only
        else Said("test data is in the training data", "测试数据出现在训练数据中"),
        Said(
            f"Of {total:,} judged comparisons, {percent(pairs)} are training comparisons, {percent(prompts)} have a "
            "training "
            f"prompt with other responses, {percent(near)} a nearly equal one (for example {examples}).{on_new.en}",
            f"{total:,} 个被评估的比较中，{percent(pairs)} 就是训练中的比较，{percent(prompts)} "
            "的提示词与训练相同但回复不同，"
            f"{percent(near)} 的提示词几乎相同（例如 {examples}）。{on_new.zh}",
        ),
        Said(
            "The test file was taken from the same rows, or prompts occur in the source several times.",
            "测试文件取自相同的行，或来源中同一提示词多次出现。",
        ),
        Said(
            "Split by prompt (near duplicates together), and evaluate on the new test split.",
            "按提示词划分（近似重复放在同一侧），并在新的测试集上评估。",
        ),
        {"same_pair": pairs, "same_prompt": prompts, "near_prompt": near, "n": total},
        command=commands.prepare(facts, "--split-by", "near-prompt"),
    )


def overlap_severity(pairs: float, seen: float) -> Severity:
    """By the shares of judged comparisons that were trained on, and whose prompt was, exactly or nearly."""
    return "critical" if pairs >= SEEN_MANY or seen >= SEEN_PROMPTS else "warning"


def figures_on_new(new: Figures | None) -> Said:
    """The accuracy on the comparisons that were not trained on, as a sentence; "" where there are none."""
    if new is None:
        return Said("", "")
    told = f"{new.n:,}", f"{percent(new.accuracy)}{within(new.accuracy_interval)}"
    return Said(
        f" On the {told[0]} new ones the accuracy is {told[1]}.", f"在 {told[0]} 个新的比较上准确率为 {told[1]}。"
    )


def within(interval: Interval95 | None) -> str:
    """An interval in brackets; "" for none."""
    return "" if interval is None else f" ({span(interval.low, interval.high)})"


def few_seen(found: BesideTraining, total: int) -> Finding:
    """No judged comparison with a prompt that was trained on, or so few that the figures hardly depend on them."""
    pairs, prompts, near = (found.overlap.get(kind, 0) for kind in SEEN_KINDS)
    if not pairs + prompts + near:
        return no_overlap(total)
    seen, on_new = pairs + prompts + near, figures_on_new(found.new)
    examples = "; ".join(found.examples[:3])
    such = Said(f" (for example {examples})", f"（例如 {examples}）") if examples else NOTHING
    return Finding(
        "few_test_in_training",
        "info",
        Said("a small part of the test data is in the training data", "少量测试数据出现在训练数据中"),
        Said(
            f"{seen:,} of {total:,} judged comparisons ({percent(seen / total)}) have a prompt that is in the training "
            f"data: {pairs:,} with the same responses, {prompts:,} with other responses, {near:,} nearly the same"
            f"{such.en}.{on_new.en}",
            f"{total:,} 个被评估的比较中，有 {seen:,} 个（{percent(seen / total)}）的提示词出现在训练数据中：{pairs:,} "
            f"个的回复也相同，{prompts:,} 个的回复不同，{near:,} 个的提示词几乎相同{such.zh}。{on_new.zh}",
        ),
        numbers={"same_pair": pairs, "same_prompt": prompts, "near_prompt": near, "seen": seen, "n": total},
    )


def no_overlap(total: int) -> Finding:
    """Looked for and not found."""
    return Finding(
        "overlap_excluded",
        "good",
        Said("the test data is not in the training data", "测试数据不在训练数据中"),
        Said(
            f"None of {total:,} judged comparisons has a prompt that is, exactly or nearly, in the training data.",
            f"{total:,} 个被评估的比较中，没有一个的提示词（完全或近似）出现在训练数据中。",
        ),
        numbers={"seen": 0, "n": total},
        status="excluded",
    )


def test_differs(facts: Facts) -> Finding | None:
    """The judged data is of another language, about other things, or of another length than the training data."""
    found = facts.measured.beside
    if found is None:
        return None
    new, unknown = new_languages(found), more_unknown_words(found)
    parts = [
        *language_parts(new),
        *word_parts(found),
        *length_parts(found),
        *prompt_parts(found),
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
    return max([*new.values(), *lost, 0.0]) >= 0.5 or unknown >= NEW_WORDS_MANY


def new_languages(found: BesideTraining) -> dict[str, float]:
    """Languages of many judged records in which hardly any training record is, with their shares."""
    known = found.training.languages
    return {n: share for n, share in found.judged.languages.items() if share >= MANY and known.get(n, 0.0) < RARE}


def language_parts(new: dict[str, float]) -> list[Said]:
    """These languages as a clause."""
    listed = ", ".join(f"{name} {percent(share)}" for name, share in new.items())
    return [Said(f"languages hardly in training: {listed}", f"训练中几乎没有的语言：{listed}")] if new else []


def more_unknown_words(found: BesideTraining) -> float:
    """The share of unknown words of the judged data above that of training data."""
    return (found.judged.unknown_words or 0.0) - (found.training.unknown_words or 0.0)


def word_parts(found: BesideTraining) -> list[Said]:
    """Unknown words as a clause, where they are many more than in training data itself."""
    judged, own = found.judged.unknown_words or 0.0, found.training.unknown_words or 0.0
    if judged - own < NEW_WORDS or judged <= 2 * own:
        return []
    return [
        Said(
            f"{percent(judged)} of its words are unknown to the training data (of other training data {percent(own)})",
            f"其中 {percent(judged)} 的词不在训练数据中（其他训练数据为 {percent(own)}）",
        )
    ]


def prompt_parts(found: BesideTraining) -> list[Said]:
    """Prompts as clauses: lost or all the same on one side, of another length, or conversations of another shape."""
    judged, trained = found.judged, found.training
    parts = [*same_prompts(judged, trained)] or [*prompt_lengths(judged, trained)]
    return [*parts, *shapes(judged, trained)]


def prompt_lengths(judged: DataSide, trained: DataSide) -> Iterator[Said]:
    """Prompts whose lengths differ by a factor."""
    if not judged.prompt_words or not trained.prompt_words:
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
    if not one or not other or sum(abs(one.get(n, 0.0) - other.get(n, 0.0)) for n in {*one, *other}) / 2 < SHAPES_APART:
        return
    most = [max(side, key=lambda name: side[name]) or "-" for side in (one, other)]
    yield Said(
        f"its prompts mostly have the turns [{most[0]}], those of training [{most[1]}]",
        f"其提示词的轮次多为 [{most[0]}]，训练数据多为 [{most[1]}]",
    )


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


def test_is_validation(facts: Facts) -> Finding | None:
    """What is judged on also chose the checkpoint and fitted the temperature."""
    seen = facts.measured.validation_in_test
    if seen < ALSO_VALIDATION:
        return None
    return Finding(
        "test_is_validation",
        "warning",
        Said("the test data is also the validation data", "测试数据同时也是验证数据"),
        Said(
            f"{percent(seen)} of the judged records have a prompt that is in the validation data.",
            f"{percent(seen)} 的被评估记录的提示词出现在验证数据中。",
        ),
        Said(
            "The checkpoint, early stopping and the temperature were chosen on these records, so the figures are too good.",
            "检查点、早停和温度都是在这些记录上选定的，因此结果过于乐观。",
        ),
        Said("Evaluate on other held-out data.", "在其他留出数据上评估。"),
        {"share": seen},
        command=commands.evaluate(facts),
    )


def length_ratio(found: BesideTraining) -> float:
    """The median length of judged responses over that of training responses; 1 where one is not known."""
    judged, own = found.judged.words, found.training.words
    return judged[1] / own[1] if judged and own and own[1] else 1.0


def length_parts(found: BesideTraining) -> list[Said]:
    """Lengths as a clause, where they differ by a factor."""
    if 1 / LENGTHS < length_ratio(found) < LENGTHS:
        return []
    judged, own = f"{found.judged.words[1]:.0f}", f"{found.training.words[1]:.0f}"
    return [
        Said(
            f"its responses have a median of {judged} words, those of training {own}",
            f"其回复的词数中位数为 {judged}，训练数据为 {own}",
        )
    ]
