"""The tables of docs/audit.md are what `benchmarks/audit.py` measured."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "benchmarks" / "results" / "audit.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
COLUMNS = ("any_false_alarm", "null_excluded", "at_bound_excluded", "half_found", "covered")


def test_the_rates_on_the_page_are_those_measured():
    for row in MEASURED["rates"]:
        cells = " | ".join(f"{100 * row[name]['share']:.1f} %" for name in COLUMNS)
        assert f"| {row['prompts']} | {cells} |" in PAGE


def test_false_alarms_and_wrong_exclusions_are_within_what_is_promised():
    for row in MEASURED["rates"]:
        assert row["any_false_alarm"]["low"] <= 0.05
        assert row["at_bound_excluded"]["low"] <= 0.025
        assert row["covered"]["high"] >= 0.935


def test_the_checks_that_fail_on_the_page_are_those_measured():
    found = {name: [*model["failed"]] for name, model in MEASURED["conformance"].items()}
    assert found == {"sound": [], "positions": ["padding_left"], "template": ["template"]}
    theirs = {name: model["reward_lens"]["failed"] for name, model in MEASURED["conformance"].items()}
    assert theirs == {"sound": [], "positions": ["batch_vs_single", "left_pad_invariance"], "template": []}
    assert "| absolute positions | padding_left | batch_vs_single, left_pad_invariance |" in PAGE
