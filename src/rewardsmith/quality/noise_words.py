"""What was found about wrong labels, in plain words; the catalogue has the Chinese."""

from rewardsmith.quality.label_noise import LabelNoise


def label_noise_told(found: LabelNoise) -> str:
    """One sentence."""
    rate, low, high = (f"{100 * value:.1f}" for value in (found.model.rate, found.interval.low, found.interval.high))
    agreement, sure = f"{100 * found.agreement:.0f}", f"{100 * found.sure_agreement:.0f}"
    if not found.strong:
        return (
            f"the detectors agree with {agreement} % of the labels, and with {sure} % where they are surest: too weak "
            "to tell wrong labels from their own errors; no label is called wrong; give --margins of a better model"
        )
    if not found.model.shown:
        return f"no wrong labels are shown: their share may be anything from {low} to {high} %"
    return (
        f"about {rate} % of labels are wrong [{low}, {high}]; {int(found.suspect.sum())} of {len(found.wrong)} training "
        "labels are more probably wrong than right; see label_noise.jsonl"
    )
