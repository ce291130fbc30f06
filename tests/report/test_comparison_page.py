"""The report on several runs: which is better, where they differ, and that nothing is said that was not measured."""

import json

import pytest
from test_report_page import HOSTILE, Outline

from rewardsmith.commands.compare import Config, run
from rewardsmith.errors import OutputError
from rewardsmith.report.comparison.charts import category_differences
from rewardsmith.report.comparison.page import headline, pair_sentence, pairs_of, settled
from rewardsmith.report.comparison.runs import FLIPS_SHOWN, flips_of
from rewardsmith.report.text import TEXTS


def folder_of(path, margins, text="good"):
    """An evaluation with these margins."""
    path.mkdir(parents=True)
    rows = [
        {
            **{"id": f"r{k}", "prompt_id": f"p{k}", "i": 0, "j": 1, "preference": 1.0, "weight": 1.0, "margin": margin},
            **{"prompt": "问题", "text_i": text, "text_j": "bad", "category": "c", "source": "s.jsonl", "line": k + 1},
        }
        for k, margin in enumerate(margins)
    ]
    (path / "comparisons.jsonl").write_text("\n".join(map(json.dumps, rows)))
    right = sum((margin or 0) > 0 for margin in margins) / len(margins)
    group = {"n": len(margins), "accuracy": right, "accuracy_ci": [max(right - 0.1, 0), min(right + 0.1, 1)]}
    evaluation = {**group, "nll": 0.6, "by_category": {"c": group}}
    (path / "evaluation.json").write_text(json.dumps(evaluation))
    return path


def test_the_comparisons_that_flip_are_listed_by_how_much_their_margins_differ(tmp_path):
    first = folder_of(tmp_path / "a", [1.0, -0.5, 2.0, -1.0, 0.0, 0.3])
    second = folder_of(tmp_path / "b", [2.0, 0.5, -3.0, -2.0, 1.0, None])
    flips = flips_of(first, second)
    assert [(flip.place, flip.margin_a, flip.margin_b) for flip in flips] == [
        ("s.jsonl:3", 2.0, -3.0),
        ("s.jsonl:2", -0.5, 0.5),
    ]
    assert [flip.only_a for flip in flips] == [True, False]


def test_many_flips_are_bounded(tmp_path):
    count = FLIPS_SHOWN + 20
    first = folder_of(tmp_path / "a", [1.0] * count)
    second = folder_of(tmp_path / "b", [-1.0 - k for k in range(count)])
    flips = flips_of(first, second)
    assert len(flips) == FLIPS_SHOWN
    assert flips[0].margin_b == -float(count)


@pytest.fixture
def runs(tmp_path):
    better = [1.0 if k % 10 else -1.0 for k in range(200)]
    worse = [1.0 if k % 2 else -1.0 for k in range(200)]
    return folder_of(tmp_path / "one" / "better", better, HOSTILE), folder_of(tmp_path / "worse", worse)


def test_compare_writes_a_page_a_text_and_the_numbers(runs, tmp_path):
    result = run(Config(a=runs[0], b=runs[1], output=tmp_path / "out"))
    page, text = ((tmp_path / "out" / f"comparison.{end}").read_text(encoding="utf-8") for end in ("html", "md"))
    content = json.loads((tmp_path / "out/comparison.json").read_text())
    assert content["accuracy_difference"] == pytest.approx(0.4)
    assert "better is better than worse" in page
    assert "better is better than worse" in text
    assert "+40.00" in page
    outline = Outline(page)
    assert outline.tags.count("script") == 1
    assert "img" not in outline.tags
    assert str(tmp_path / "out" / "comparison.html") in result.to_text()


def test_a_comparison_that_is_there_is_not_replaced_unasked(runs, tmp_path):
    config = Config(a=runs[0], b=runs[1], output=tmp_path / "out")
    run(config)
    with pytest.raises(OutputError, match="already exists"):
        run(config)
    run(Config(a=runs[0], b=runs[1], output=tmp_path / "out", overwrite=True))


def pair(low, high, p, **more):
    return {"a": "A", "b": "B", "accuracy_difference": (low + high) / 2, "ci": [low, high], "p_value": p, **more}


def test_a_run_is_called_better_only_where_interval_and_test_agree():
    assert settled(pair(0.01, 0.03, 0.01)) == "A"
    assert settled(pair(-0.03, -0.01, 0.01)) == "B"
    assert settled(pair(0.01, 0.03, 0.2)) is None
    assert settled(pair(-0.01, 0.03, 0.01)) is None
    names = {"A": "one", "B": "two"}
    assert headline([pair(-0.03, -0.01, 0.01)], names, TEXTS["en"]) == "two is better than one"
    assert "No significant" in headline([pair(-0.01, 0.01, 0.9)], names, TEXTS["en"])
    three = [pair(0.01, 0.03, 0.01), pair(0, 0, 1), pair(0, 0, 1)]
    assert headline(three, {**names, "C": "three"}, TEXTS["en"]).startswith("1 of 3")


def test_a_result_without_a_list_of_pairs_is_one_pair():
    content = {"accuracy_difference": 0.1, "ci": [0, 0.2], "p_value": 0.1}
    assert [(one["a"], one["b"], one["accuracy_difference"]) for one in pairs_of(content)] == [("A", "B", 0.1)]


def test_pairs_of_several_runs_are_named_in_order_and_their_p_values_adjusted():
    listed = [{"difference": 0.1 * k, "ci": [0, 1], "p_value": 0.01, "p_adjusted": 0.03, "n": 9} for k in range(3)]
    pairs = pairs_of({"test": "sign_flip", "minimal_detectable": 0.02, "pairs": listed})
    assert [(one["a"], one["b"], one["p_value"]) for one in pairs] == [
        ("A", "B", 0.03),
        ("A", "C", 0.03),
        ("B", "C", 0.03),
    ]
    first, second = (pair_sentence(one, TEXTS["en"]) for one in pairs[:2])
    assert "sign-flip" in first
    assert "2.00 points" in first
    assert "sign-flip" not in second
    assert "seed" in pair_sentence({**pairs[1], "seeds_only": True}, TEXTS["en"])


def test_differences_by_category_are_drawn_where_they_were_tested():
    rows = [{"category": "math", "difference": 0.05, "ci": [0.01, 0.09], "p_value": 0.02}]
    plot = category_differences({"a": "A", "b": "B", "by_category": rows}, TEXTS["en"])
    assert ">p = 0.02<" in plot.svg
    assert category_differences({"a": "A", "b": "B"}, TEXTS["en"]) is None
