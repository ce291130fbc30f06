"""Whether the figures are about data that the model had not seen."""

from dataclasses import dataclass

from rewardsmith.diagnose import commands
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.finding import NOTHING, Finding, Said, Severity, percent, span
from rewardsmith.diagnose.intervals import Interval95
from rewardsmith.diagnose.measured import BesideTraining, Figures

SEEN_KINDS = ("same_pair", "near_pair", "same_prompt", "near_prompt")

SEEN, SEEN_MANY = 0.01, 0.05
"""Shares of judged comparisons that were trained on, from which it is a warning, and from which the figures are void."""

SEEN_FEW, SEEN_NEAR = 0.02, 0.05
"""Shares of judged comparisons whose prompt was trained on, exactly, and exactly or nearly, from which it is said: templates
make some prompts alike by chance."""

SEEN_PROMPTS = 0.2
"""Share of judged comparisons whose prompt, with other responses, was trained on, from which the figures are void."""

ALSO_VALIDATION = 0.2
"""Share of judged records that are in the validation data too."""


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


@dataclass(frozen=True, slots=True)
class SeenShares:
    """Shares of `total` judged comparisons: trained on themselves, nearly so (`twins`), with a training prompt and other
    responses, with a prompt that is nearly one and other responses.
    """

    total: int
    pairs: float
    twins: float
    prompts: float
    near: float

    @property
    def known(self) -> float:
        """Those that the model may know the answer of, or of whose prompt it knows other answers."""
        return self.pairs + self.twins + self.prompts

    @property
    def nearly_only(self) -> bool:
        """Whether hardly any is known word by word."""
        return self.pairs < SEEN and self.pairs + self.prompts < SEEN_FEW

    @property
    def severity(self) -> Severity:
        """By the shares of judged comparisons that were trained on, and whose prompt was, exactly or nearly."""
        return "critical" if self.pairs >= SEEN_MANY or self.known >= SEEN_PROMPTS else "warning"


def seen_in(found: BesideTraining | None) -> SeenShares | None:
    """The shares; None where nothing was compared. An evaluation that does not tell whether the responses to nearly the same
    prompts are the same too may hide the same comparisons there.
    """
    total = sum(found.overlap.values()) if found else 0
    if found is None or not total:
        return None
    pairs, twins, prompts, near = (found.overlap.get(kind, 0) / total for kind in SEEN_KINDS)
    if "near_pair" not in found.overlap:
        twins, near = near, 0.0
    return SeenShares(total, pairs, twins, prompts, near)


def overlap(facts: Facts) -> Finding | None:
    """Judged comparisons whose texts or prompts were trained on, exactly or nearly: none, few, or too many."""
    found = facts.measured.beside
    seen = seen_in(found)
    if found is None or seen is None:
        return None
    if not seen.nearly_only or seen.known >= SEEN_NEAR:
        return trained_on(facts, found, seen)
    return few_seen(found, seen.total) if seen.known + seen.near < SEEN_NEAR else related(facts, found, seen)


def trained_on(facts: Facts, found: BesideTraining, seen: SeenShares) -> Finding:
    """Too many judged comparisons, or their prompts, were trained on."""
    on_new, examples = figures_on_new(found.new), "; ".join(found.examples[:3])
    pairs, prompts, near = percent(seen.pairs), percent(seen.prompts), percent(seen.twins + seen.near)
    return Finding(
        "near_test_in_training" if seen.nearly_only else "test_in_training",
        seen.severity,
        Said("nearly the same prompts are in the training data", "训练数据中有几乎相同的提示词")
        if seen.nearly_only
        else Said("test data is in the training data", "测试数据出现在训练数据中"),
        Said(
            f"Of {seen.total:,} judged comparisons, {pairs} are training comparisons, {prompts} have a training "
            f"prompt with other responses, {near} a nearly equal one (for example {examples}).{on_new.en}",
            f"{seen.total:,} 个被评估的比较中，{pairs} 就是训练中的比较，{prompts} 的提示词与训练相同但回复不同，"
            f"{near} 的提示词几乎相同（例如 {examples}）。{on_new.zh}",
        ),
        Said(
            "The test file was taken from the same rows, or prompts occur in the source several times.",
            "测试文件取自相同的行，或来源中同一提示词多次出现。",
        ),
        Said(
            "Split by prompt (near duplicates together), and evaluate on the new test split.",
            "按提示词划分（近似重复放在同一侧），并在新的测试集上评估。",
        ),
        {"same_pair": seen.pairs, "same_prompt": seen.prompts, "near_prompt": seen.twins + seen.near, "n": seen.total},
        command=commands.prepare(facts, "--split-by", "near-prompt"),
    )


def related(facts: Facts, found: BesideTraining, seen: SeenShares) -> Finding:
    """Many judged prompts are nearly training prompts, with other responses: true of the data, no comparison is known."""
    on_new, examples = figures_on_new(found.new), "; ".join(found.examples[:3])
    return Finding(
        "related_test",
        "info",
        Said("the test has prompts like those of training", "测试集中有与训练相似的提示词"),
        Said(
            f"{percent(seen.near)} of {seen.total:,} judged comparisons have a prompt that is nearly a training prompt, "
            f"with other responses (for example {examples}).{on_new.en}",
            f"{seen.total:,} 个被评估的比较中，{percent(seen.near)} 的提示词与训练中的几乎相同，但回复不同"
            f"（例如 {examples}）。{on_new.zh}",
        ),
        Said(
            "Prompts were made from templates, or ask the same in several ways. The comparisons themselves were not trained "
            "on; how well the model ranks responses to unlike prompts is not shown.",
            "提示词由模板生成，或以多种方式询问同一内容。这些比较本身没有用于训练；但模型对不相似提示词的排序能力未得到证明。",
        ),
        Said(
            "For figures on unlike prompts, split with near duplicates together.",
            "如需在不相似提示词上的结果，划分时将近似重复放在同一侧。",
        ),
        {"near_prompt": seen.near, "n": seen.total},
        command=commands.prepare(facts, "--split-by", "near-prompt"),
    )


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
    pairs, twins, prompts, like = (found.overlap.get(kind, 0) for kind in SEEN_KINDS)
    near = twins + like
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
