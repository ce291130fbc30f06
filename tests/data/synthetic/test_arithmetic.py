"""Built-in solutions by steps: what their labels say is what the numbers say."""

import re

from rewardsmith.data.synthetic.arithmetic import LARGEST, arithmetic

STEP = re.compile(r"(\d) ([+-]) (\d) = (\d)")


def test_labels_follow_from_the_numbers():
    whole = 0
    for record in arithmetic(200):
        labels = record.ratings["overall"]
        parts = [STEP.search(step).groups() for step in record.steps]
        right = [int(a) + int(f"{sign}{b}") == int(c) for a, sign, b, c in parts]
        first = right.index(False) if False in right else len(right)
        assert list(labels) == [1.0] * first + [0.0][: len(right) - first] + [None] * (len(right) - first - 1)
        assert all(right[first + 1 :])  # one error each
        assert [after for *_, after in parts[:-1]] == [before for before, *_ in parts[1:]]
        assert all(0 <= int(after) <= LARGEST for *_, after in parts)
        whole += first == len(right)
    assert 80 <= whole <= 120


def test_a_row_depends_on_its_seed_and_its_number_alone():
    many, few = list(arithmetic(8, seed=3)), list(arithmetic(4, seed=3))
    assert [record.id for record in many[:4]] == [record.id for record in few]
    assert many[0].id != next(arithmetic(1, seed=4)).id
    assert "开始" in many[1].prompt[0].content
