from builders import pair
from rewardsmith.data.loading.load import load
from rewardsmith.data.merging import merge_prompts


def test_pairs_of_one_prompt_become_one_ranking_with_every_comparison():
    records = [pair("q", "a", "b"), pair("other", "x", "y"), pair("q", "b", "c", preference=0.75), pair("q", "a", "c")]
    ranking, other = merge_prompts(records)
    assert [response.text for response in ranking.responses] == ["a", "b", "c"]
    assert [(c.i, c.j, c.preference) for c in ranking.comparisons] == [(0, 1, 1.0), (1, 2, 0.75), (0, 2, 1.0)]
    assert other is records[1]


def test_what_is_shown_first_moves_with_its_response():
    merged = merge_prompts([pair("q", "a", "b"), pair("q", "c", "b", shown_first=1)])[0]
    assert merged.comparisons[1].shown_first == 1
    assert merged.responses[1].text == "b"


def test_responses_that_were_rated_in_rows_apart_are_compared_by_their_ratings():
    row = {"question": "q", "passage": "x", "rating": ["Bad"]}
    better = row | {"passage": "y", "rating": ["Excellent", "Acceptable"]}
    records = load([row, row | {"question": "other"}, better]).records
    first, other = merge_prompts(records)
    assert [(c.i, c.j, c.margin) for c in first.comparisons] == [(1, 0, 2.5)]
    assert other is records[1]
