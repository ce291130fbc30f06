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
from rewardsmith.report.run.errors import ERRORS_ON_PAPER
from rewardsmith.report.run.evidence import NO_EVIDENCE, Evidence
from rewardsmith.report.run.page import render_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def browse(folder, page, *options):
    """What the browser writes to standard output for a page."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", *options]
    done = subprocess.run([*words, path.as_uri()], capture_output=True, check=True, timeout=600)
    return done.stdout.decode(errors="replace")


def acted(folder, page, script, width=1400):
    """What a script finds on the page, `width` px wide, once it has acted there: the value that it returns.

    The page lies in a frame, which may be as narrow as a phone; its policy, which would forbid the script, is taken out.
    """
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    (folder / "inner.html").write_text(free, encoding="utf-8")
    outer = f"""<body><iframe id="f" src="inner.html" width="{width}" height="2000"></iframe><script>
      document.getElementById("f").addEventListener("load", (event) => {{
        const window = event.target.contentWindow, document = window.document;
        const found = (() => {{ {script} }})();
        globalThis.document.body.textContent = "⟪" + JSON.stringify(found) + "⟫";
      }});</script></body>"""
    shown = browse(folder, f'<meta charset="utf-8">{outer}', "--dump-dom", "--allow-file-access-from-files")
    return json.loads(shown.split("⟪")[-1].split("⟫")[0])


def page_of(rewards, lengths=None, categories=None, text="bad answer", evidence=NO_EVIDENCE):
    """A page of errors with these rewards of the preferred response; the other's is 20 higher, by ever more."""
    count = len(rewards)
    rows = (
        (
            f"comparisons.jsonl:{k + 1}",
            {
                **{"reward_i": rewards[k], "reward_j": rewards[k] + 20 + k, "margin": -20.0 - k},
                **{"id": f"r{k}", "i": 0, "j": 1, "prompt": "question"},
                **{"text_i": text, "text_j": text, "length_i": 10},
                "length_j": (lengths or [12] * count)[k],
                "category": (categories or ["a"] * count)[k],
            },
        )
        for k in range(count)
    )
    facts = Facts(name="run", n=count, accuracy=0.5, compared=gather(rows))
    return render_page(judge(facts), facts, evidence=evidence)


ACTIONS = """
const part = (id) => document.getElementById(id);
const rows = () => [...part('list').children].filter((row) => !row.hidden);
const values = (name) => rows().map((row) => row.dataset[name]);
const set = (id, value, event) => { part(id).value = value; part(id).dispatchEvent(new window.Event(event)); };
const by = (name) => { set('sort', name, 'change'); return values(name); };
const open = () => rows().filter((row) => row.querySelector('.body').offsetHeight > 0).length;
"""


def numbers(texts):
    return [float(text) for text in texts]


def test_errors_sort_by_what_they_mean_in_both_directions(tmp_path):
    rewards = [-10.5, 9.0, -2.25, 100.0, 0.5, -9.0, 10.0]
    page = page_of(rewards, [12, 110, 19, 210, 8, 10, 12], [f"group {k}" for k in (10, 9, 2, 1, 100, 20, 3)])
    script = """
      const rising = by('preferred');
      part('direction').click();
      const falling = by('preferred');
      part('direction').click();
      return { rising, falling, other: by('other'), margin: by('margin'), length: by('length'),
        category: by('category') };"""
    found = acted(tmp_path, page, ACTIONS + script)
    assert numbers(found["rising"]) == sorted(rewards)
    assert numbers(found["falling"]) == sorted(rewards, reverse=True)
    for name in ("other", "margin", "length"):
        assert numbers(found[name]) == sorted(numbers(found[name]))
    assert found["category"] == [f"group {k}" for k in (1, 2, 3, 9, 10, 20, 100)]


def test_an_unknown_length_comes_last_in_both_directions(tmp_path):
    page = page_of([1.0, 2.0, 3.0], [12, None, 30])
    found = acted(
        tmp_path, page, ACTIONS + "const up = by('length'); part('direction').click(); return [up, by('length')];"
    )
    assert [values[-1] for values in found] == ["nan", "nan"]
    assert found[0][:2] == found[1][1::-1]


def test_filters_narrow_the_list_and_count_what_is_left(tmp_path):
    page = page_of([float(k) for k in range(25)], [12, 8] * 12 + [12], [f"group {k % 2}" for k in range(25)])
    script = """
      const told = () => [rows().length, part('matching').textContent];
      const all = told();
      set('search', 'GROUP 1', 'input'); const searched = told(); set('search', '', 'input');
      set('category', 'group 0', 'change'); const chosen = told(); set('category', '', 'change');
      set('longer', '1', 'change'); const longer = told(); set('longer', '', 'change');
      set('least', '30', 'input'); const least = told();
      set('search', 'nowhere', 'input');
      return { all, searched, chosen, longer, least, none: [rows().length, part('none').hidden] };"""
    found = acted(tmp_path, page, ACTIONS + script)
    assert found["all"] == [25, "25 of 25"]
    assert found["searched"] == [12, "12 of 25"]
    assert found["chosen"] == [13, "13 of 25"]
    assert found["longer"] == [12, "12 of 25"]
    assert found["least"] == [15, "15 of 25"]  # margins -30 to -44
    assert found["none"] == [0, False]


def test_errors_open_and_close(tmp_path):
    script = """
      const before = open();
      rows()[3].querySelector('button').click();
      const two = [open(), rows()[3].querySelector('button').getAttribute('aria-expanded')];
      rows()[3].querySelector('button').click();
      part('toggle-all').click();
      const all = open();
      part('toggle-all').click();
      return { before, two, all, none: open() };"""
    found = acted(tmp_path, page_of([float(k) for k in range(9)]), ACTIONS + script)
    assert found == {"before": 1, "two": [2, "true"], "all": 9, "none": 0}


def test_the_responses_are_coloured_by_token_where_that_was_measured(tmp_path):
    sides = [{"texts": ["bad", " answer", "\n"], "values": values} for values in ([0.5, -0.5, 0.0], [0.25, 0.0, 9.0])]
    evidence = Evidence(error_tokens=[{"id": "r2", "i": 0, "j": 1, "sides": sides}])  # of the worst of three errors
    script = """
      const seen = (name) => [...document.querySelectorAll(name)].filter((one) => one.offsetHeight > 0).length;
      const state = () => [seen('.side > .text'), seen('.side > .tokens'), seen('.of-tokens')];
      part('toggle-all').click();
      const before = state();
      set('colour', 'by-token', 'change');
      const spans = [...document.querySelectorAll('.tokens span')].map((one) => [one.className, one.textContent, one.title]);
      const colours = new Set([...document.querySelectorAll('.tokens span')].map((one) =>
        window.getComputedStyle(one).backgroundColor));
      const after = state();
      set('colour', '', 'change');
      return { before, after, again: state(), spans, colours: colours.size };"""
    found = acted(tmp_path, page_of([0.0, 1.0, 2.0], evidence=evidence), ACTIONS + script)
    assert found["before"] == found["again"] == [6, 0, 0]  # three errors, both responses each
    assert found["after"] == [4, 2, 3]  # those without tokens keep their differences, and say so
    assert found["spans"][:2] == [["v3", "bad", "+0.5"], ["v-3", " answer", "-0.5"]]
    assert ["v3", "↵\n", "+9"] in found[
        "spans"
    ]  # a line break has a sign, and does not take the colour from the others
    assert found["colours"] >= 3


def test_a_page_without_token_values_says_why(tmp_path):
    script = "return [!!part('colour'), document.getElementById('errors').textContent]"
    shown = acted(tmp_path, page_of([0.0], evidence=Evidence(why_no_tokens="it is an encoder")), ACTIONS + script)
    assert shown[0] is False
    assert "it is an encoder" in shown[1]


def test_ten_errors_go_on_paper_and_the_rest_is_counted(tmp_path):
    page = page_of([float(k) for k in range(25)], categories=[f"group {k % 2}" for k in range(25)])
    script = """
      const onPaper = () => rows().filter((row) => !row.classList.contains('not-on-paper')).length;
      const printed = () => [onPaper(), part('on-paper').textContent];
      const all = printed();
      set('sort', 'preferred', 'change'); const sorted = printed();
      set('search', 'comparisons.jsonl:7', 'input');
      return [all, sorted, printed()];"""
    found = acted(tmp_path, page, ACTIONS + script)
    assert [count for count, _ in found] == [ERRORS_ON_PAPER, ERRORS_ON_PAPER, 1]
    assert [re.findall(r"\d+", note) for _, note in found] == [["10", "25"], ["10", "25"], ["1", "25"]]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_screen(tmp_path, width, lang):
    facts = full_facts(("a_word_that_is_long_" * 30, "好的回复" * 80))
    page = render_page(judge(facts), facts, lang=lang)
    script = (
        "part('toggle-all').click(); const all = document.documentElement; return [all.scrollWidth, all.clientWidth];"
    )
    wide, room = acted(tmp_path, page, ACTIONS + script, width=width)
    assert wide <= room <= width


def test_the_policy_lets_the_page_run_and_nothing_else(tmp_path):
    """Without the policy taken out: the page's own script has closed the errors, a foreign one does not run."""
    page = page_of([1.0, 2.0], text="<script>document.title = 'taken'</script>")
    foreign = "<script>document.title = 'taken'</script></body>"
    shown = browse(tmp_path, page.replace("</body>", foreign), "--dump-dom")
    assert 'class="error closed"' in shown
    assert "<title>taken" not in shown


def pages(folder, page):
    """How many sheets of paper a page takes."""
    browse(folder, page, f"--print-to-pdf={folder}/page.pdf")
    return len(re.findall(rb"/Type ?/Page\b", (folder / "page.pdf").read_bytes()))


def test_paper_has_the_wide_layout_and_few_sheets(tmp_path):
    """On paper of A4 the page is narrower than a phone's limit; 60 errors once took 52 sheets."""
    facts = full_facts(("good answer " * 60, "bad answer " * 80))
    page = render_page(judge(facts), facts)
    assert page.count('<article class="error') > 50
    assert pages(tmp_path, page) <= 16
    assert pages(tmp_path, page_of([float(k) for k in range(60)])) <= 5
