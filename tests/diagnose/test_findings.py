"""Each finding: a run where it fires, and a neighbour where it does not."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from rewardsmith.diagnose.checks import (
    calibration,
    leakage,
    learning,
    performance,
    rewards,
    shortcuts,
    slices,
)
from rewardsmith.diagnose.checks.data import quality
from rewardsmith.diagnose.checks.training import curves
from rewardsmith.diagnose.compared import Compared
from rewardsmith.diagnose.facts import (
    CHANCE_LOSS,
    BaselineFacts,
    CeilingFacts,
    CurvePoint,
    DataFacts,
    DataFinding,
    Facts,
    GroupFacts,
    ReliabilityFacts,
)
from rewardsmith.diagnose.intervals import Interval95


def train(*losses, **more):
    return tuple(CurvePoint(step, loss=loss, **more) for step, loss in enumerate(losses, start=1))


def compared(margins, lengths):
    margins = np.array(margins, dtype=float)
    ones = np.ones_like(margins)
    return Compared(margins, ones, margins, 0 * ones, np.array(lengths, dtype=float))


def by_length(shorter_right, longer_right, n=100):
    right = [1.0] * shorter_right + [-1.0] * (n - shorter_right) + [1.0] * longer_right + [-1.0] * (n - longer_right)
    return Facts(compared=compared(right, [-5] * n + [5] * n))


def flat_curve(n=100, wobble=0.01):
    return [0.6 + wobble * (-1) ** step for step in range(n)]


SPIKED = [*flat_curve()[:60], 2.6, *flat_curve()[61:]]
JUMPED = (*train(*flat_curve()[:60], grad_norm=1.0), CurvePoint(61, loss=0.6, grad_norm=30.0))

CASES = [
    (rewards.not_finite, Facts(curve=train(0.7, math.nan)), "not_finite", Facts(curve=train(0.7, 0.6))),
    (
        rewards.not_finite,
        Facts(curve=train(0.7, grad_norm=math.inf)),
        "not_finite",
        Facts(curve=train(0.7, grad_norm=9.0)),
    ),
    (rewards.not_finite, Facts(passes=train(math.nan)), "not_finite", Facts(passes=train(0.7))),
    (
        rewards.not_finite,
        Facts(compared=compared([math.nan, 1], [0, 0])),
        "not_finite",
        Facts(compared=compared([0, 1], [0, 0])),
    ),
    (rewards.constant_rewards, Facts(tie_rate=0.5, n=10), "constant_rewards", Facts(tie_rate=0.49, n=10)),
    (
        rewards.constant_rewards,
        Facts(reward_std=1e-7),
        "constant_rewards",
        Facts(reward_std=1e-7, accuracy=0.857, n=300),
    ),
    (learning.train_loss_above_chance, Facts(train_loss=0.9122), "train_loss_above_chance", Facts(train_loss=0.69)),
    (
        curves.overfit,
        Facts(passes=train(0.6, 0.55, 0.58)),
        "overfit",
        Facts(passes=train(0.6, 0.55, 0.56)),
    ),
    (curves.underfit, Facts(passes=train(0.6, 0.58, 0.56)), "underfit", Facts(passes=train(0.6, 0.561, 0.56))),
    (curves.unstable, Facts(curve=train(*SPIKED)), "unstable", Facts(curve=train(*flat_curve()))),
    (curves.unstable, Facts(curve=JUMPED), "unstable", Facts(curve=JUMPED[:-1])),
    (performance.no_accuracy, Facts(train_loss=0.5), "no_accuracy", Facts(accuracy=0.6)),
    (performance.sample_size, Facts(accuracy=0.7), "no_sample_size", Facts(accuracy=0.7, n=1000)),
    # Half width 1.96 * sqrt(0.21 / n): 0.0638 at n = 200, 0.0449 at n = 400.
    # 0.4 of the way from 0.5 to 0.8 is 0.62.
    (performance.weak_signal, Facts(accuracy=0.61, n=900), "weak_signal", Facts(accuracy=0.6201, n=900)),
    (performance.weak_signal, Facts(accuracy=0.61, n=900), "weak_signal", Facts(accuracy=0.51, n=900)),
    # A ceiling of 0.63: 0.4 of the way from 0.5 is 0.552; too few votes tell of no ceiling.
    (
        performance.weak_signal,
        Facts(accuracy=0.55, n=3000, noise_ceiling=CeilingFacts(0.63, 0.63, 0.755, 900)),
        "weak_signal",
        Facts(accuracy=0.5521, n=3000, noise_ceiling=CeilingFacts(0.63, 0.63, 0.755, 900)),
    ),
    (
        performance.weak_signal,
        Facts(accuracy=0.61, n=900, noise_ceiling=CeilingFacts(0.63, 0.63, 0.755, 29)),
        "weak_signal",
        Facts(accuracy=0.61, n=900, noise_ceiling=CeilingFacts(0.63, 0.63, 0.755, 30)),
    ),
    (performance.sample_size, Facts(accuracy=0.7, n=200), "few_pairs", Facts(accuracy=0.7, n=400)),
    (
        leakage.measured_on_training_data,
        Facts(split="train", accuracy=0.9),
        "measured_on_training_data",
        Facts(split="test", accuracy=0.9),
    ),
    (leakage.validation_only, Facts(split="validation", accuracy=0.9), "validation_only", Facts(split="validation")),
    (performance.perfect, Facts(accuracy=0.97, n=30), "suspiciously_perfect", Facts(accuracy=0.969, n=30)),
    (performance.perfect, Facts(accuracy=1.0), "suspiciously_perfect", Facts(accuracy=1.0, n=29)),
    (rewards.predicted_ties, Facts(tie_rate=0.01, n=100), "predicted_ties", Facts(tie_rate=0.009, n=100)),
    (slices.label_ties, Facts(label_ties=20, n=80), "label_ties", Facts(label_ties=19, n=81)),
    (slices.few_prompts, Facts(clusters=29), "few_prompts", Facts(clusters=30)),
    (slices.few_prompts, Facts(too_few_prompts=True), "few_prompts", Facts(too_few_prompts=False)),
    (
        quality.lost_rows,
        Facts(data=DataFacts(100, 5)),
        "rows_quarantined",
        Facts(data=DataFacts(100, 4)),
    ),
    (
        quality.data_findings,
        Facts(data=DataFacts(100, 0, 0, (DataFinding("mojibake", 1),))),
        "data_findings",
        Facts(data=DataFacts(100, 0, 0)),
    ),
]


@pytest.mark.parametrize(("check", "fires", "finding_id", "quiet"), CASES)
def test_a_finding_fires_and_its_neighbour_does_not(check, fires, finding_id, quiet):
    finding = check(fires)
    assert finding is not None
    assert finding.id == finding_id
    assert check(quiet) is None
    for said in (finding.title, finding.evidence, finding.cause, finding.action):
        assert said.en
        assert any("一" <= char <= "鿿" for char in said.zh)


@pytest.mark.parametrize(
    ("facts", "finding_id"),
    [
        (Facts(loss=0.6930, accuracy=0.5, n=2), "nothing_learned"),
        (Facts(loss=0.6930), "nothing_learned"),
        # 42 to 62 % holds a useful model; 48 to 56 % does not.
        (Facts(loss=0.70, accuracy=0.52, n=100), "learning_unclear"),
        (Facts(loss=0.70, accuracy=0.52, n=600), "nothing_learned"),
        (Facts(loss=0.66, loss_interval=Interval95(0.62, 0.70), accuracy=0.55, n=100), "learning_unclear"),
        (Facts(train_loss=0.6930, accuracy=0.5, n=2), "nothing_learned"),
        # A training loss at ln 2 says nothing against a held-out accuracy of unknown n.
        (Facts(train_loss=0.6930, accuracy=0.9), "learning_unclear"),
        (Facts(train_loss=0.9122, loss=0.5590, accuracy=0.7063), "learning_unclear"),
        (Facts(loss=0.60, accuracy=0.55, n=100), "learning_unclear"),
        (Facts(loss=0.60, accuracy=0.65, n=100), "learned"),
        # An overconfident model has a loss above ln 2 and still ranks better than a coin.
        (Facts(loss=0.90, accuracy=0.65, n=100), "learned"),
    ],
)
def test_learned_or_not(facts, finding_id):
    assert learning.learned(facts).id == finding_id


def test_nothing_to_say_about_learning_without_numbers():
    assert learning.learned(Facts()) is None


def test_the_evidence_names_n_and_interval():
    finding = learning.learned(Facts(loss=0.6930, accuracy=0.5, n=2))
    assert "n = 2" in finding.evidence.en
    assert "9–91 %" in finding.evidence.en
    assert "9–91 %" in finding.evidence.zh
    assert "0.6931" in finding.evidence.zh


def test_a_training_loss_over_chance_names_the_end_of_the_curve():
    falling = Facts(train_loss=0.9, curve=train(*[1.5] * 8, 0.5, 0.5))
    assert "0.5000" in learning.train_loss_above_chance(falling).evidence.en


def test_an_overfit_run_whose_best_checkpoint_was_kept_is_a_note():
    facts = Facts(passes=train(0.6, 0.55, 0.70), best_step=2)
    assert curves.overfit(facts).severity == "info"
    assert curves.overfit(Facts(passes=train(0.6, 0.55, 0.70), best_step=3)).severity == "warning"


def test_a_spike_is_named_by_its_step():
    assert curves.loss_spikes(train(*SPIKED)) == [61]


def test_the_noise_of_healthy_batches_is_no_spike():
    rng = np.random.default_rng(3)
    for spread in (1, 2, 4):
        batches = np.log1p(np.exp(-rng.normal(0.7, spread, (1000, 8)))).mean(axis=1)
        assert curves.loss_spikes(train(*map(float, batches))) == []


def baselines(**differences):
    return tuple(
        BaselineFacts(name, 0.6, None, difference, Interval95(difference - 0.03, difference + 0.03))
        for name, difference in differences.items()
    )


@pytest.mark.parametrize(
    ("differences", "finding_id", "severity"),
    [
        ({"longer": 0.10, "tfidf": 0.05}, "beats_baselines", "good"),
        ({"longer": 0.10, "tfidf": 0.02}, "baselines_open", "warning"),
        ({"longer": 0.02, "tfidf": -0.05}, "no_better_than_baseline", "critical"),
        ({}, "no_baselines", "warning"),
    ],
)
def test_the_worst_baseline_decides(differences, finding_id, severity):
    finding = performance.baselines(Facts(accuracy=0.7, n=1000, baselines=baselines(**differences)))
    assert (finding.id, finding.severity) == (finding_id, severity)


def test_an_open_comparison_says_how_many_pairs_it_needs():
    finding = performance.baselines(Facts(accuracy=0.62, n=1000, baselines=baselines(tfidf=0.02)))
    # 1000 * 2.043 * (0.03 / 0.02)^2 = 4597
    assert re.search(r"needs about 4,59\d comparisons", finding.evidence.en)
    close = performance.baselines(Facts(accuracy=0.602, n=1000, baselines=baselines(tfidf=0.002)))
    assert "too small a difference for any usual n" in close.evidence.en


def test_without_a_paired_interval_the_unpaired_one_is_used_and_said():
    facts = Facts(accuracy=0.7, n=1000, baselines=(BaselineFacts("tfidf", 0.6),))
    finding = performance.baselines(facts)
    assert finding.id == "beats_baselines"
    assert "unpaired" in finding.evidence.en
    assert (
        performance.baselines(Facts(accuracy=0.7, n=50, baselines=(BaselineFacts("tfidf", 0.6),))).id
        == "baselines_open"
    )


def test_a_constant_reward_has_no_interval_of_its_own():
    # Wilson at 0.56 of 400: low end 0.511, above one half; two sampled shares would overlap.
    finding = performance.baselines(Facts(accuracy=0.56, n=400, baselines=(BaselineFacts("constant", 0.5),)))
    assert finding.id == "beats_baselines"


@pytest.mark.parametrize(
    ("facts", "finding_id", "severity"),
    [
        (by_length(20, 80), "length_shortcut", "critical"),
        (by_length(55, 80), "length_bias", "warning"),
        (by_length(80, 55), "length_bias", "warning"),
        (by_length(70, 75), "length_bias_unknown", "info"),
        (by_length(1440, 1450, n=2000), "length_bias_excluded", "good"),
        (by_length(10, 20, n=20), "length_bias_unknown", "info"),
    ],
)
def test_length_bias(facts, finding_id, severity):
    finding = shortcuts.length_bias(facts)
    assert (finding.id, finding.severity) == (finding_id, severity)


def test_length_bias_needs_lengths_on_both_sides():
    assert shortcuts.length_bias(Facts()) is None
    assert shortcuts.length_bias(Facts(compared=compared([1, -1], [math.nan, 5]))) is None


def test_the_direction_of_a_length_bias_is_named():
    assert shortcuts.length_bias(by_length(55, 80)).title.en == "the reward favours long responses"
    assert shortcuts.length_bias(by_length(80, 55)).title.en == "the reward favours short responses"


def test_a_category_is_weak_only_beyond_its_interval():
    strong = GroupFacts("chat", 500, 0.8)
    weak = Facts(accuracy=0.75, by_category=(strong, GroupFacts("maths", 100, 0.55)))
    finding = slices.weak_categories(weak)
    assert list(finding.numbers) == ["maths"]
    small = Facts(accuracy=0.75, by_category=(strong, GroupFacts("maths", 29, 0.30)))
    wide = Facts(accuracy=0.75, by_category=(strong, GroupFacts("maths", 100, 0.70)))
    assert slices.weak_categories(small) is None
    assert slices.weak_categories(wide) is None
    assert slices.weak_categories(Facts(accuracy=0.75, by_category=(strong,))) is None


def test_calibration_is_judged_against_its_noise_floor():
    assert calibration.calibration(Facts(ece=0.06, ece_noise_floor=0.05)).id == "calibrated"
    assert calibration.calibration(Facts(ece=0.08, ece_noise_floor=0.01)).id == "miscalibrated"
    assert calibration.calibration(Facts(ece=0.06)).id == "calibration_unknown"


def test_the_measured_limit_of_the_noise_floor_counts_and_is_not_widened_again():
    alike = Facts(
        n=600, accuracy=0.7, accuracy_interval=Interval95(0.55, 0.85), ece=0.13, ece_noise_floor=0.05, temperature=2.0
    )  # comparisons of a prompt err together: the interval is four times that of independent ones
    assert calibration.calibration(alike).id == "calibrated"
    limited = replace(alike, ece_limit=0.09, ece_calibrated=0.06, ece_calibrated_noise_floor=0.04)
    found = calibration.calibration(replace(limited, ece_calibrated_limit=0.07))
    assert (found.id, found.severity, found.numbers["limit"]) == ("miscalibrated", "info", 0.09)
    assert "by chance up to 0.090" in found.evidence.en
    assert "0.090" in found.evidence.zh
    unmended = replace(limited, ece_calibrated=0.125, ece_calibrated_limit=0.07)
    assert calibration.calibration(unmended).severity == "warning"
    assert calibration.calibration(replace(limited, ece_limit=0.14)).id == "calibrated"


def test_a_temperature_that_mends_it_makes_it_a_note():
    mended = Facts(ece=0.1, ece_noise_floor=0.01, ece_calibrated=0.02, temperature=2.0)
    not_mended = Facts(ece=0.1, ece_noise_floor=0.01, ece_calibrated=0.08, temperature=2.0)
    assert calibration.calibration(mended).severity == "info"
    assert calibration.calibration(not_mended).severity == "warning"


def test_over_and_underconfidence_are_told_apart():
    over = Facts(
        ece=0.1, ece_noise_floor=0.0, reliability=(ReliabilityFacts(0.9, 0.7, 10), ReliabilityFacts(0.6, 0.65, 10))
    )
    under = Facts(ece=0.1, ece_noise_floor=0.0, temperature=0.5)
    assert "overconfident" in calibration.calibration(over).title.en
    assert "underconfident" in calibration.calibration(under).title.en


def test_a_loss_that_a_calibrated_model_of_this_accuracy_can_have():
    # a = 0.7063: H(a) = 0.6055 above, 2 * 0.2937 * ln 2 = 0.4072 below
    fits = calibration.calibration(Facts(loss=0.5590, accuracy=0.7063))
    assert fits.id == "loss_plausible"
    assert fits.numbers["high"] == pytest.approx(0.6055, abs=1e-4)
    assert fits.numbers["low"] == pytest.approx(0.4072, abs=1e-4)
    assert calibration.calibration(Facts(loss=0.62, accuracy=0.7063)).id == "loss_implausible"
    assert calibration.calibration(Facts(loss=0.40, accuracy=0.7063)).id == "loss_implausible"
    assert calibration.calibration(Facts(loss=0.69, accuracy=0.5)) is None


def test_every_calibrated_model_lies_within_the_plausible_losses():
    rng = np.random.default_rng(1)
    for _ in range(50):
        confidence = 0.5 + 0.5 * rng.beta(*rng.uniform(0.3, 5, 2), size=200)
        loss = float(np.mean([calibration.entropy(c) for c in confidence]))
        assert calibration.calibration(Facts(loss=loss, accuracy=float(confidence.mean()))).id == "loss_plausible"


def test_many_faulty_rows_are_a_warning():
    few = Facts(data=DataFacts(1000, 0, 0, (DataFinding("mojibake", 19),)))
    many = Facts(data=DataFacts(1000, 0, 0, (DataFinding("mojibake", 20),)))
    assert quality.data_findings(few).severity == "info"
    assert quality.data_findings(many).severity == "warning"
    harmless = Facts(data=DataFacts(1000, 0, 0, (DataFinding("weak_majority", 500, "info"),)))
    assert quality.data_findings(harmless).severity == "info"


def test_chance_is_ln_2():
    assert pytest.approx(0.693147, abs=1e-6) == CHANCE_LOSS


def test_a_handful_of_comparisons_or_prompts_shows_nothing_either_way():
    for accuracy in (1.0, 0.0):
        assert learning.learned(Facts(accuracy=accuracy, n=4)).id == "learning_unclear"
        assert learning.learned(Facts(accuracy=accuracy, n=400, clusters=5)).id == "learning_unclear"
    assert learning.learned(Facts(accuracy=1.0, n=6)).id == "learned"
    assert learning.learned(Facts(accuracy=0.0, n=6)) is None
    assert learning.reversed_labels(Facts(accuracy=0.0, n=6)).id == "reversed"
    assert calibration.calibration(Facts(ece=0.4, ece_noise_floor=0.1, n=5)) is None


def test_a_rule_by_length_is_named_by_its_direction_and_one_fitted_on_the_judged_set_says_so():
    length = BaselineFacts("longer", 0.8, None, -0.1, Interval95(-0.2, -0.05), "5-fold by prompt", "shorter")
    finding = performance.baselines(Facts(accuracy=0.7, n=1000, baselines=(length,)))
    assert finding.id == "no_better_than_baseline"
    assert "shorter wins" in finding.evidence.en
    assert "evaluated set itself" in finding.evidence.en
    assert "更短者胜" in finding.evidence.zh
    assert "所评估的数据本身" in finding.evidence.zh


def test_the_gap_by_length_hears_weights():
    margins, lengths = [1.0] * 40 + [-1.0] * 40 + [1.0] * 80, [-5] * 80 + [5] * 80
    plain = compared(margins, lengths)
    weighted = replace(plain, weight=np.array([1.0] * 40 + [0.0] * 40 + [1.0] * 80))
    assert shortcuts.length_bias(Facts(compared=plain)).id == "length_bias"
    assert shortcuts.length_bias(Facts(compared=weighted)).id == "length_bias_excluded"
