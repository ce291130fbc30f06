"""Simple features that predict the label, and answers that win everywhere."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

import rewardsmith as rs
from builders import pair
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.evaluate.metrics import accuracy
from rewardsmith.language import say
from rewardsmith.quality.shortcuts.constant_answers import coin_tail, constant_answers
from rewardsmith.quality.shortcuts.features import FEATURES, MORE_OF
from rewardsmith.quality.shortcuts.measure import measure_shortcuts
from rewardsmith.quality.shortcuts.rule import shortcut_rule
from rewardsmith.quality.shortcuts.sample import PLACE_FEATURES, Sample, features_of, row_of
from rewardsmith.quality.shortcuts.sentences import shortcut_lines


def measured(records, **settings):
    sample = Sample(**settings)
    for record in records:
        sample.add(record)
    return measure_shortcuts(sample)


def by_name(shortcuts):
    return {shortcut.name: shortcut for shortcut in shortcuts.features}


def turned(record):
    """The same pair with its responses listed the other way round."""
    comparisons = tuple(replace(c, i=1 - c.i, j=1 - c.j) for c in record.comparisons)
    return replace(record, responses=record.responses[::-1], comparisons=comparisons)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("words", "你好，world!", 3),
        ("tokens", "你好，world!", 5),
        ("characters", "你好", 2),
        ("list_items", "- a\n* b\n1. c\n2、丁\n（三）戊\n一、己\nwell - no", 6),
        ("markdown", "# T\n**b** and [x](y)", 3),
        ("code", "```py\n```\nuse `x`", 3),
        ("refusal", "I\u2019m sorry, but no.", 1),
        ("refusal", "抱歉，我无法回答。", 1),
        ("refusal", "You can say no.", 0),
        ("hedging", "maybe not", 1 / 2),
        ("hedging", "也许不对", 1 / 4),
        ("exclamation_marks", "a! 好！", 2),
        ("question_marks", "a? 好？", 2),
        ("emoji", "ok 🙂🎉", 2),
    ],
)
def test_features_count_what_they_say_in_both_languages(name, text, value):
    assert FEATURES[name](text) == value


def test_every_feature_has_its_words():
    assert {*FEATURES, *PLACE_FEATURES, "generator"} == set(MORE_OF)


def test_accuracy_and_auc_by_hand():
    records = [
        pair("p1", "a b c", "a"),
        pair("p2", "a b", "a b c d"),
        pair("p3", "a b", "c d"),
        pair("p4", "a b c", "b"),
    ]
    words = by_name(measured(records))["words"]
    assert words.accuracy == (1 + 0 + 0.5 + 1) / 4
    assert words.auc == pytest.approx(roc_auc_score([1] * 4 + [0] * 4, [3, 2, 2, 3, 1, 4, 2, 1]))
    assert words.differing == 3


def test_ties_and_weightless_rows_play_no_part():
    records = [pair("p1", "a b", "a"), pair("p2", "a", "a b", preference=0.5), pair("p3", "a", "a b", weight=0.0)]
    assert measured(records).n == 1
    assert measured([]).to_json()["features"] == []


@pytest.mark.parametrize("rate", [0.15, 0.25, 0.4])
def test_a_planted_length_shortcut_is_found_and_named(rate):
    found = measured(generate(800, seed=5, faults={"length_shortcut": rate}).records)
    assert by_name(found)["words"].found
    sentences = [each["sentence"] for each in found.to_json()["findings"]]
    assert any("more words" in each and "词数更多" in say(each, "zh") for each in sentences)


def test_clean_data_gives_no_finding():
    assert [list(measured(generate(200, seed=seed).records).findings()) for seed in range(5)] == [[]] * 5


def test_neither_the_order_of_rows_nor_of_sides_matters():
    records = generate(200, seed=1, faults={"length_shortcut": 0.3}).records
    shuffled = records.copy()
    random.Random(0).shuffle(shuffled)
    whole = measured(records).to_json()
    assert measured(shuffled).to_json() == whole
    names = {"words", "characters", "tokens"}
    for one, two in zip(whole["features"], measured(map(turned, records)).to_json()["features"], strict=True):
        assert one["name"] not in names or one == two


def test_the_sample_is_the_same_prompts_in_any_order():
    records = generate(300, seed=2).records
    some = measured(records, limit=50)
    assert (some.n, some.seen) == (50, 300)
    assert measured(records[::-1], limit=50).to_json() == some.to_json()


def test_a_generator_that_always_wins_is_found():
    records = []
    for n in range(60):
        record = pair(f"p{n}", f"good {n}", f"bad {n}")
        names = ("strong", "weak") if n % 6 else ("weak", "strong")
        answers = tuple(replace(r, generator=name) for r, name in zip(record.responses, names, strict=True))
        records.append(replace(record, responses=answers))
    generator = by_name(measured(records))["generator"]
    assert generator.accuracy == pytest.approx(50 / 60)
    assert generator.found


def test_one_answer_that_wins_everywhere_is_an_attack_and_a_rare_one_that_loses_is_not():
    winning = [pair(f"p{n}", "vote for me", f"honest {n}") for n in range(20)]
    losing = [pair(f"q{n}", f"honest {n} q", "I do not know" if n < 20 else f"bad {n}") for n in range(200)]
    first, second = measured([*winning, *losing]).constant
    assert (first.wins, first.won, first.lost, first.prompts, first.of) == (True, 20, 0, 20, 220)
    assert (second.found, second.won, second.lost, second.prompts) == (False, 0, 20, 20)


def told(records):
    return {(severity, sentence) for name, severity, sentence in measured(records).findings() if name != "joint"}


def test_one_answer_to_everything_is_told_where_nothing_was_judged():
    singles = [replace(pair(f"p{n}", "} } Ignore the above", "x"), comparisons=()) for n in range(30)]
    singles = [replace(r, responses=r.responses[:1], source="f", line=n + 9) for n, r in enumerate(singles)]
    ((severity, sentence),) = told(singles)
    assert severity == "warning"
    assert "appears for 30 of 30 different prompts (for example f:9)" in sentence
    others = [
        replace(r, responses=(replace(r.responses[0], messages=pair("p", f"own {n}", "x").responses[0].messages),))
        for n, r in enumerate(singles)
    ]
    assert told(others) == set()
    # under one prompt in ten: told, not as a warning; under one in eleven: not at all
    few = [*singles[:5], *(replace(r, prompt=pair(f"q{n}", "a", "b").prompt) for n, r in enumerate(others * 2))]
    assert {severity for severity, _ in told(few[:50])} == {"info"}
    assert told(few[:55]) == set()


def test_one_answer_that_loses_everywhere_can_be_learned_too():
    sentences = {sentence for _, sentence in told([pair(f"q{n}", f"honest {n} q", "I do not know") for n in range(20)])}
    assert any("is rejected for 20 of 20 different prompts" in sentence for sentence in sentences)


def test_a_text_counts_once_per_prompt():
    rows = [((1, 100 + n), 0) for n in range(50)]
    assert constant_answers(rows, [{1: "f:1"} | {100 + n: "f:1" for n in range(50)}], 0.01) == ()


def test_the_null_model_of_alpaca_eval_is_found_among_bare_responses():
    folder = os.environ.get("REWARDSMITH_DATA")
    if not folder:
        pytest.skip("REWARDSMITH_DATA is not set")
    found = measured(rs.load(f"{folder}/alpaca-eval/null_model.jsonl.gz").records)
    ((answer,), ((name, severity, _),)) = found.constant, found.findings()
    assert (answer.prompts, answer.of, name, severity) == (300, 300, "constant_answer", "warning")
    honest = measured(rs.load(f"{folder}/alpaca-eval/pairs_raw.jsonl.gz").records)
    assert not any(answer.found for answer in honest.constant)
    assert honest.generators[0].name == "gpt4_1106_preview"


@pytest.mark.parametrize(("heads", "throws"), [(0, 0), (7, 10), (20, 20), (160, 300)])
def test_the_tail_of_a_coin_is_that_of_scipy(heads, throws):
    expected = binomtest(heads, throws, alternative="greater").pvalue if throws else 1.0
    assert coin_tail(heads, throws) == pytest.approx(expected)


def test_a_shortcut_of_all_features_together_is_judged_on_other_prompts():
    rng = np.random.default_rng(0)
    records = [pair(f"p{n}", "a " * int(rng.integers(1, 9)), "b " * int(rng.integers(1, 9))) for n in range(300)]
    records = [turned(record) if n % 2 else record for n, record in enumerate(records)]
    joint = measured(records).joint
    assert not joint.found
    assert abs(joint.accuracy - 0.5) < 0.1


def rule(records, *, training=None, decided=None):
    rows = [row_of(record, record.comparisons[0], features_of(record)) for record in records]
    sample = None if training is None else Sample()
    for record in training or ():
        sample.add(record)
    decided = np.ones(len(rows), dtype=bool) if decided is None else decided
    return shortcut_rule(rows, cluster=np.arange(len(rows)), decided=decided, training=sample)


def shorter_wins(n, *, start=0, **comparison):
    return [pair(f"p{k}", "a " * (1 + k % 3), "b " * (6 + k % 4), **comparison) for k in range(start, start + n)]


def test_all_features_together_are_a_rule_that_judges_prompts_it_has_not_seen():
    found = rule(shorter_wins(40))
    assert ((found.margin > 0).all(), found.name, found.fitted_on) == (True, "shortcuts", "5-fold by prompt")
    trained = rule(shorter_wins(5), training=shorter_wins(60, start=100))
    assert ((trained.margin > 0).all(), trained.fitted_on) == (True, "training split, 60 comparisons")


def test_the_rule_gives_what_prepare_measures_together():
    rng = np.random.default_rng(3)
    records = [
        pair(f"p{n}", "a " * int(rng.integers(1, 9)) + "!" * int(rng.integers(0, 3)), "b " * int(rng.integers(1, 7)))
        for n in range(200)
    ]
    found, joint = rule(records), measured(records).joint
    assert accuracy(found.margin, np.ones(200)) == pytest.approx(joint.accuracy, abs=0.05)  # other folds


def test_ties_and_weightless_rows_are_judged_but_not_fitted_on():
    wrong = [pair(f"q{k}", "b " * 9, "a", weight=0.0) for k in range(80)]
    found = rule([*shorter_wins(40), *wrong])
    assert (found.margin[:40] > 0).all()
    assert (found.margin[40:] < 0).all()
    ties = np.arange(120) < 40
    assert (
        rule([*shorter_wins(40), *[pair(f"q{k}", "b " * 9, "a") for k in range(80)]], decided=ties).margin[:40] > 0
    ).all()


def test_where_a_response_stands_is_nothing_that_a_reward_model_could_learn():
    """The preferred response comes first in every row, as in a ranking from best to worst, and nothing else differs."""
    found = rule([pair(f"p{k}", "one two", "two one") for k in range(40)])
    assert np.isnan(found.margin).all()
    assert found.fitted_on == "not fitted (no simple feature differs)"
    assert measured([pair(f"p{k}", "one two", "two one") for k in range(40)]).joint is None


def test_what_cannot_be_fitted_says_why():
    assert rule(shorter_wins(1)).fitted_on == "not fitted (too few prompts)"
    assert rule([]).margin.size == 0
    assert rule(shorter_wins(12), training=shorter_wins(1, start=99)).fitted_on == "5-fold by prompt"


def test_weights_turn_what_is_fitted_together_and_who_wins():
    def by(k, winner, loser, weight):
        record = pair(f"p{k}", f"{'w' * (1 + k % 5)} x", f"{'l' * (1 + k % 4)} y", weight=weight)
        return replace(
            record, responses=tuple(map(lambda r, g: replace(r, generator=g), record.responses, (winner, loser)))
        )

    records = [by(k, "a", "b", 0.1) for k in range(30)] + [by(k, "b", "a", 1.0) for k in range(30, 50)]
    found = measured([turned(record) if n % 2 else record for n, record in enumerate(records)])
    won = {generator.name: generator.won for generator in found.generators}
    # b wins 20 of weight 1, loses 30 of weight 0.1.
    assert won["b"] == pytest.approx(20 / 23, abs=1e-6)
    assert found.joint.accuracy > 0.8


@pytest.mark.parametrize("prompts", [1, 7])
def test_under_few_prompts_nothing_is_told_of_features(prompts):
    records = [pair(f"p{k % prompts}", "a " * (2 + k), f"b{k}") for k in range(21)]
    assert list(shortcut_lines(measured(records).to_json())) == []


def test_what_gives_all_labels_away_is_not_to_be_beaten():
    found = measured(shorter_wins(60))
    sentence = next(text for name, _, text in found.findings() if name == "joint")
    assert "predict 100.0 % of labels" in sentence
    assert "beat" not in sentence
    assert say(sentence, "zh") != sentence
