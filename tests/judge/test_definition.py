"""Judge files: what they may say, and that every mistake is refused with file, key, value and what was expected."""

import pytest
import yaml

from rewardsmith.errors import UsageError
from rewardsmith.judge.definition import judge_of, read_judge
from rewardsmith.judge.wording.prompts import builtin

MODEL = {"model": "m"}
OWN = "Question: {prompt}\nAnswer: {response}\nHow {criterion}?"
RUBRIC = [{"name": "facts", "text": "correct are its facts"}, {"name": "safe", "text": "safe is it", "gate": 3}]


def judge(**value):
    return judge_of({"kind": "pointwise", **MODEL, **value}, "j.yaml")


def test_the_defaults_of_a_short_file(tmp_path):
    (tmp_path / "j.yaml").write_text("kind: pointwise\nmodel: m\n", encoding="utf-8")
    found = read_judge(tmp_path / "j.yaml")
    assert (found.prompt.name, found.reading, found.language) == ("ten-points", "labels", "auto")
    assert found.scale.numbers == (1, 10)
    assert list(found.scale.labels["zh"]) == [str(k) for k in range(1, 11)]
    assert [each.name for each in found.criteria] == [""]
    assert found.failed == 1
    assert len(found.digest) == 64


@pytest.mark.parametrize("name", list(builtin()))
@pytest.mark.parametrize("reading", ["labels", "text"])
def test_every_prompt_of_the_package_can_be_asked_in_both_languages(name, reading):
    entry = builtin()[name]
    found = judge(kind=entry["kind"], prompt=name, reading=reading)
    assert set(found.prompt.text) == {"en", "zh"}
    assert ("{criterion}" in found.prompt.text["en"]) == bool(found.prompt.criterion)
    assert bool(found.prompt.cue) == (reading == "labels")


def test_a_single_vote_is_greedy_and_several_are_drawn():
    assert judge(reading="text").sampling.temperature == 0
    several = judge(reading="text", votes=5, average="median")
    assert (several.sampling.n, several.sampling.temperature, several.average) == (5, 1.0, "median")


def test_a_rubric_with_weights_and_gates():
    found = judge(prompt=OWN, scale=[1, 5], rubric=RUBRIC, failed=-1)
    assert [(each.name, each.weight, each.gate) for each in found.criteria] == [
        ("facts", 1.0, None),
        ("safe", 1.0, 3.0),
    ]
    assert found.failed == -1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"kind": "verifiable"}, "kind is 'verifiable'; expected pointwise"),
        ({"model": None}, "model is"),
        ({"endpoint": {"url": "http://h/v1", "model": "x"}}, "either model"),
        ({"promt": "x"}, "unknown key 'promt'.*prompt"),
        ({"prompt": "ten-pionts"}, "ten-pionts.*Did you mean 'ten-points'"),
        ({"prompt": "pairwise"}, "for kind pointwise"),
        ({"prompt": "Rate {prompt}", "scale": [1, 2]}, r"lacks \{response\}"),
        ({"prompt": "{prompt} {response} {other}", "scale": [1, 2]}, r"contains \{other\}"),
        ({"prompt": "{prompt} {response} {", "scale": [1, 2]}, "single '{'"),
        ({"prompt": {"fr": "{prompt} {response}"}, "scale": [1, 2]}, "by language"),
        ({"prompt": {"en": "{prompt} {response}"}, "scale": [1, 2], "language": "zh"}, "no text in it"),
        ({"prompt": "{prompt} {response}"}, "expected scale"),
        ({"prompt": "{prompt} {response} {criterion}", "scale": [1, 2]}, "no rubric"),
        ({"scale": [5, 1]}, "two integers"),
        ({"scale": [0, 500]}, "two integers"),
        ({"scale": [1, 2, 3]}, "two integers"),
        ({"scale": [1, 5], "labels": {"a": 1, "b": 2}}, "one of them"),
        ({"prompt": "five-points", "scale": [1, 5]}, "its own scale"),
        ({"prompt": "yes-no", "labels": {"a": 1, "b": 2}}, "its own scale"),
        ({"prompt": "{prompt} {response}", "labels": {"good": 1}}, "at least two"),
        ({"prompt": "{prompt} {response}", "labels": {"good": 1, "Good": 2}}, "upper and lower"),
        ({"prompt": "{prompt} {response}", "labels": {"good": "x", "bad": 2}}, "a number each"),
        ({"prompt": "five-points", "rubric": RUBRIC}, r"a prompt with \{criterion\}"),
        ({"rubric": []}, "a list of criteria"),
        ({"rubric": [{"name": "a"}]}, "name: and text:"),
        ({"rubric": [RUBRIC[0], RUBRIC[0]]}, "same name"),
        ({"rubric": [RUBRIC[1]]}, "all criteria"),
        ({"rubric": [{**RUBRIC[1], "weight": 2}]}, "a gate has no weight"),
        ({"rubric": [{**RUBRIC[0], "weight": -2}]}, "at least 0"),
        ({"votes": 3}, "votes applies to reading: text only"),
        ({"reading": "text", "least_mass": 0.1}, "least_mass applies to reading: labels only"),
        ({"reading": "text", "votes": 0}, "votes is 0"),
        ({"reading": "text", "votes": "3"}, "votes is '3'; expected int"),
        ({"reading": "text", "temperature": -1}, "temperature"),
        ({"reading": "guess"}, "reading is 'guess'"),
        ({"permutations": 3}, "kind: listwise"),
        ({"kind": "pairwise", "scale": [1, 2]}, "kind: pointwise"),
        ({"kind": "pairwise", "rubric": RUBRIC}, "a gate"),
        ({"calibration": {"fitted_on": "x", "temperature": -1}}, "calibration is damaged"),
        ({"calibration": {}}, None),
    ],
)
def test_mistakes_are_refused(value, words):
    value = {"kind": "pointwise", **MODEL, **value}
    if words is None:
        assert judge_of(value, "j.yaml").calibration is None
        return
    with pytest.raises(UsageError, match=words) as raised:
        judge_of(value, "j.yaml")
    assert "j.yaml" in str(raised.value)


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ({"url": "http://h/v1"}, "model: "),
        ({"url": "h", "model": "x"}, "not the address"),
        ({"url": "http://h/v1", "model": "x", "key": "s"}, "unknown key 'key'"),
        ({"url": "http://h/v1", "model": "x", "route": "other"}, "route is 'other'"),
        ({"url": "http://h/v1", "model": "x", "route": "vllm"}, "a tokenizer"),
        ({"url": "http://h/v1", "model": "x", "tokenizer": "t"}, "needs none"),
        ({"url": "http://h/v1", "model": "x", "concurrency": 0}, "numbers above 0"),
    ],
)
def test_mistakes_in_an_endpoint_are_refused(endpoint, words):
    with pytest.raises(UsageError, match=words):
        judge_of({"kind": "pointwise", "endpoint": endpoint}, "j.yaml")


def test_an_endpoint_has_its_limits_and_prices():
    text = "{url: http://h/v1, model: x, api_key_env: KEY, requests_per_minute: 60, price_in: 1, retries: 2}"
    found = judge_of({"kind": "pairwise", "endpoint": yaml.safe_load(text)}, "j.yaml")
    endpoint = found.endpoint
    assert (endpoint.key_name, endpoint.per_minute, endpoint.price_in, endpoint.retries) == ("KEY", 60, 1, 2)
    assert found.prompt.cue == {}  # a chat API cannot begin an answer
    assert found.name == "x"
