"""The settings of `serve`: names, references, keys and limits, refused before a model is opened."""

import pytest

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.serving.config import Config
from rewardsmith.pipelines.serving.pipeline import reference_files, served_until_signal, serving_of
from rewardsmith.progress import SILENT
from rewardsmith.serve.models.registry import Named, Registry, named
from rewardsmith.serve.protocols.protocol import BadRequest


def test_names_are_given_or_the_last_part_of_the_place():
    assert named(("runs/first", "b=ORG/name")) == (Named("first", "runs/first"), Named("b", "ORG/name"))
    assert named(("runs/a=b/model/",)) == (Named("model", "runs/a=b/model/"),)
    for wrong in (("a=x", "a=y"), ("a=",), ("runs/中文",)):
        with pytest.raises(UsageError):
            named(wrong)
    assert named(("zh=runs/中文",)) == (Named("zh", "runs/中文"),)


def test_a_model_is_asked_for_by_name_or_by_place():
    registry = Registry(named(("runs/first", "b=x")), lambda one: one.name)
    registry.open_all()
    assert [registry.get(name) for name in (None, "first", "runs/first", "b", "x")] == ["first"] * 3 + ["b"] * 2
    with pytest.raises(BadRequest):
        registry.get("other")


def test_a_reference_belongs_to_one_model(tmp_path):
    file = tmp_path / "scored.jsonl"
    file.write_text("{}", encoding="utf-8")
    one, two = named(("a=x",)), named(("a=x", "b=y"))
    assert reference_files((str(file),), one) == {"a": file}
    assert reference_files((f"b={file}",), two) == {"b": file}
    for words, models in (((str(file),), two), ((f"c={file}",), two), ((str(tmp_path / "none"),), one)):
        with pytest.raises(UsageError):
            reference_files(words, models)


def test_other_computers_are_served_with_a_key_or_on_purpose(monkeypatch):
    monkeypatch.delenv("REWARDSMITH_API_KEY", raising=False)
    with pytest.raises(UsageError, match="--no-key"):
        served_until_signal(Config(models=("m",), host="0.0.0.0"), SILENT)
    monkeypatch.setenv("REWARDSMITH_API_KEY", "0123456789abcdefgh")
    with pytest.raises(UsageError, match="remove one"):
        served_until_signal(Config(models=("m",), host="0.0.0.0", no_key=True), SILENT)


def test_the_limits_are_those_of_the_settings():
    config = Config(models=("m",), device="cpu", batch_invariant=True, max_body=5, deadline=2.0, tokens_per_batch=7)
    found = serving_of(config, "key")
    assert (found.limits.alone, found.limits.budget, found.limits.deadline) == (True, 7, 2.0)
    assert found.requests.body_bytes == 5
    assert serving_of(Config(models=("m",), device="cpu"), None).limits.budget == 1024
    for wrong in ({"port": 70000}, {"queue_tokens": 0}, {"deadline": 0.0}, {"grace": float("inf")}, {"device": "tpu"}):
        with pytest.raises(UsageError):
            Config(models=("m",), **wrong)
