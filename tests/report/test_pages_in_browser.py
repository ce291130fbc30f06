"""The pages on data and on several runs in a browser; skipped where no Chromium is installed."""

import json

import pytest
from test_comparison_page import folder_of
from test_report_in_browser import ACTIONS, acted, pytestmark  # noqa: F401

from rewardsmith.commands.compare import Config, run
from rewardsmith.commands.prepare import Config as PrepareConfig
from rewardsmith.commands.prepare import run as prepare
from rewardsmith.language import speaking

WIDE = "const all = document.documentElement; return [all.scrollWidth, all.clientWidth];"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    first = folder_of(folder / "a", [1.0 if k % 10 else -1.0 for k in range(60)], "长的回复" * 100)
    second = folder_of(folder / "b", [1.0 if k % 3 else -1.0 for k in range(60)])
    run(Config(a=first, b=second, output=folder / "out"))
    return (folder / "out/comparison.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_on_data_fits_a_phone(tmp_path, lang):
    rows = [json.dumps({"prompt": f"q {k}", "chosen": "好的 " + "x" * 90, "rejected": "no"}) for k in range(20)]
    (tmp_path / "in.jsonl").write_text("\n".join([*rows, rows[0]]), encoding="utf-8")
    with speaking(lang):
        prepare(PrepareConfig(sources=(str(tmp_path / "in.jsonl"),), output=tmp_path / "out"))
    page = (tmp_path / "out/quality.html").read_text(encoding="utf-8")
    open_all = "document.querySelectorAll('details').forEach((one) => { one.open = true; });"
    wide, room = acted(tmp_path, page, open_all + WIDE, width=360)
    assert wide <= room


def test_the_page_on_two_runs_fits_a_phone_and_filters_by_who_is_right(tmp_path, compared):
    script = """
      const all = rows().length;
      set('right', 'A', 'change'); const a = [rows().length, new Set(values('right')).size];
      set('right', '', 'change');
      const sorted = by('first').map(Number);
      part('toggle-all').click();
      const page = document.documentElement;
      return { all, a, sorted, wide: page.scrollWidth - page.clientWidth };"""
    found = acted(tmp_path, compared, ACTIONS + script, width=360)
    assert found["all"] > found["a"][0] > 0
    assert found["a"][1] == 1
    assert found["sorted"] == sorted(found["sorted"])
    assert found["wide"] <= 0
