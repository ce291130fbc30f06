"""A template's clock stands still, however it is asked, and for every reader of the saved tokenizer."""

import datetime
import subprocess
import sys

import pytest

from builders import DATE, pair
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.scoring.contract import make_contract
from rewardsmith.scoring.templates.clock import pin_clock
from rewardsmith.scoring.templates.renderer import Renderer
from rewardsmith.scoring.tokens import Encoder

SHOWS = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
ASKED = {
    "a string": "{{ strftime_now('%d %b %Y') }}",
    "other quotes": '{{ strftime_now( "%d %b %Y" ) }}',
    "a variable": "{% set fmt = '%d %b %Y' %}{{ strftime_now(fmt) }}",
    "a sum": "{{ strftime_now('%d ' ~ '%b %Y') }}",
    "an escaped quote": "{{ strftime_now('%d %b\\x20%Y') }}",
    "by name": "{{ strftime_now(format='%d %b %Y') }}",
    "another name": "{% set now = strftime_now %}{{ now('%d %b %Y') }}",
    "a macro": "{% macro today(how) %}{{ how('%d %b %Y') }}{% endmacro %}{{ today(strftime_now) }}",
    "inside a macro": "{% macro today(f) %}{{ strftime_now(f) }}{% endmacro %}{{ today('%d %b %Y') }}",
    "where it is defined": "{% if strftime_now is defined %}{% set d = strftime_now('%d %b ' + '%Y') %}{{ d }}{% endif %}",
    "a loop": "{% for f in ['%d', ' %b', ' %Y'] %}{{ strftime_now(f) }}{% endfor %}",
}


@pytest.mark.parametrize("name", ASKED)
def test_every_way_of_asking_gives_the_stored_date(name):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = ASKED[name] + SHOWS
    encoder = Encoder(tokenizer, make_contract(tokenizer, "decoder", max_length=4096, date=DATE))
    assert tokenizer.decode(encoder.encode(pair("", "x", "y")).sequences[0]) == "04 Mar 2026x"
    plain = [{"role": "assistant", "content": "x"}]
    assert (
        tokenizer.apply_chat_template(plain, tokenize=False, chat_template=encoder.contract.template) == "04 Mar 2026x"
    )


def test_plain_transformers_reads_the_stored_date_on_another_day(tmp_path):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = pin_clock("".join(ASKED.values()) + SHOWS, DATE)
    tokenizer.save_pretrained(tmp_path)
    program = (
        "import datetime, sys\n"
        "import transformers.utils.chat_template_utils as utils\n"
        "class Later(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls(2031, 12, 31, 23, 59)\n"
        "assert hasattr(utils, 'datetime')\n"
        "utils.datetime = Later\n"
        "from transformers import AutoTokenizer\n"
        "turns = [{'role': 'user', 'content': 'x'}]\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "print(tokenizer.apply_chat_template(turns, tokenize=False))\n"
        "print(tokenizer.apply_chat_template(turns, tokenize=False, chat_template=\"{{ strftime_now('%Y') }}\"))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "04 Mar 2026" * len(ASKED) + "x"
    assert done.stdout.split("\n")[1] == "2031"


def test_every_code_is_that_of_strftime():
    day = datetime.date(2026, 3, 4)
    codes = [*"aAbBcdeFHIjmMpSuUVwWxXyYZD", *(f"-{code}" for code in "dmHIMSj")]
    written = "|".join(f"%{code}" for code in codes) + "|%%d|100%%"
    template = pin_clock("{% set f = '" + written + "' %}{{ strftime_now(f) }}", day)
    turns = [{"role": "user", "content": "x"}]
    rendered = byte_tokenizer().apply_chat_template(turns, tokenize=False, chat_template=template)
    assert rendered == datetime.datetime(2026, 3, 4).strftime(written)


def test_a_template_that_does_not_ask_or_only_with_a_string_stays_as_it_was():
    for template in (SHOWS, "{% if strftime_now is defined %}x{% endif %}" + SHOWS, "{# strftime_now(f) #}" + SHOWS):
        assert pin_clock(template, DATE) == template
    assert pin_clock("{{ strftime_now('%Y') }}\n", DATE) == "{{ '2026' }}\n"
    pinned = pin_clock(ASKED["a variable"], DATE)
    assert pin_clock(pinned, datetime.date(2030, 1, 1)) == pinned


@pytest.mark.parametrize("start", ["\n", "  ", "\n\n  {% if true %}a{% endif %}\n", "  {% if true %}b{% endif %} "])
def test_white_space_at_the_beginning_is_rendered_as_before(start):
    tokenizer, turns = byte_tokenizer(), [{"role": "user", "content": "x"}]
    template = start + "{% set f = 'day' %}{{ strftime_now(f) }}" + SHOWS
    expected = tokenizer.apply_chat_template(turns, tokenize=False, chat_template=template)
    assert tokenizer.apply_chat_template(turns, tokenize=False, chat_template=pin_clock(template, DATE)) == expected


def test_a_contract_of_an_earlier_version_whose_clock_ran_is_read_on_its_own_day():
    from dataclasses import replace

    tokenizer = byte_tokenizer()
    contract = make_contract(tokenizer, "decoder", max_length=256, date=DATE)
    encoder = Encoder(tokenizer, replace(contract, template=ASKED["a variable"] + SHOWS))
    assert tokenizer.decode(encoder.encode(pair("", "x", "y")).sequences[0]) == "04 Mar 2026x"
    assert Renderer(tokenizer, ASKED["a variable"], kwargs={}).render(pair("q", "a", "b").prompt) == "01 Jan 2025"
