"""The model card: valid for the hub, true in its code and figures, without texts and paths, and kept once changed."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard as HubCard
from huggingface_hub import metadata_load
from transformers import BertConfig

from builders import from_config, tiny
from rewardsmith.commands import card, diagnose, evaluate, train
from rewardsmith.diagnose.facts import Facts, GroupFacts
from rewardsmith.diagnose.verdict import judge
from rewardsmith.errors import ModelError, OutputError, UsageError
from rewardsmith.language import speaking
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.publish.hub_names import origin_of
from rewardsmith.report.card.page import ModelCard, is_ours, render_card

SENTENCES = [f"The answer number {n} of this file" for n in range(160)]
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("somebodys-folder") / "pairs.jsonl"
    rows = [
        {
            "prompt": f"Prompt {n} asks 什么?",
            "chosen": f"{sentence} is good.",
            "rejected": f"{sentence} is {'bad' * 5}.",
        }
        for n, sentence in enumerate(SENTENCES)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("card") / "run"
    train.run(train.Config(model="tiny", dataset=(str(data),), output=folder, n_embd=16, n_layer=1, threads=1))
    return folder


def text_of(folder):
    return (folder / "model" / "README.md").read_text(encoding="utf-8")


def results_of(code, folder):
    """What the names are after the card's code ran in `folder`, as a reader of the card would run it."""
    names, before = {}, Path.cwd()
    os.chdir(folder)
    try:
        for block in code:
            exec(compile(block, "README.md", "exec"), names)
    finally:
        os.chdir(before)
    return names


def encoder():
    """A small BERT, which pools by itself and wants [CLS] and [SEP]."""
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return from_config(BertConfig(**sizes, max_position_embeddings=128))


def with_system():
    """A model whose contract adds a system prompt of its own."""
    model = tiny(head_scale=3.0)
    contract = replace(model.contract, default_system="Answer 'briefly', without ```.")
    return RewardModel(model.network, model.tokenizer, replace(model.sidecar, contract=contract))


@pytest.mark.parametrize("build", [lambda: tiny(head_scale=3.0), encoder, with_system])
def test_the_code_of_the_card_gives_the_right_reward(build, tmp_path):
    model = build()
    model.save(tmp_path / "model")
    card.run(card.Config(run=tmp_path))
    code = CODE.findall(text_of(tmp_path))
    assert len(code) == 3
    names = results_of(code, tmp_path / "model")
    turns = [turn for turn in names["conversation"] if turn["role"] != "system"]
    expected = model.score([turns])[0]
    assert abs(expected) > 1e-3
    assert names["reward"] == pytest.approx(expected, abs=1e-5)
    assert names["rewards"][0] == pytest.approx(expected, abs=1e-5)


def trimming():
    """A model whose template strips contents."""
    model = tiny(head_scale=3.0)
    template = model.contract.template.replace("message['content']", "message['content'] | trim")
    assert "trim" in template
    model.tokenizer.chat_template = template
    return RewardModel(
        model.network, model.tokenizer, replace(model.sidecar, contract=replace(model.contract, template=template))
    )


@pytest.mark.parametrize("build", [lambda: tiny(head_scale=3.0), encoder, with_system, trimming])
def test_the_code_for_texts_that_spell_control_tokens_gives_the_reward_of_rewardsmith(build, tmp_path):
    model = build()
    model.save(tmp_path / "model")
    card.run(card.Config(run=tmp_path))
    plain, _, spelled = CODE.findall(text_of(tmp_path))
    special = sorted(token.content for token in model.tokenizer.added_tokens_decoder.values() if token.special)
    said = f"'{{turn}} and {special[0]}{special[1]}, {special[-1]} '"
    asking = 'conversation[1 if conversation[0]["role"] == "system" else 0]["content"] = '
    saying = 'conversation[-1]["content"] = '
    changed = [saying + said, asking + said.replace("{turn}", "ask ")]
    within = plain.replace("text = tokenizer", "\n".join([*changed, "text = tokenizer"]))
    before = results_of([within], tmp_path / "model")
    names = results_of([within, spelled], tmp_path / "model")
    turns = [turn for turn in names["conversation"] if turn["role"] != "system"]
    expected = model.score([turns])[0]
    assert abs(before["reward"] - expected) > 2e-5  # the text became the token
    assert names["reward"] == pytest.approx(expected, abs=1e-5)


def test_training_leaves_a_card_that_the_hub_can_read(run_folder):
    front = metadata_load(run_folder / "model" / "README.md")
    assert front["library_name"] == "transformers"
    assert front["pipeline_tag"] == "text-classification"
    assert {"reward-model", "rewardsmith"} <= set(front["tags"])
    assert front["license"] == "unknown"
    assert (
        not {"base_model", "datasets", "language"} & front.keys()
    )  # nothing that is a name on the hub, nothing stated
    read = HubCard.load(run_folder / "model" / "README.md", ignore_metadata_errors=False)
    assert read.data.to_dict() == {**front, "model-index": read.data.to_dict()["model-index"]}
    evaluation = json.loads((run_folder / "evaluation.json").read_text())
    (result,) = read.data.eval_results
    assert result.metric_type == "accuracy"
    assert result.metric_value == pytest.approx(evaluation["accuracy"], abs=1e-4)
    assert f"n = {evaluation['n']}, 95 % interval" in result.metric_name


def test_the_card_tells_what_was_measured(run_folder):
    text = text_of(run_folder)
    evaluation = json.loads((run_folder / "evaluation.json").read_text())
    low, high = evaluation["accuracy_ci"]
    assert f"| Accuracy | {evaluation['accuracy']:.3f} | [{low:.3f}, {high:.3f}] |" in text
    assert f"n = {evaluation['n']} comparisons of {evaluation['clusters']} prompts" in text
    for name, shown in (("longer", "longer wins"), ("tfidf", "TF-IDF")):
        assert f"| {shown} | {evaluation['baselines'][name]['accuracy']:.3f} |" in text
    stored = json.loads((run_folder / "data" / "data.json").read_text())
    assert f"| train | {stored['records']['train']} | {stored['hashes']['train']} |" in text
    report = json.loads((run_folder / "report.json").read_text())
    assert report["headline"].split(":")[0] in text
    assert "length" in text.split("## Known biases")[1].split("##")[0]


@pytest.mark.parametrize("place", ["README.md", "reward.json", "config.json", "tokenizer_config.json"])
def test_nothing_that_is_uploaded_quotes_data_or_names_folders(run_folder, data, place):
    text = (run_folder / "model" / place).read_text(encoding="utf-8")
    assert not [sentence for sentence in SENTENCES if sentence in text]
    assert "asks 什么" not in text
    for folder in {*data.parents, *run_folder.parents}:
        assert len(folder.name) < 5 or folder.name not in text, folder
    if place in ("README.md", "reward.json"):
        assert "pairs.jsonl" in text


def test_without_an_evaluation_the_card_says_so(tmp_path, data):
    config = train.Config(
        model="tiny", dataset=(str(data),), output=tmp_path / "run", n_embd=16, n_layer=1, threads=1, report=False
    )
    train.run(config)
    text = text_of(tmp_path / "run")
    assert "has not been evaluated" in text
    assert "model-index" not in text
    assert "accuracy" not in text.lower()
    evaluate.run(evaluate.Config(model=str(tmp_path / "run"), sources=(str(data),), output=tmp_path / "test"))
    assert not card.run(card.Config(run=tmp_path / "run")).evaluated
    assert card.run(card.Config(run=tmp_path / "run", evaluation=tmp_path / "test")).evaluated
    assert "| Accuracy |" in text_of(tmp_path / "run")
    with pytest.raises(UsageError, match=r"no evaluation\.json"):
        card.run(card.Config(run=tmp_path / "run", evaluation=data.parent))


def test_a_changed_card_is_kept_and_what_was_stated_survives(run_folder):
    path = run_folder / "model" / "README.md"
    card.run(card.Config(run=run_folder, license="apache-2.0", languages=("en", "zh")))
    with speaking("zh"):
        diagnose.run(diagnose.Config(run=run_folder, overwrite=True))
    front = metadata_load(path)
    assert (front["license"], front["language"]) == ("apache-2.0", ["en", "zh"])
    assert "## 已知偏差" in text_of(run_folder)
    path.write_text(text_of(run_folder).replace("奖励模型", "我的模型", 1))
    changed = path.read_bytes()
    diagnose.run(diagnose.Config(run=run_folder, overwrite=True))
    assert path.read_bytes() == changed
    with pytest.raises(OutputError, match="was edited"):
        card.run(card.Config(run=run_folder))
    card.run(card.Config(run=run_folder, overwrite=True))
    assert is_ours(text_of(run_folder))


def test_a_card_that_is_no_card_is_kept_and_written_anew_when_asked(tmp_path):
    tiny().save(tmp_path)
    for text in ("", "my own words", "---\n: [\n---\n", "---\n- a\n---\n", "---\nlicense: mit\nlanguage: en\n---\n"):
        (tmp_path / "README.md").write_text(text)
        with pytest.raises(OutputError, match="was edited"):
            card.run(card.Config(run=tmp_path))
        card.run(card.Config(run=tmp_path, overwrite=True))
        front = metadata_load(tmp_path / "README.md")
        assert front["license"] == ("mit" if "mit" in text else "unknown")
    assert front["language"] == ["en"]


def test_labels_of_the_data_are_texts_and_no_markup():
    groups = (GroupFacts("<script>alert(1)</script>", 9, 0.5), GroupFacts("a | b `c`", 5, 0.25))
    facts = Facts(split="test", n=14, accuracy=0.4, by_category=groups)
    made = ModelCard(sidecar=tiny().sidecar, config={}, facts=facts, verdict=judge(facts))
    for language in ("en", "zh"):
        text = render_card(made, lang=language)
        assert "<script" not in text
        assert "| a \\| b \\`c\\` | 5 | 0.250 | – |" in text


def test_diagnosis_elsewhere_leaves_the_card_alone(run_folder, tmp_path):
    before = (run_folder / "model" / "README.md").stat().st_mtime_ns
    diagnose.run(diagnose.Config(run=run_folder, output=tmp_path))
    assert (run_folder / "model" / "README.md").stat().st_mtime_ns == before


def test_names_on_the_hub_reach_the_front_matter_and_paths_do_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("{}")
    origin = origin_of(
        "Qwen/Qwen3-0.6B", ["lvwerra/stack-exchange-paired", "data/train.jsonl", str(tmp_path / "data"), "."]
    )
    assert origin["datasets"] == [
        {"name": "lvwerra/stack-exchange-paired", "hub": "lvwerra/stack-exchange-paired"},
        {"name": "train.jsonl", "hub": None},
        {"name": "data", "hub": None},
        {"name": tmp_path.name, "hub": None},
    ]
    assert origin_of("smollm2-135m", [])["base_model"] == {
        "name": "smollm2-135m", "hub": "HuggingFaceTB/SmolLM2-135M-Instruct", "license": "Apache-2.0",
    }  # fmt: skip
    sidecar = replace(tiny().sidecar, training=origin)
    front = yaml.safe_load(render_card(ModelCard(sidecar=sidecar, config={})).split("---\n")[1])
    assert front["base_model"] == "Qwen/Qwen3-0.6B"
    assert front["datasets"] == ["lvwerra/stack-exchange-paired"]


def test_settings_in_tables_of_their_own_are_shown_and_paths_among_them_are_not():
    settings = {"lr": 2e-5, "lora": {"r": 16, "alpha": 32.0}, "cache": "/home/somebody/x", "model": "x", "none": None}
    text = render_card(ModelCard(sidecar=tiny().sidecar, config={}, settings=settings))
    assert "| lora.r | 16 |" in text
    assert "| lr | 2e-05 |" in text
    assert "somebody" not in text


def test_a_model_of_before_the_card_gets_one(tmp_path):
    tiny().save(tmp_path, training={"model": "/somewhere/else", "dataset": ["/a/b.jsonl"]})
    result = card.run(card.Config(run=tmp_path))
    assert result.card == tmp_path / "README.md"
    assert "somewhere" not in result.card.read_text()
    assert Sidecar.load(tmp_path).training["model"] == "/somewhere/else"


def test_what_cannot_stand_on_the_hub_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no reward\.json"):
        card.run(card.Config(run=tmp_path))
    with pytest.raises(UsageError, match="ISO 639"):
        card.Config(run=tmp_path, languages=("English",))
    with pytest.raises(UsageError, match=r"apache-2\.0"):
        card.Config(run=tmp_path, license="Apache 2")
