import numpy as np
import pytest

from rewardsmith.errors import DataError
from rewardsmith.evaluate.comparisons import Comparisons, Rankings, check_array


def build(**changed):
    columns = {
        "margin": np.array([1.0, -2.0]),
        "preference": np.array([1.0, 0.5]),
        "weight": np.ones(2),
        "cluster": np.array([0, 0]),
    }
    return Comparisons(**{**columns, **changed})


def test_take_keeps_rows_together():
    whole = build(
        preferred_text=["a", "b"], other_text=("c", "d"), category=np.array(["x", "y"]), turns=np.array([1, 2])
    )
    second = whole.take(np.array([False, True]))
    assert (len(second), second.margin.tolist(), second.preferred_text, second.other_text) == (1, [-2.0], ["b"], ["d"])
    assert (second.category.tolist(), second.turns.tolist(), second.label_strength) == (["y"], [2], None)
    assert whole.take(np.array([1, 0])).margin.tolist() == [-2.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight": np.ones(3)}, r"weight has the shape \(3,\); expected \(2,\)"),
        ({"margin": np.ones((2, 1))}, r"margin has the shape \(2, 1\)"),
        ({"margin": np.array([1.0, np.nan])}, r"margin\[1\] is nan; expected a finite number; 1 rows"),
        ({"margin": np.array([1, 2])}, "margin is an array of int64; expected float"),
        ({"preference": np.array([0.4, 1.0])}, r"preference\[0\] is 0.4; expected \[0.5, 1\]; swap"),
        ({"weight": np.array([1.0, -1.0])}, r"weight\[1\] is -1.0"),
        ({"cluster": np.array([0.0, 1.0])}, "cluster is an array of float64; expected integer"),
        ({"category": np.array([1, 2])}, "expected text"),
        ({"preferred_length": np.ones(2)}, "only one of preferred_length and other_length"),
        ({"preferred_text": ["a"], "other_text": ["b"]}, "preferred_text has 1 texts; expected 2"),
        ({"preferred_reward": np.array([1.0, 0.0]), "other_reward": np.array([0.0, 1.0])}, r"margin\[1\] is -2.0, but"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    with pytest.raises(DataError, match=message):
        build(**changed)


def test_a_list_is_not_converted():
    with pytest.raises(DataError, match=r"margin is a list; expected a numpy array of shape \(2,\)"):
        check_array("margin", [1.0, 2.0], kinds="f", size=2)


def test_unknown_label_strength_is_allowed():
    assert np.isnan(build(label_strength=np.array([np.nan, 2.0])).label_strength[0])


def test_rewards_in_single_precision_fit_their_margin():
    preferred, other = np.array([30.1, 1.0], dtype=np.float32), np.array([-7.3, 3.0], dtype=np.float32)
    rounded = build(margin=(preferred - other).astype(np.float64), preferred_reward=preferred, other_reward=other)
    assert len(rounded) == 2


def test_rankings_are_checked_too():
    with pytest.raises(DataError, match="reward has the shape"):
        Rankings(np.zeros(3, dtype=int), np.zeros(3), np.zeros(2))
