"""500 responses to one prompt are 124,750 comparisons of 500 texts: each text is looked at once."""

import json
from dataclasses import replace

import numpy as np
import pytest

from builders import ranking, tiny
from rewardsmith.commands import score
from rewardsmith.evaluate import baselines
from rewardsmith.evaluate.summary import summarize
from rewardsmith.pipelines.evaluate import evaluation
from rewardsmith.records import Comparison
from rewardsmith.report.figures import table

K = 60


@pytest.fixture
def looked_at(monkeypatch):
    """Every text whose language, length or words were asked for."""
    found = {"language": [], "length": [], "grams": []}
    for module, name, key in (
        (evaluation, "language_of", "language"),
        (evaluation, "length_in_words", "length"),
        (baselines, "grams", "grams"),
    ):
        function = getattr(module, name)

        def counted(text, function=function, key=key):
            found[key].append(text)
            return function(text)

        monkeypatch.setattr(module, name, counted)
    return found


def test_each_text_is_looked_at_once_however_many_comparisons_it_is_in(looked_at):
    record = ranking("q", *(f"answer number {k}" for k in range(K)))
    rows = list(evaluation.compared([record], [np.arange(K, 0, -1.0)]))
    assert len(rows) == K * (K - 1) // 2
    compared = evaluation.comparisons_of(rows)
    assert len(looked_at["language"]) == 1
    assert len(looked_at["length"]) == K
    assert compared.preferred_length.tolist() == [3] * len(rows)
    assert set(compared.language.tolist()) == {"en"}
    baselines.count_grams(baselines.TextPairs(compared.preferred_text, compared.other_text))
    assert sorted(looked_at["grams"]) == sorted({response.text for response in record.responses})


def test_grams_of_texts_that_stand_in_many_pairs_are_those_of_each_pair():
    preferred, other = ["a b", "a b", "c d e"], ["c d e", "a", "a"]
    counts = baselines.count_grams(baselines.TextPairs(preferred, other))
    from sklearn.feature_extraction.text import CountVectorizer

    expected = CountVectorizer(analyzer=baselines.grams).fit_transform([*preferred, *other]).toarray()
    np.testing.assert_array_equal(counts.preferred.toarray(), expected[:3])
    np.testing.assert_array_equal(counts.other.toarray(), expected[3:])


def test_500_responses_get_their_rewards_in_the_order_of_the_row(tmp_path):
    model = tiny(n_layer=1)
    model.save(tmp_path / "model")
    answers = [f"answer {k}" for k in range(500)]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "q", "responses": answers}) + "\n")
    config = score.Config(
        model=str(tmp_path / "model"), source=str(tmp_path / "rows.jsonl"), output=tmp_path / "out.jsonl", best_of=True
    )
    assert score.run(config).responses == 500
    row = json.loads((tmp_path / "out.jsonl").read_text())
    turns = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": answers[k]}] for k in (0, 250, 499)]
    np.testing.assert_allclose([row["rewards"][k] for k in (0, 250, 499)], model.score(turns), atol=1e-5)
    assert row["best"] == int(np.argmax(row["rewards"]))


def test_votes_of_a_comparison_reach_the_ceiling_undecided_ones_left_out():
    record = ranking("q", "one", "two")
    voted = replace(record, comparisons=(Comparison(0, 1, 0.625, votes=(2, 1, 1)), Comparison(0, 1)))
    found = evaluation.comparisons_of(list(evaluation.compared([voted], [np.array([1.0, 0.0])])))
    assert (found.preferring.tolist(), found.votes.tolist()) == ([2, 0], [3, 0])
    lines = table({**summarize(found, resamples=50).to_json()})
    assert any("two agree in 33.3 % (n = 1 comparisons" in line and "0.500 to 0.500" in line for line in lines)
