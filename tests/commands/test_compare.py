"""`compare` hears the weights of comparisons, and promises nothing from a handful of prompts."""

import numpy as np
import orjson
import pytest

import rewardsmith as rs
from rewardsmith.cli import main
from rewardsmith.errors import DataError
from rewardsmith.language import say, speaking


def folder(path, margins, **columns):
    """An evaluation with a comparison per margin, each of a prompt of its own unless said otherwise."""
    path.mkdir()
    rows = []
    for number, margin in enumerate(margins):
        row = {"id": f"r{number}", "prompt_id": f"p{number}", "i": 0, "j": 1, "preference": 1.0, "margin": margin}
        rows.append(row | {name: values[number] for name, values in columns.items()})
    (path / "comparisons.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def test_accuracies_difference_and_test_are_weighted(tmp_path):
    # A errs on the second half, which weighs 1 of 1000 against 1 each: (50 + 50 * 0.001 * 0) / 50.05.
    weight = [1.0] * 50 + [0.001] * 50
    first = folder(tmp_path / "a", [1.0] * 50 + [-1.0] * 50, weight=weight)
    second = folder(tmp_path / "b", [1.0] * 100, weight=weight)
    found = rs.compare(first, second)
    assert found.accuracy_a == pytest.approx(50 / 50.05)
    assert found.accuracy_b == 1.0
    assert found.accuracy_difference == pytest.approx(50 / 50.05 - 1)
    assert found.n == 100


def test_comparisons_of_weight_0_play_no_part(tmp_path):
    weight = [1.0] * 40 + [0.0] * 40
    first = folder(tmp_path / "a", [1.0] * 40 + [-1.0] * 40, weight=weight)
    second = folder(tmp_path / "b", [1.0] * 80, weight=weight)
    found = rs.compare(first, second)
    assert (found.n, found.accuracy_a, found.accuracy_b, found.p_value, found.flipped) == (40, 1.0, 1.0, 1.0, 0)
    assert "better" not in found.to_text()


def test_rows_of_before_have_the_weight_1(tmp_path):
    first = folder(tmp_path / "a", [1.0] * 30 + [-1.0] * 10)
    second = folder(tmp_path / "b", [1.0] * 40, weight=[1.0] * 40)
    assert rs.compare(first, second).accuracy_a == 0.75


@pytest.mark.parametrize("weight", [-1.0, "much", None])
def test_what_is_no_weight_is_refused(weight, tmp_path):
    first = folder(tmp_path / "a", [1.0], weight=[weight])
    with pytest.raises(DataError, match=r"comparisons.jsonl:1 has .* expected"):
        rs.compare(first, first)


def test_two_weights_of_one_comparison_are_refused(tmp_path):
    first = folder(tmp_path / "a", [1.0, 2.0], weight=[1.0, 0.5])
    second = folder(tmp_path / "b", [1.0, 2.0], weight=[1.0, 1.0])
    with pytest.raises(DataError, match=r"a/comparisons.jsonl:2 has weight 0.5, but .* has 1 "):
        rs.compare(first, second)


@pytest.mark.parametrize(("preference", "weight"), [(0.5, 1.0), (1.0, 0.0)])
def test_ties_and_weightless_rows_alone_are_no_comparison(preference, weight, tmp_path):
    first = folder(tmp_path / "a", [1.0], preference=[preference], weight=[weight])
    with pytest.raises(DataError, match="none of the 1 comparisons"):
        rs.compare(first, first)


@pytest.mark.parametrize("prompts", [1, 2, 5])
def test_few_prompts_never_make_a_model_better(prompts, tmp_path):
    """Half right against none, the same under each prompt: without spread between prompts, the interval is no point."""
    prompt_id = [f"p{number % prompts}" for number in range(4 * prompts)]
    right = [1.0 if number // prompts % 2 else -1.0 for number in range(4 * prompts)]
    first = folder(tmp_path / "a", right, prompt_id=prompt_id)
    second = folder(tmp_path / "b", [-1.0] * 4 * prompts, prompt_id=prompt_id)
    found = rs.compare(first, second)
    assert found.accuracy_difference == 0.5
    assert found.ci[0] < 0.5 < found.ci[1]
    text = found.to_text()
    assert "better" not in text
    assert "nan" not in text


def test_the_interval_covers_weighted_differences_of_prompts(tmp_path):
    """100 pairs of models that differ by nothing, on 60 prompts of two comparisons with unequal weights."""
    from rewardsmith.evaluate.paired import compare_margins

    rng, covered, alarms = np.random.default_rng(0), 0, 0
    for _ in range(100):
        cluster = np.repeat(np.arange(60), 2)
        hard = np.repeat(rng.normal(0, 1, 60), 2)
        one, two = (hard + rng.normal(0.5, 1, 120) for _ in range(2))
        weight = np.repeat(rng.choice([0.2, 1.0, 3.0], 60), 2)
        found = compare_margins(one, two, preference=np.ones(120), cluster=cluster, rng=rng, weight=weight)
        covered += 0.0 in found.interval
        alarms += found.p_value < 0.05
    assert covered >= 88  # 95 are expected, with a standard deviation of 2.2
    assert alarms <= 12


def test_each_pair_of_several_is_compared_with_p_values_adjusted(tmp_path):
    right = {"a": 90, "b": 80, "c": 50}
    folders = [folder(tmp_path / name, [1.0] * n + [-1.0] * (100 - n)) for name, n in right.items()]
    found = rs.compare(folders[0], folders[1], also=[folders[2]])
    assert [(row["a"], row["b"]) for row in found.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert [row["accuracy_difference"] for row in found.pairs] == pytest.approx([0.1, 0.4, 0.3])
    smallest = min(row["p_value"] for row in found.pairs)
    assert min(row["p_adjusted"] for row in found.pairs) == pytest.approx(3 * smallest)
    assert found.pairs[0]["p_value"] == found.p_value


def test_further_runs_are_named_behind_the_first_two(tmp_path, capsys):
    folders = [folder(tmp_path / name, [1.0] * n + [-1.0] * (40 - n)) for name, n in (("a", 30), ("b", 25), ("c", 20))]
    assert main(["compare", *map(str, folders), "--json"]) == 0
    assert len(orjson.loads(capsys.readouterr().out)["pairs"]) == 3


def test_flips_are_listed_largest_change_first(tmp_path):
    first = folder(tmp_path / "a", [1.0, -1.0, 2.0, 1.0], preference=[1.0, 1.0, 1.0, 0.5])
    second = folder(tmp_path / "b", [1.0, 0.5, -2.0, -1.0], preference=[1.0, 1.0, 1.0, 0.5])
    found = rs.compare(first, second)
    assert [(row["id"], row["margin_a"], row["margin_b"]) for row in found.flips] == [
        ("r2", 2.0, -2.0),
        ("r1", -1.0, 0.5),
    ]
    assert len(found.flips) == found.flipped


def test_categories_are_tested_together(tmp_path):
    """One of 20 categories differs; the others are coins, of which without a correction one would often differ too."""
    rng = np.random.default_rng(0)
    category = [f"c{number % 20:02}" for number in range(1000)]
    one = [1.0 if name == "c07" or rng.random() < 0.7 else -1.0 for name in category]
    two = [-1.0 if name == "c07" else 1.0 if rng.random() < 0.7 else -1.0 for name in category]
    found = rs.compare(folder(tmp_path / "a", one, category=category), folder(tmp_path / "b", two, category=category))
    assert [row["category"] for row in found.by_category if row["p_value"] < 0.05] == ["c07"]
    assert "category c07" in found.to_text()
    assert len(found.by_category) == 20


@pytest.mark.parametrize(
    ("settings", "alike"), [("lr: 0.1\nseed: 1\n", True), ("lr: 0.2\nseed: 1\n", False), ("lr: 0.1\n", False)]
)
def test_two_seeds_of_one_recipe_are_named_as_such(settings, alike, tmp_path):
    first, second = folder(tmp_path / "a", [1.0] * 30), folder(tmp_path / "b", [1.0] * 10 + [-1.0] * 20)
    (first / "config.yaml").write_text("lr: 0.1\noutput: a\n")
    (second / "config.yaml").write_text(settings + "output: b\n")
    found = rs.compare(first, second)
    assert found.seeds_only is alike
    assert ("random seed only" in found.to_text()) is alike


def test_the_interval_and_the_p_value_are_one_statement(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(40):
        one, two = (np.sign(rng.normal(shift, 1, 30)).tolist() for shift in (0.6, 0.0))
        found = rs.compare(folder(tmp_path / f"a{number}", one), folder(tmp_path / f"b{number}", two))
        assert (found.p_value < 0.05) == (not found.ci[0] <= 0 <= found.ci[1])
        assert ("better" in found.to_text()) == (found.p_value < 0.05)


def seeded(path, lr, seed, right):
    """A run of 100 comparisons, `right` of them right, with a config.yaml."""
    found = folder(path, [1.0] * right + [-1.0] * (100 - right))
    (found / "config.yaml").write_text(f"lr: {lr}\nseed: {seed}\noutput: {path.name}\nrun_name: null\n")
    return found


def test_runs_of_two_recipes_are_told_apart_by_their_settings(tmp_path):
    one, two = (seeded(tmp_path / f"a{seed}", 0.1, seed, 80 + seed) for seed in (1, 3))
    three, four = (seeded(tmp_path / f"b{seed}", 0.2, seed, 50 + seed) for seed in (1, 3))
    found = rs.compare(one, three, also=[two, four], seeds=True, output=tmp_path / "out")
    first, second = found.seeds["recipes"]
    assert (first["runs"], first["letters"]) == ([str(one), str(two)], ["A", "C"])
    assert second["letters"] == ["B", "D"]
    assert first["accuracy"] == pytest.approx(0.82)
    assert first["seed_sd"] == pytest.approx(0.02 / 2**0.5)
    assert found.seeds["difference"] == pytest.approx(0.3)
    assert found.seeds["ci"][0] > 0
    assert found.seeds["p_value"] < 0.05
    assert "p = " in found.to_text()
    assert "recipe 1 is better" in found.to_text()
    assert orjson.loads((tmp_path / "out/comparison.json").read_bytes())["seeds"] == found.seeds
    for name in ("comparison.html", "comparison.md"):
        assert "recipe A, C is better than recipe B, D" in (tmp_path / "out" / name).read_text()
    assert rs.compare(one, three).seeds is None


def test_what_are_not_two_recipes_with_several_seeds_is_refused(tmp_path):
    one, two = (seeded(tmp_path / f"a{seed}", 0.1, seed, 80) for seed in (1, 2))
    other, third = seeded(tmp_path / "b1", 0.2, 1, 70), seeded(tmp_path / "c1", 0.3, 1, 70)
    again, plain = seeded(tmp_path / "again", 0.1, 1, 80), folder(tmp_path / "plain", [1.0] * 100)
    for runs, told in (
        ((one, other, two), "single run .* another --seed"),
        ((one, two), "of 1 recipes"),
        ((one, two, other, third), "of 3 recipes"),
        ((one, two, again), "same seed; remove"),
        ((one, two, plain), "contains no config.yaml"),
    ):
        with pytest.raises(DataError, match=told):
            rs.compare(runs[0], runs[1], also=runs[2:], seeds=True)


def test_recipes_without_a_common_comparison_or_margin_are_refused(tmp_path):
    runs = [seeded(tmp_path / f"r{lr}{seed}", lr, seed, 80) for lr in (1, 2) for seed in (1, 2)]
    rows = (runs[3] / "comparisons.jsonl").read_bytes()
    (runs[3] / "comparisons.jsonl").write_bytes(rows.replace(b'"margin":1.0', b'"margin":null'))
    with pytest.raises(DataError, match="has no margin; evaluate"):
        rs.compare(runs[0], runs[2], also=[runs[1], runs[3]], seeds=True)
    (runs[3] / "comparisons.jsonl").write_bytes(rows.replace(b'"id":"r', b'"id":"s'))
    with pytest.raises(DataError, match="no comparison in common"):
        rs.compare(runs[0], runs[2], also=[runs[1], runs[3]], seeds=True)


def test_which_recipe_is_better_is_said_in_chinese_too(tmp_path):
    one, two = (seeded(tmp_path / f"a{seed}", 0.1, seed, 80) for seed in (1, 3))
    three, four = (seeded(tmp_path / f"b{seed}", 0.2, seed, 50) for seed in (1, 3))
    found = rs.compare(one, three, also=[two, four], seeds=True)
    with speaking("zh"):
        told = [say(line) for line in found.to_text().splitlines()]
    assert any(line.endswith("：配方 1 更好") for line in told)
    assert any(line.startswith("配方 2（B, D）：准确率 0.5000") for line in told)


def test_the_prompts_that_a_smaller_difference_needs_are_told_in_text_json_and_report(tmp_path):
    rng = np.random.default_rng(0)
    right = rng.random((2, 200)) < 0.7
    folders = [
        folder(tmp_path / name, np.where(row, 1.0, -1.0).tolist()) for name, row in zip("ab", right, strict=True)
    ]
    for place in folders:
        (place / "evaluation.json").write_bytes(orjson.dumps({"n": 200, "accuracy": 0.7, "records": 200}))
    found = rs.compare(*folders, output=tmp_path / "out")
    needed = found.prompts_needed["0.05"]
    assert found.prompts == 200
    assert needed == pytest.approx(200 * (found.minimal_detectable / 0.05) ** 2, abs=1)
    assert f"a difference of 0.05 needs {needed} prompts" in found.to_text()
    assert f"{needed:,} prompts" in (tmp_path / "out" / "comparison.html").read_text()
    stored = orjson.loads((tmp_path / "out" / "comparison.json").read_bytes())
    assert stored["pairs"][0]["prompts_needed"]["0.05"] == needed
    assert (
        say(f"a difference of 0.05 needs {needed} prompts", lang="zh") == f"要检出 0.05 的差异，需要 {needed} 个提示词"
    )


def test_calibrated_rewards_are_compared_where_both_have_them(tmp_path, capsys):
    raw = [1.0] * 30 + [-1.0] * 30
    first = folder(tmp_path / "a", raw, calibrated_margin=[1.0] * 60)
    second = folder(tmp_path / "b", raw, calibrated_margin=raw)
    assert rs.compare(first, second).accuracy_difference == 0
    found = rs.compare(first, second, calibrated=True)
    assert (found.accuracy_a, found.accuracy_b, found.calibrated) == (1.0, 0.5, True)
    assert "compared by calibrated rewards" in found.to_text()
    with speaking("zh"):
        assert "校准后的奖励" in say(found.to_text().splitlines()[3])
    plain = folder(tmp_path / "c", raw)
    assert main(["compare", str(first), str(plain), "--calibrated"]) == 1
    assert "c/comparisons.jsonl:1 has no calibrated margin; run rewardsmith evaluate again" in capsys.readouterr().err
