"""What was found about wrong labels, in plain words; the catalogue has the Chinese."""

from collections.abc import Iterator

from rewardsmith.quality.labels.changes import Mode
from rewardsmith.quality.labels.noise import LabelNoise


def noise_sentence(found: LabelNoise) -> str:
    """One sentence."""
    rate, low, high = (f"{100 * value:.1f}" for value in (found.model.rate, found.interval.low, found.interval.high))
    agreement, sure = f"{100 * found.agreement:.0f}", f"{100 * found.sure_agreement:.0f}"
    if not found.strong:
        return (
            f"the detectors agree with {agreement} % of the labels, and with {sure} % where they are surest: too weak "
            "to tell wrong labels from their own errors; no label is called wrong; give --margins of a better model"
        )
    if not found.model.shown:
        return none_shown(low, high)
    return (
        f"about {rate} % of labels are wrong [{low}, {high}]; {int(found.suspect.sum())} of {len(found.wrong)} training "
        "labels are more probably wrong than right; see label_noise.jsonl"
    )


def none_shown(low: str, high: str) -> str:
    """What the interval of a share leaves open where no wrong labels are shown; nothing where it is a single number."""
    if low == high:
        return "no wrong labels are shown"
    if float(low) == 0:
        return f"no wrong labels are shown: their share may be anything up to {high} %"
    return f"no wrong labels are shown: their share may be anything from {low} to {high} %"


def change_sentences(found: LabelNoise, mode: Mode, *, changed: int, removed: int) -> Iterator[str]:
    """What was done to the training split; nothing where nothing was asked for."""
    if mode == "report":
        return
    if not found.model.shown:
        yield "so all labels stay as they are"
    elif mode == "soften":
        yield f"labels softened to their expectation: {changed:,}"
    elif mode == "flip":
        yield f"labels turned round: {changed:,}"
    else:
        yield f"labels dropped: {changed:,}; rows removed because none was left: {removed:,}"


def learned_labels_sentence(path: str) -> str:
    """What it means that a model was trained on the labels that it judges."""
    return (
        f"{path} agrees with far more labels of train than of the other splits: its model was probably trained on them and "
        "repeats their errors; give rewards of a model that has not seen these labels"
    )
