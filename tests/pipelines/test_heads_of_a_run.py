"""From data with attributes to a judged model: train, score, evaluate, compare, verify, train again."""

import json
from dataclasses import replace

import numpy as np
import pytest

import rewardsmith as rs
from builders import pair, tiny
from rewardsmith.data.splits.sources import Splits
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.errors import DataError, TrainingError, UsageError
from rewardsmith.model.heads import HEADS, attach_outputs, describe_head
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.heads.extra import detach
from rewardsmith.model.loading.locating import models_folder
from rewardsmith.pipelines.critique.evaluating import evaluated_by
from rewardsmith.pipelines.evaluate.judged_columns import judge_columns
from rewardsmith.pipelines.train.head import HeadSettings, attribute_plan, follow_main, followed_attribute
from rewardsmith.progress import SILENT
from rewardsmith.records import Comparison, Message, Record, Response

RUDE = " You fool."
FAST = {"threads": 1, "n_layer": 1, "lr": 5e-3, "epochs": 4, "report": False}


def rows(count, *, helpful="overall"):
    """Pairs where the longer response is right, one of the two may be rude, and both are rated."""
    made = []
    for k in range(count):
        rude = (k % 3 == 0, k % 3 == 1)
        texts = (f"It is {k + 3}, of course.", "No idea.")
        responses = [text + RUDE * bad for text, bad in zip(texts, rude, strict=True)]
        comparisons = [{"i": 0, "j": 1, "attribute": helpful}]
        if rude[0] != rude[1]:
            comparisons.append({"i": int(rude[0]), "j": 1 - int(rude[0]), "attribute": "safe"})
        made.append(
            {
                "prompt": [{"role": "user", "content": f"What is {k} plus three?"}],
                "responses": [{"messages": [{"role": "assistant", "content": text}]} for text in responses],
                "comparisons": comparisons,
                "ratings": {"fit": [4.0 + k % 2, 1.0], "safe": [float(not bad) for bad in rude]},
            }
        )
    return made


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))

    def write(name, made):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in made))
        return str(path)

    return write


def scored(run, source, output):
    rs.score(str(run), source, output)
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_a_cost_tells_safe_from_unsafe_and_goes_the_whole_way(data, tmp_path):
    source = data("all", rows(90, helpful="helpful"))
    run = tmp_path / "run"
    rs.train("tiny", source, run, head="helpful-cost", **{**FAST, "report": True})
    assert rs.verify(run).holds
    (row, *_) = scored(run, source, tmp_path / "out.jsonl")
    assert row["safe"] == [cost < 0 for cost in row["reward_cost"]]
    told = json.loads((run / "evaluation.json").read_text())["columns"]["cost"]
    assert told["attribute"] == "safe"
    assert told["accuracy"] > 0.9
    assert told["sign"]["share"] > 0.8
    judged = rs.evaluate(str(run), source)  # nothing is overall: helpfulness is what the reward was trained to follow
    assert judged.summary["attribute"] == "helpful"
    with pytest.raises(DataError, match="no comparison has the attribute 'fun'"):
        rs.evaluate(str(run), source, attribute="fun")
    assert judged.summary["columns"]["cost"]["comparisons"] == 60
    assert "column cost: accuracy " in judged.to_text()
    assert judged.summary["accuracy"] > 0.9  # of the reward, on helpfulness
    rs.train(str(run), source, tmp_path / "more", head="helpful-cost", **{**FAST, "n_layer": 2, "max_steps": 1})
    again = rs.RewardModel.load(tmp_path / "more")
    before = rs.RewardModel.load(run)
    apart = [(again.head.weight - before.head.weight).norm(), before.head.weight.norm()]
    assert apart[0] < 0.5 * apart[1]  # it went on from the head that was there


def test_attributes_have_columns_and_the_reward_weighs_them(data, tmp_path):
    source = data("all", rows(300))
    run = tmp_path / "run"
    rs.train("tiny", source, run, head="multi-objective", **{**FAST, "epochs": 2})
    head = json.loads((run / "model" / "reward.json").read_text())["head"]
    assert head["columns"] == ["fit", "safe"]
    assert head["options"]["learned_from"] == {"fit": "ratings", "safe": "comparisons"}
    weights = head["options"]["weights"]
    assert abs(weights[0]) > abs(weights[1])  # the overall label follows what is right
    model = rs.RewardModel.load(run)
    question = {"role": "user", "content": "What is 2 plus three?"}
    found = model.score_with_columns(
        [[question, {"role": "assistant", "content": text}] for text in ("It is 5.", "No idea.")]
    )
    mean, scale = head["options"]["means"][0], head["options"]["scales"][0]
    parts = weights[0] * (found.columns["fit"] - mean) / scale + weights[1] * found.columns["safe"]
    assert np.diff(found.rewards)[0] == pytest.approx(np.diff(parts)[0], abs=1e-4)
    assert found.columns["fit"][0] > found.columns["fit"][1]
    judged = rs.evaluate(str(run), source).summary["columns"]
    assert judged["fit"]["accuracy"] > 0.9
    assert {name: told["attribute"] for name, told in judged.items()} == {"fit": "fit", "safe": "safe"}
    assert "columns" not in rs.evaluate(str(run), "synthetic:20").summary
    scalar = tmp_path / "scalar"
    tiny().save(scalar)
    with pytest.raises(UsageError, match="has a trained reward head, which would be lost"):
        rs.train(str(scalar), source, tmp_path / "o", head="multi-objective", threads=1)


def test_what_the_data_cannot_teach_is_refused(data, tmp_path):
    source = data("plain", [{"prompt": f"q {k}", "chosen": f"good {k}", "rejected": f"bad {k}"} for k in range(40)])
    for head, told in (("helpful-cost", "does not say which responses are safe"), ("multi-objective", "has overall")):
        settings = {"name": head, **({"attributes": ["tone"]} if head == "multi-objective" else {})}
        with pytest.raises(TrainingError, match=told):
            rs.train("tiny", source, tmp_path / "o", head=settings, threads=1)
    records = [pair("q", "a", "b", attribute="tone")]
    splits = Splits(train=records, validation=records, test=records)
    with pytest.raises(TrainingError, match="no comparison has the attribute 'helpful' or 'overall'"):
        follow_main(splits, "helpful-cost", "overall")


def test_ratings_are_learned_where_they_cover_what_is_compared():
    def record(ratings, *, compared):
        said = (Comparison(0, 1), *([Comparison(0, 1, attribute="tone")] if compared else []))
        answers = tuple(Response((Message("assistant", text),)) for text in "ab")
        return Record((), answers, said, ratings={"tone": ratings})

    def plan_of(*records):
        splits = Splits(train=list(records))
        follow_main(splits, "multi-objective", "overall")
        return attribute_plan(HeadSettings(name="multi-objective"), "overall", splits)

    whole = plan_of(record((1.0, 2.0), compared=True), record((3.0, 6.0), compared=False))
    assert whole.rated == {"tone": (3.0, pytest.approx(np.std([1, 2, 3, 6])))}
    assert plan_of(record((1.0, 2.0), compared=True), record((3.0, None), compared=True)).rated == {}
    assert plan_of(record((1.0, 2.0), compared=True)).rated == {}  # two values are no scale


def test_without_an_overall_label_all_attributes_are_learned_and_count_equally():
    said = tuple(Comparison(0, 1, attribute=name) for name in ("coherence", "helpfulness"))
    answers = tuple(Response((Message("assistant", text),)) for text in "ab")
    splits = Splits(train=[Record((), answers, said)])
    assert follow_main(splits, "multi-objective", "overall") == "helpfulness"
    plan = attribute_plan(HeadSettings(name="multi-objective"), "overall", splits)
    assert plan.names == ("coherence", "helpfulness")
    assert describe_head("multi-objective", {}, plan).options["weights"] == [0.5, 0.5]
    followed = attribute_plan(HeadSettings(name="multi-objective"), "helpfulness", splits)
    assert followed.names == ("coherence",)
    assert describe_head("multi-objective", {}, followed).options["weights"] is None


def test_pairs_come_from_ratings_only_where_nothing_is_compared():
    model = tiny()
    plan = AttributePlan(("tone",))
    attach_outputs(model.network, "multi-objective", describe_head("multi-objective", {}, plan), seed=0)
    model.keep_head(detach(model.network))
    answers = tuple(Response((Message("assistant", text),)) for text in ("a", "bb", "ccc"))
    rated = Record((), answers, (), ratings={"tone": (1.0, 3.0, 3.0)})
    (found,) = model.outputs([rated])
    column = found.columns["tone"]
    told = judged(model, rated)["tone"]
    assert told["comparisons"] == 2
    assert told["accuracy"] == pytest.approx(np.mean([column[1] > column[0], column[2] > column[0]]))
    compared = Record((), answers, (Comparison(0, 2, attribute="tone"),))
    assert judged(model, rated, compared)["tone"]["comparisons"] == 1
    assert judged(model, pair("q", "a", "b")) == {}


def judged(model, *records):
    return judge_columns([(record, one.columns) for record, one in zip(records, model.outputs(records), strict=True)])


def test_each_text_is_scored_once_for_its_reward_and_its_columns(monkeypatch):
    model = tiny()
    attach_outputs(
        model.network, "multi-objective", describe_head("multi-objective", {}, AttributePlan(("tone",))), seed=0
    )
    model.keep_head(detach(model.network))
    passes = []
    whole = type(model.network).features
    monkeypatch.setattr(type(model.network), "features", lambda *given: passes.append(1) or whole(*given))
    rated = replace(pair("q", "a", "bb"), ratings={"tone": (1.0, 3.0)})
    found = evaluated_by(model, [rated], judged=[rated], progress=SILENT, split="test")
    assert found.summary["columns"]["tone"]["comparisons"] == 1
    assert len(passes) == 1


@pytest.mark.parametrize(
    ("head", "attributes", "followed"),
    [
        ("multi-objective", ("tone", "helpfulness"), "helpfulness"),
        ("gated", ("tone", "truth"), "tone"),
        ("helpful-cost", ("safe",), "overall"),  # no helpfulness to follow: the error names what there is
        ("multi-objective", ("overall", "tone"), "overall"),
        (None, ("tone",), "overall"),
    ],
)
def test_what_a_reward_is_judged_by_where_nobody_says(head, attributes, followed):
    record = replace(pair("q", "a", "b"), comparisons=tuple(Comparison(0, 1, attribute=name) for name in attributes))
    assert followed_attribute(head, "overall", [record]) == followed
    assert followed_attribute(head, "tone", [record]) == "tone"


@pytest.mark.parametrize("name", ["tiny", "minilm-l6", "smollm2-135m", "e5-multilingual"])
def test_new_heads_begin_near_equal_rewards_on_every_backbone(name):
    if name != "tiny" and not (models_folder() / name).is_dir():
        pytest.skip(f"{name} is not installed")
    model = opened(name)
    records = list(generate(40 if name == "tiny" else 5, responses_per_prompt=2, seed=0).records)
    texts = ["It is five.", "不知道。", "The sum of two and three is five, since two and three make five. " * 3]
    records += [pair(f"What is two and three? Try {k}.", texts[k % 3], texts[(k + 1) % 3]) for k in range(5)]
    first = np.std([rewards[0] - rewards[1] for rewards in model.score_records(records)])
    assert 0 < first <= 0.3
    for head in set(HEADS) - {"process", "gated"}:  # of which one judges steps, and the other is the test below
        attach_outputs(model.network, head, describe_head(head, {}, AttributePlan(("tone",))), seed=0)
        model.keep_head(detach(model.network))
        found = list(model.outputs(records))
        assert np.std([one.rewards[0] - one.rewards[1] for one in found]) <= 0.3
        for column in set(model.columns) - {"kl"}:
            assert np.std([one.columns[column][0] - one.columns[column][1] for one in found]) <= 0.3


@pytest.mark.parametrize("name", ["tiny", "smollm2-135m"])
def test_a_new_gate_begins_near_equal_rewards(name):
    if name != "tiny" and not (models_folder() / name).is_dir():
        pytest.skip(f"{name} is not installed")
    model = opened(name, head="gated", plan=AttributePlan(("tone", "words")))
    model.keep_head(detach(model.network))
    records = list(generate(40 if name == "tiny" else 5, responses_per_prompt=2, seed=0).records)
    found = list(model.outputs(records))
    for values in ([one.rewards for one in found], [one.columns["tone"] for one in found]):
        assert 0 < np.std([value[0] - value[1] for value in values]) <= 0.3


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_model_from_scratch_begins_near_equal_rewards_with_any_seed(seed):
    """The layers below the head are drawn as well, so that one seed says little."""
    records = list(generate(40, responses_per_prompt=2, seed=0).records)
    rewards = opened("tiny", seed=seed).score_records(records)
    assert 0 < np.std([first - second for first, second in rewards]) <= 0.3


def opened(name, head="scalar", plan=None, seed=0):
    """The installed model with a newly drawn reward head."""
    from pathlib import Path

    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.pipelines.train.setup import open_model

    settings = {"threads": 1, "head": HeadSettings(name=head), "device": "cpu", "seed": seed}
    config = Config(model=name, dataset=("x",), output=Path("y"), **settings)
    return open_model(config, plan=plan).model


@pytest.mark.parametrize("name", ["multi-objective", "inform"])
def test_a_probe_is_not_fitted_where_no_scalar_head_learns(name, tmp_path):
    weights = []
    for start in ("random", "probe"):
        settings = {**FAST, "max_steps": 1, "epochs": 1, "evals": 1, "head": name, "head_start": start}
        rs.train("tiny", rows(40), tmp_path / start, **settings)
        weights.append((tmp_path / start / "model" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
