"""What was found about wrong labels, in plain words; the catalogue has the Chinese."""

from collections.abc import Iterator

from rewardsmith.quality.labels.changes import Mode
from rewardsmith.quality.labels.noise import LabelNoise, NoiseModel


def noise_sentence(found: LabelNoise) -> str:
    """One sentence."""
    rate, low, high = (f"{100 * value:.1f}" for value in (found.model.rate, found.interval.low, found.interval.high))
    agreement, sure = f"{100 * found.agreement:.0f}", f"{100 * found.sure_agreement:.0f}"
    if not found.strong:
        return (
            f"the detectors agree with {agreement} % of the labels, and with {sure} % of those on which they are most "
            f"confident; they are too weak to distinguish wrong labels (at most {high} %) from their own errors, so no "
            "label is marked as wrong; pass --margins of a better model"
        )
    if not found.model.shown:
        return none_shown(low, high)
    return (
        f"about {rate} % of labels are wrong [{low}, {high}]; {int(found.suspect.sum())} of {len(found.wrong)} "
        "training labels are more likely wrong than right; see label_noise.jsonl"
    )


def none_shown(low: str, high: str) -> str:
    """What the interval of a share leaves open where no wrong labels are shown; nothing where it is a single number."""
    if low == high:
        return "no wrong labels are shown"
    if float(low) == 0:
        return f"no evidence of wrong labels: their share is at most {high} %"
    return f"no evidence of wrong labels: their share is between {low} and {high} %"


def prior_sentence(model: NoiseModel) -> str:
    """On what the probabilities rest where wrong labels are not shown."""
    return (
        f"P(wrong) in label_noise.jsonl assumes that {100 * model.belief.expected_rate:.0f} % of labels are wrong, the "
        "usual share where the data do not determine it; use it to choose which labels to review, not as evidence that "
        "they are wrong"
    )


def probability_sentence(model: NoiseModel, wrong: float) -> str:
    """How probably a label is wrong, and on what that rests."""
    if model.shown:
        return f"the label is wrong with probability {wrong:.2f}"
    share = f"{100 * model.belief.expected_rate:.0f}"
    return (
        f"no evidence of wrong labels; if {share} % were wrong, this label would be wrong with probability {wrong:.2f}"
    )


def change_sentences(found: LabelNoise, mode: Mode, *, changed: int, removed: int) -> Iterator[str]:
    """What was done to the training split; nothing where nothing was asked for."""
    if mode == "report":
        return
    if not found.model.shown:
        yield "so all labels are unchanged"
    elif mode == "soften":
        yield f"labels replaced by their expected value: {changed:,}"
    elif mode == "flip":
        yield f"labels flipped: {changed:,}"
    else:
        yield f"labels dropped: {changed:,}; rows removed because they had no label left: {removed:,}"


def learned_labels_sentence(path: str) -> str:
    """What it means that a model was trained on the labels that it judges."""
    return (
        f"{path} agrees with far more labels of the train split than of the other splits: its model was probably "
        "trained on them and repeats their errors; pass rewards of a model that was not trained on these labels"
    )
