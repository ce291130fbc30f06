"""RATE by hand: side effects of rewriting cancel out between the rewrite and the rewrite of the rewrite."""

import json

import numpy as np
import pytest

from known_rewards import scorer
from rewardsmith.audit.biases.rewrites import read_rewrites, rewrite_effects
from rewardsmith.audit.effect import Scale, adjusted
from rewardsmith.errors import DataError

UNIT = Scale(1.0, within=True, prompts=1)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(count):
    """Half of the responses have the attribute (POLITE); a rewrite also fixes a typo, which is paid for as well."""
    made = []
    for k in range(count):
        has = k % 2 == 0
        marked, plain = f"POLITE text {k}", f"text {k}"
        original, other = (f"{marked} typo", plain) if has else (f"{plain} typo", marked)
        made.append(
            {
                "attribute": "polite",
                "has": has,
                "prompt": f"p{k}",
                "response": original,
                "rewrite": other,
                "rewrite_of_rewrite": marked if has else plain,
            }
        )
    return made


def reward(prompt, text):
    return (0.5 if "POLITE" in text else 0.0) - (2.0 if "typo" in text else 0.0) + int(prompt[1:]) / 10


def test_the_effect_of_the_attribute_is_found_without_that_of_rewriting(tmp_path):
    found = read_rewrites(write(tmp_path / "r.jsonl", rows(40)))
    (effect,) = adjusted(list(rewrite_effects(found, scorer(reward), UNIT, bound=0.2, seed=0)))
    assert effect.effect_sd == pytest.approx(0.5)
    assert effect.details["att"] == pytest.approx(0.5)
    assert effect.details["atu"] == pytest.approx(0.5)
    assert effect.details["rewriting_itself"] == pytest.approx(2.0)
    assert effect.details["single_rewrite"] == pytest.approx(0.5)  # balanced: -1.5 with the attribute, 2.5 without
    assert effect.status == "found"
    assert "POLITE" in effect.examples[0].after
    assert "POLITE" not in effect.examples[0].before


def test_the_ate_weighs_by_how_many_have_the_attribute_and_a_single_rewrite_is_biased(tmp_path):
    found = read_rewrites(write(tmp_path / "r.jsonl", [row for row in rows(40) if row["has"]]))
    (effect,) = rewrite_effects(found, scorer(reward), UNIT, bound=0.2, seed=0)
    assert effect.effect_sd == pytest.approx(0.5)
    assert effect.details["single_rewrite"] == pytest.approx(-1.5)
    assert np.isnan(effect.details["atu"])


@pytest.mark.parametrize(
    ("change", "message"),
    [({"has": "yes"}, "has is 'yes'"), ({"rewrite": None}, "rewrite is None"), ({"prompt": 3}, "prompt is 3")],
)
def test_a_row_without_what_is_needed_is_named(tmp_path, change, message):
    path = write(tmp_path / "r.jsonl", [rows(1)[0], {**rows(1)[0], **change}])
    with pytest.raises(DataError, match=f"r.jsonl:2: {message}"):
        read_rewrites(path)


def test_a_missing_and_an_empty_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_rewrites(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="empty"):
        read_rewrites(write(tmp_path / "empty.jsonl", []))
