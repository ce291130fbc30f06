"""Templates that do not end, write without measure, draw at random or are none: one line within seconds."""

import time

import pytest

from builders import DATE, pair, tiny
from rewardsmith.errors import ContractError, ModelError
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.records import Message
from rewardsmith.scoring.contract import make_contract
from rewardsmith.scoring.templates.renderer import Renderer
from rewardsmith.scoring.templates.sandbox import compiled
from rewardsmith.scoring.tokens import Encoder

SHOWS = "{% for m in messages %}{{ m['role'] + ':' + m['content'] }}{% endfor %}"
GROWING = "{% set n = namespace(x='ab') %}{% for i in range(1000) %}{% set n.x = STEP %}{% endfor %}{{ n.x }}"
NESTED = "{% set n = namespace(x=['ab']) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}"
STOPPED = {
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "nested loops with text": "{% for i in range(99999) %}{% for j in range(99999) %}text{% endfor %}{% endfor %}",
    "captured text": "{% set x %}{% for i in range(99999) %}" + "x" * 9999 + "{% endfor %}{% endset %}",
    "loops that leave all out": "{% for i in range(99999) if range(99999) | select('eq', 1) | list == 1 %}{% endfor %}",
    "calls that double": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(99) }}",
    "a product": "{{ 'a' * 10**9 }}",
    "a product of a list": "{{ ([1] * 10**5) * 10**5 }}",
    "a power": "{{ 9**99999999 }}",
    "numbers that grow": GROWING.replace("'ab'", "3").replace("STEP", "n.x * n.x"),
    "a sum that doubles": GROWING.replace("STEP", "n.x + n.x"),
    "a text that doubles": GROWING.replace("STEP", "n.x ~ n.x"),
    "a replacement that doubles": GROWING.replace("STEP", "n.x.replace('a', 'aa')"),
    "a filter that doubles": GROWING.replace("STEP", "n.x | replace('a', 'aa')"),
    "lists in lists": NESTED + "{{ n.x }}",
    "a wide filter": "{{ 'a' | center(10**9) }}",
    "a wide method": "{{ 'a'.ljust(10**9) }}",
    "a wide indent": "{{ ('a\n' * 99999) | indent(99999) }}",
    "a wide format": "{{ '%999999999d' % 1 }}",
    "a wide format filter": "{{ '%999999999d' | format(1) }}",
    "a wide format method": "{{ '{:>999999999}'.format(1) }}",
    "a width that is given": "{{ '{:>{}}'.format(1, 999999999) }}",
    "a joined list": "{{ (['a' * 99999] * 99999) | join }}",
    "a list joined by a text": "{{ ('a' * 99999).join(range(99999) | map('string') | list) }}",
    "batches": "{% for x in [1] | batch(10**9, 'x') %}{% endfor %}",
}
REFUSED = {
    "{% for i in range(10**9) %}{% endfor %}": "Range too big",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "recursion",
    "{{ [1, 2] | random }}": "uses random numbers",
    "{{ [[1, 2]] | map('random') | list }}": "uses random numbers",
    "{{ lipsum() }}": "uses random numbers",
    "{{ messages[0].items }}": "where text is expected",
    "{{ tools | length }}": "NoneType",
    "{% for d in documents %}{% endfor %}": "NoneType",
    "{% include 'x' %}": "no loader",
    "{{ 'a' | nosuch }}": "No filter named 'nosuch'",
    "{{ raise_exception('first line\nsecond line') }}": "first line",
}
BROKEN = ("{% for %}", "{{ messages", "{% if x %}", "{% " * 3, "x" * 2_000_000, "{{ " + "(" * 9999 + ")" * 9999 + " }}")


def contract_of(template):
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    return make_contract(tokenizer, "decoder", max_length=256, date=DATE)


@pytest.mark.parametrize("name", STOPPED)
def test_a_template_without_end_is_stopped_at_once(name):
    start = time.thread_time()
    with pytest.raises(ModelError, match="the chat template was stopped: it loops endlessly") as caught:
        contract_of(STOPPED[name] + SHOWS)
    assert time.thread_time() - start < 6
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("template", REFUSED)
def test_what_a_template_cannot_do_is_said_in_one_line(template):
    with pytest.raises(ContractError, match=REFUSED[template]) as caught:
        contract_of(template + SHOWS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("template", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_template_is_said_in_one_line(template):
    with pytest.raises(ContractError, match="the chat template is not a valid Jinja template") as caught:
        contract_of(template)
    assert "\n" not in str(caught.value)


def test_a_template_that_writes_nothing_is_refused():
    with pytest.raises(ContractError, match="does not render the assistant's response"):
        contract_of("{# nothing #}")
    model = tiny()
    model.encoder.renderer.template = "{% if messages[0]['content'] != 'q' %}x{% endif %}"
    with pytest.raises(ContractError, match="'', which the tokenizer turns into no token"):
        model.encode(pair("q", "a", "b"))


def test_a_text_that_makes_its_template_run_on_stops_the_command_and_not_only_its_row():
    loops = "{% if 'go on' in m['content'] %}" + STOPPED["nested loops"] + "{% endif %}"
    template = SHOWS.replace("{% endfor %}", loops + "{% endfor %}")
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    encoder = Encoder(tokenizer, make_contract(tokenizer, "decoder", max_length=256, date=DATE))
    assert encoder.encode(pair("q", "a", "b")).forged == 0
    with pytest.raises(ModelError, match="was stopped"):
        encoder.encode(pair("please go on", "a", "b"))


def test_long_conversations_are_within_the_allowance():
    turns = [Message(role, "word " * 20) for _ in range(2000) for role in ("user", "assistant")]
    assert len(Renderer(byte_tokenizer(), byte_tokenizer().chat_template, kwargs={}).render(turns)) > 400_000
    one = [Message("user", "x" * 3_000_000), Message("assistant", "y")]
    assert len(Renderer(byte_tokenizer(), SHOWS, kwargs={}).render(one)) > 3_000_000


FEATURES = (
    byte_tokenizer().chat_template,
    "{% for m in messages %}\n    {%- if loop.first %}\n{{ bos_token }}{% endif %}\n"
    "  {{ m.role | upper ~ ' ' ~ m.content | trim }}\n{% endfor %}",
    "{% macro turn(m) %}[{{ m['role'] }}]{{ caller() }}{% endmacro %}"
    "{% for m in messages %}{% call turn(m) %}{{ m.content }}{% endcall %}{% endfor %}",
    "{% for m in messages %}{% generation %}{{ m['content'] }}{% endgeneration %}"
    "{% if loop.index > 1 %}{% break %}{% endif %}{% endfor %}",
    "{% set ns = namespace(n=0, all=[]) %}{% for m in messages if m.role != 'tool' %}{% set ns.n = ns.n + 1 %}"
    "{% set ns.all = ns.all + [m.content] %}{% endfor %}{{ ns.all | join('|') }}{{ '%s-%d' % ('n', ns.n) }}"
    "{{ '{}/{}'.format(ns.n, eos_token) }}{{ {'é': [1, none, true]} | tojson }}{{ [1, {'a': 'b'}] }}",
    "{{ messages | map(attribute='content') | map('replace', 'a', 'o') | list | tojson(indent=2) }}"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}",
    "{{ dict(a=1) }}{{ (messages | groupby('role'))[0][0] }}{{ 7 // 2 * 2.5 ** 2 }}{{ 'a,b'.split(',') }}"
    "{{ messages[::-1] | map(attribute='role') | unique | sort | join }}{{ x is defined }}{{ x }}",
    "\n  {% filter upper %}{% for k, v in messages[0] | dictsort %}"
    "{{ k }}={{ v | default('', true) | indent(2) }};{% else %}none{% endfor %}{% endfilter %}",
)
TURNS = (
    ("user", " hi\n"),
    ("user", "a", "assistant", "\n\nb "),
    ("system", "é", "user", "天", "assistant", "{{ x }}"),
)


@pytest.mark.parametrize("template", FEATURES, ids=range(len(FEATURES)))
def test_texts_are_those_of_transformers_to_the_letter(template):
    tokenizer = byte_tokenizer()
    for turns in TURNS:
        messages = [Message(role, content) for role, content in zip(turns[::2], turns[1::2], strict=True)]
        plain = [{"role": message.role, "content": message.content} for message in messages]
        expected = tokenizer.apply_chat_template(plain, tokenize=False, chat_template=template)
        assert Renderer(tokenizer, template, kwargs={}).render(messages) == expected


def test_a_usual_template_costs_little_to_open():
    tokenizer = byte_tokenizer()
    Renderer(tokenizer, "{{ messages[0]['content'] }}", kwargs={})  # the library is loaded
    compiled.cache_clear()
    start = time.thread_time()
    Renderer(tokenizer, tokenizer.chat_template + "{# new #}", kwargs={})
    assert time.thread_time() - start < 0.05
