"""Commands and sentences on a page: no word of a command is broken, code is set as code, and texts stay texts."""

import re

from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.report.run.plots import group_plots
from rewardsmith.report.templating import environment, with_code
from rewardsmith.report.text import TEXTS


def test_each_word_of_a_command_is_kept_whole_and_the_command_reads_the_same():
    parts = environment().get_template("parts.html").module
    found = str(parts.command("rewardsmith train --lr 2e-4 --output 'a <b>'"))
    assert found.count('<span class="w">') == 7
    assert '<span class="w">--lr</span> <span class="w">2e-4</span>' in found
    assert "<b>" not in found
    assert re.sub("<[^>]*>", "", found) == "rewardsmith train --lr 2e-4 --output &#39;a &lt;b&gt;&#39;"


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup():
    assert str(with_code("Let `diagnose` <i>measure</i> `it")) == (
        "Let <code>diagnose</code> &lt;i&gt;measure&lt;/i&gt; `it"
    )
    assert str(with_code("`<script>`")) == "<code>&lt;script&gt;</code>"


def test_a_single_group_has_no_chart():
    one, two = (GroupFacts("1", 90, 0.8),), (GroupFacts("a", 40, 0.7), GroupFacts("b", 50, 0.9))
    facts = Facts(accuracy=0.8, n=90, by_category=two, by_difficulty={"turns": one})
    assert len(group_plots(facts, TEXTS["en"])) == 1
