"""500 responses to one prompt are 124,750 comparisons of 500 texts: each text is looked at once."""

import json

import numpy as np
import pytest

from builders import ranking, tiny
from rewardsmith.commands import score
from rewardsmith.evaluate import baselines
from rewardsmith.pipelines import evaluate

K = 60


@pytest.fixture
def looked_at(monkeypatch):
    """Every text whose language, length or words were asked for."""
    found = {"language": [], "length": [], "grams": []}
    for module, name, key in (
        (evaluate, "language_of", "language"),
        (evaluate, "length_in_words", "length"),
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
    rows = list(evaluate.compared([record], [np.arange(K, 0, -1.0)]))
    assert len(rows) == K * (K - 1) // 2
    compared = evaluate.comparisons_of(rows)
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
