"""The report as a browser shows and prints it; skipped where no Chromium is installed."""

import json
import re
import shutil
import subprocess

import pytest
from test_report_page import full_facts

from rewardsmith.diagnose.compared import gather
from rewardsmith.diagnose.facts import Facts
from rewardsmith.diagnose.verdict import judge
from rewardsmith.report.page import ERRORS_ON_PAPER, render_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

MARGIN, LENGTH, CATEGORY, PREFERRED, OTHER = 0, 1, 2, 4, 5


def browse(folder, page, *options):
    """What the browser writes to standard output for a page."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", *options]
    done = subprocess.run([*words, path.as_uri()], capture_output=True, check=True, timeout=600)
    return done.stdout.decode(errors="replace")


def acted(folder, page, script):
    """What a script finds on the page once it has acted there: the value that it returns."""
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    asked = f"<script>document.body.textContent = '⟪' + JSON.stringify((() => {{ {script} }})()) + '⟫';</script></body>"
    shown = browse(folder, free.replace("</body>", asked), "--dump-dom")
    return json.loads(shown.split("⟪")[1].split("⟫")[0])


def page_of(rewards, lengths=None, categories=None, text="bad answer"):
    """A page of errors with these rewards of the preferred response; the other's is 20 higher, by ever more."""
    count = len(rewards)
    rows = (
        (
            f"comparisons.jsonl:{k + 1}",
            {
                **{"reward_i": rewards[k], "reward_j": rewards[k] + 20 + k, "margin": -20.0 - k},
                **{"prompt": "question", "text_i": text, "text_j": text, "length_i": 10},
                "length_j": (lengths or [12] * count)[k],
                "category": (categories or ["a"] * count)[k],
            },
        )
        for k in range(count)
    )
    facts = Facts(name="run", n=count, accuracy=0.5, compared=gather(rows))
    return render_page(judge(facts), facts)


SORTED = """
const heads = document.querySelectorAll('#errors thead button');
const rows = () => [...document.querySelectorAll('#errors tbody tr')];
const column = (k) => rows().map((row) => {
  const cell = row.cells[k];
  return k > 3 ? Number(cell.querySelector('small').textContent) : cell.firstChild.textContent;
});
const sorted = (k) => { heads[k].click(); return column(k); };
"""


def test_every_column_sorts_by_what_it_means(tmp_path):
    rewards = [-10.5, 9.0, -2.25, 100.0, 0.5, -9.0, 10.0]
    page = page_of(rewards, [12, 110, 19, 210, 8, 10, 12], [f"group {k}" for k in (10, 9, 2, 1, 100, 20, 3)])
    script = (
        SORTED
        + f"""
      return {{ rising: sorted({PREFERRED}), falling: sorted({PREFERRED}), other: sorted({OTHER}),
                margin: sorted({MARGIN}), length: sorted({LENGTH}), category: sorted({CATEGORY}) }};"""
    )
    found = acted(tmp_path, page, script)
    assert found["rising"] == sorted(rewards)
    assert found["falling"] == sorted(rewards, reverse=True)
    assert found["other"] == sorted(found["other"])
    for name in ("margin", "length"):
        values = [float(value) for value in found[name]]
        assert values == sorted(values)
    assert found["category"] == [f"group {k}" for k in (1, 2, 3, 9, 10, 20, 100)]


def test_an_unknown_length_comes_last_in_both_directions(tmp_path):
    page = page_of([1.0, 2.0, 3.0], [12, None, 30])
    found = acted(tmp_path, page, SORTED + f"return [sorted({LENGTH}), sorted({LENGTH})];")
    assert [values[-1] for values in found] == ["–", "–"]
    assert found[0][:2] == found[1][1::-1]


PRINTED = """
const printed = [...document.querySelectorAll('#errors tbody tr')].filter((row) => !row.hidden)
  .filter((row) => !row.classList.contains('not-on-paper')).length;
const note = document.getElementById('on-paper');
return [printed, note.hidden ? '' : note.textContent];
"""


def test_ten_errors_go_on_paper_and_the_rest_is_counted(tmp_path):
    page = page_of([float(k) for k in range(25)], categories=[f"group {k % 2}" for k in range(25)])
    click = f"document.querySelectorAll('#errors thead button')[{PREFERRED}].click();"
    few = "const box = document.getElementById('filter'); box.value = 'group 1'; box.dispatchEvent(new Event('input'));"
    none = few.replace("group 1", "comparisons.jsonl:7")
    for act, shown in (("", 25), (click, 25), (few, 12), (none, 1)):
        count, note = acted(tmp_path, page, act + PRINTED)
        assert count == min(shown, ERRORS_ON_PAPER)
        assert re.findall(r"\d+", note) == ([str(shown - ERRORS_ON_PAPER)] if shown > ERRORS_ON_PAPER else [])


def pages(folder, page):
    """How many sheets of paper a page takes."""
    browse(folder, page, f"--print-to-pdf={folder}/page.pdf")
    return len(re.findall(rb"/Type ?/Page\b", (folder / "page.pdf").read_bytes()))


def test_paper_has_the_wide_layout_and_few_sheets(tmp_path):
    """On paper of A4 the page is narrower than a phone's limit; 60 errors once took 52 sheets."""
    facts = full_facts(("good answer " * 60, "bad answer " * 80))
    page = render_page(judge(facts), facts)
    assert page.count("<tr") > 50
    assert pages(tmp_path, page) <= 16
    assert pages(tmp_path, page_of([float(k) for k in range(60)])) <= 4
