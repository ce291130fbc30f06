"""What a card says of benchmarks and bias audits."""

import pytest
from test_extra_blocks import AUDIT, BENCHMARK, effect
from test_report_page import HOSTILE

from rewardsmith.report.card.measured import SHOWN_EFFECTS, audit_counts, benchmark_rows, effects_found


def test_a_card_names_the_effects_found_the_largest_first_and_counts_all():
    audit = {
        "effects": [
            effect("small", "found", 0.2, [0.1, 0.3]),
            effect("large", "found", -0.9, [-1, -0.8]),
            *AUDIT["effects"],
        ]
    }
    assert [one["size"] for one in effects_found(audit, "en")] == [
        "-0.90 [-1.00, -0.80]",
        "+0.50 [+0.40, +0.60]",
        "+0.20 [+0.10, +0.30]",
    ]
    assert audit_counts(audit) == {"found": 3, "excluded": 1, "cannot_tell": 0}


def test_a_card_without_audit_and_benchmark_says_nothing_of_them():
    assert effects_found({}, "en") == []
    assert audit_counts({}) == {}
    assert benchmark_rows({"benchmark": {"name": "x", "score": None}}) == []


@pytest.mark.parametrize(("lang", "title"), [("en", "the padding"), ("zh", "该padding")])
def test_titles_are_in_the_language_of_the_card(lang, title):
    assert effects_found(AUDIT, lang)[0]["title"] == title


def test_many_effects_are_bounded_and_none_of_their_texts_is_quoted():
    audit = {"effects": [effect(f"e{k}", "found", 0.1 * k, [0, 1]) for k in range(30)]}
    shown = effects_found(audit, "en")
    assert len(shown) == SHOWN_EFFECTS
    assert HOSTILE not in str(shown)


def test_a_benchmark_stands_with_its_interval():
    assert benchmark_rows({"benchmark": BENCHMARK}) == [
        {"name": "rm-bench", "score": "0.700 [0.650, 0.750]", "items": "400"}
    ]
