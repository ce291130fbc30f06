"""The type checks of the suite are there, in every test, and end after some calls of a function."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

import shape_checks
from rewardsmith.evaluate.metrics import accuracy


@pytest.mark.parametrize("again", [False, True])  # what the first test has used up counts anew in the second
def test_wrong_shapes_are_refused_at_first_and_not_looked_for_later(again):
    margins, preference = np.ones(3), np.ones(3)
    with pytest.raises(TypeCheckError):
        accuracy(margins, np.ones((3, 2)))
    for _ in range(shape_checks.CALLS + 1):
        assert accuracy(margins, preference) == 1.0
    with pytest.raises(Exception, match=r"^(?!.*Type-check)"):
        accuracy(margins, np.ones((2, 2)))
    shape_checks.begin_anew()
    with pytest.raises(TypeCheckError):
        accuracy(margins, np.ones((3, 2)))
