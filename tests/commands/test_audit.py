"""`rewardsmith audit` from the command line: what it writes, says and refuses."""

import json
from dataclasses import replace

import orjson
import pytest

import rewardsmith as rs
from builders import tiny
from rewardsmith.cli import main
from rewardsmith.commands import audit, train, verify
from rewardsmith.errors import DataError, OutputError, UsageError
from rewardsmith.files import check_output
from rewardsmith.files.kinds import AUDIT, RUN
from rewardsmith.language import display_width, speaking
from rewardsmith.model.reward_model import RewardModel


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "model"
    tiny(n_layer=1).save(folder)
    return str(folder)


@pytest.fixture(scope="module")
def result(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit") / "out"
    config = audit.Config(model=model, sources=("synthetic:30x4",), prompts=20, output=folder, explain=2)
    return audit.run(config)


def test_what_is_written_is_what_is_printed_and_known_as_ours(result):
    written = orjson.loads((result.folder / "audit.json").read_bytes())
    printed = orjson.loads(orjson.dumps(result.to_json()))
    assert written == printed
    assert (written["prompts"], written["prompts_available"]) == (20, 30)
    assert {effect["kind"] for effect in written["effects"]} == {"edit", "attack", "built_in", "observed"}
    assert {"position", "generator", "best_of_n", "over_optimisation_rl"} == {
        one["name"] for one in written["not_checked"]
    }
    check_output(result.folder, AUDIT, overwrite=True)
    assert "audit.md" in {path.name for path in result.folder.iterdir()}


def test_effects_have_all_that_a_reader_needs(result):
    for effect in result.to_json()["effects"]:
        assert effect["status"] in ("found", "excluded", "cannot_tell")
        assert effect["n"] > 0
        assert effect["ci"][0] <= effect["effect_sd"] <= effect["ci"][1] or effect["kind"] == "observed"
        assert effect["title"]["en"]
        assert effect["title"]["zh"]
        assert effect["p"] <= effect["p_adjusted"] <= 1
    statuses = [effect["status"] for effect in result.to_json()["effects"]]
    assert statuses == sorted(statuses, key=["found", "cannot_tell", "excluded"].index)


def test_ratings_of_policies_are_fitted_and_said_in_both_languages(model, tmp_path):
    rows = [
        {"kl": kl, "gold": kl**0.5 - 0.2 * kl + 0.01 * k, "prompt": k} for kl in (0, 1, 4, 9, 16) for k in range(12)
    ]
    (tmp_path / "policies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {
        "model": model,
        "sources": ("synthetic:12",),
        "part": ("best_of_n",),
        "policies": tmp_path / "policies.jsonl",
    }
    found = audit.run(audit.Config(**asked))
    account = found.to_json()["policies"]
    assert (account["policies"], account["prompts"], account["recommended"]) == (4, 12, {"kl": 4.0})
    assert "over_optimisation_rl" not in {one["name"] for one in found.to_json()["not_checked"]}
    for language, word in (("en", "Stop at KL 4.00"), ("zh", "建议停在 KL 4.00")):
        with speaking(language):
            told = found.to_text()
        assert word in told
        assert max(map(display_width, told.splitlines())) <= 80


def test_the_explanations_are_of_comparisons_that_are_wrongly_ordered(result):
    lines = [json.loads(line) for line in (result.folder / "explained.jsonl").read_text().splitlines()]
    assert [line["role"] for line in lines] == ["preferred", "other"] * 2
    assert all(line["margin"] < 0 for line in lines)
    assert all(line["text"][span["start"] : span["end"]] for line in lines for span in line["spans"])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_text_fits_80_columns_and_ends_with_a_command(result, lang):
    with speaking(lang):
        lines = result.to_text().split("\n")
    wide = [line for line in lines if display_width(line) > 80 and not line.strip().startswith(("rewardsmith", "→"))]
    assert wide == []
    assert any(line.strip().startswith("rewardsmith ") for line in lines)
    assert ("发现" in "\n".join(lines)) == (lang == "zh")


def test_commands_that_are_advised_are_taken_by_the_command_line(result):
    from rewardsmith import cli
    from rewardsmith.arguments import resolve
    from rewardsmith.audit.wording import next_steps

    steps = [command for _, command in next_steps(result.audit)]
    assert steps
    import importlib
    import shlex

    for command in steps:
        program, name, *words = shlex.split(command)
        assert program == "rewardsmith"
        known = cli.COMMANDS[name]
        resolve(name, known, importlib.import_module(known.module).Config, words)


def test_the_same_seed_gives_the_same_audit_and_another_other_prompts(model):
    def found(seed):
        config = audit.Config(model=model, sources=("synthetic:30",), prompts=12, part=("effects",), seed=seed)
        return [(one.name, one.effect_sd, one.p) for one in audit.run(config).audit.effects]

    assert found(1) == found(1)
    assert found(1) != found(2)


def test_gold_ratings_give_a_curve(model, tmp_path):
    rows = [
        {"prompt": f"p{k}", "responses": [f"{k} a{n}" for n in range(6)], "scores": [float(n % 3) for n in range(6)]}
        for k in range(12)
    ]
    path = tmp_path / "rated.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = audit.run(audit.Config(model=model, sources=(str(path),), part=("best_of_n",))).to_json()
    assert [point["n"] for point in found["best_of_n"]["curve"]] == [1, 2, 3, 4, 6]
    assert found["best_of_n"]["curve"][0]["gold"] == pytest.approx(1.0)
    assert found["effects"] == []


def test_without_data_conformance_is_checked_alone(model, capsys):
    assert main(["audit", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["effects"] == []
    assert found["conformance"][0]["name"] == "batch_size"
    assert "effects" in {one["name"] for one in found["not_checked"]}


@pytest.mark.parametrize("method", ["prefix", "occlusion"])
def test_one_text_is_shown_by_its_words(model, capsys, method):
    assert main(["audit", model, "--prompt", "Hi", "--text", "Hello there", "--method", method, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["attribution"]
    assert (found["text"], found["method"]) == ("Hello there", method)
    assert len(found["spans"]) >= 2
    assert main(["audit", model, "--text", "Hello there"]) == 0
    assert "there" in capsys.readouterr().out


def test_a_texts_too_long_to_be_scored_whole_is_counted(model, tmp_path):
    path = tmp_path / "long.jsonl"
    rows = [{"prompt": f"p{k}", "chosen": "word " * (44 if k else 80), "rejected": f"short {k}."} for k in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = audit.run(audit.Config(model=model, sources=(str(path),), part=("effects",))).to_json()
    assert found["texts"]["cut"] > 0
    assert found["texts"]["scored"] > found["texts"]["cut"]


def test_a_model_in_memory_and_records_in_memory_will_do(model):
    opened = RewardModel.load(model)
    found = rs.audit(opened, rs.load("synthetic:12"), part=("effects",))
    assert found.folder is None
    assert found.audit.prompts == 12
    assert rs.audit(opened, part=("conformance",)).audit.effects == ()


def test_an_existing_audit_is_not_replaced_unasked(result, model):
    config = audit.Config(model=model, sources=("synthetic:30",), output=result.folder)
    with pytest.raises(OutputError, match="audit"):
        audit.run(config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bound": 0.0}, "--bound 0.0: expected a number above 0"),
        ({"prompts": -1}, "--prompts -1: expected 0 or more"),
        ({"split": "dev"}, "--split dev"),
        ({"text": "a", "sources": ("b",)}, "--text shows one response"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        audit.Config(model="m", **settings)


def test_without_an_output_the_audit_of_a_run_goes_into_the_run(tmp_path):
    run = tmp_path / "run"
    small = {"model": "tiny", "n_embd": 16, "n_layer": 1, "threads": 1, "max_steps": 2, "max_length": 256}
    train.run(train.Config(dataset=("synthetic:100",), output=run, report=False, **small))
    config = audit.Config(model=str(run), sources=("synthetic:12",), part=("best_of_n",), explain=1)
    assert audit.run(config).folder == run
    assert (run / "audit.json").is_file()
    check_output(run, RUN, overwrite=True)
    assert verify.run(verify.Config(place=run)).holds
    with pytest.raises(OutputError, match="already exists"):
        audit.run(config)
    assert audit.run(replace(config, overwrite=True)).folder == run


def test_data_without_a_usable_row_is_refused(model, tmp_path):
    path = tmp_path / "rewrites.jsonl"
    path.write_text("{}\n")
    with pytest.raises(DataError, match=r"rewrites\.jsonl:1: prompt is None"):
        audit.run(audit.Config(model=model, sources=("synthetic:12",), rewrites=path))


def test_a_killed_audit_does_not_score_again_what_it_had(model, tmp_path, monkeypatch):
    from rewardsmith.pipelines.audit import scorer as module

    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "WINDOW", 8)
    real, scored = module.scored_window, []

    def counted(opened, texts, store):
        known, found = real(opened, texts, store)
        scored.append((len(texts), known))
        if len(scored) == 3:
            raise KeyboardInterrupt
        return known, found

    monkeypatch.setattr(module, "scored_window", counted)
    settings = audit.Config(model=str(model), sources=("synthetic:40",), part=("best_of_n",), device="cpu")
    with pytest.raises(KeyboardInterrupt):
        audit.run(settings)
    assert sum(known for _, known in scored) == 0
    before = sum(texts for texts, _ in scored)
    scored.extend([(0, 0)] * 2)
    again = audit.run(settings)
    assert sum(known for _, known in scored) == before
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "another"))
    assert orjson.dumps(again.to_json()) == orjson.dumps(audit.run(settings).to_json())
