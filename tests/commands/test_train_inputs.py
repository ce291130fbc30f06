"""What training starts from, and what it refuses before it has cost anything."""

import json

import pytest
import torch
from transformers import LlamaConfig

import rewardsmith as rs
from builders import from_config, tiny
from rewardsmith.cli import main
from rewardsmith.commands import train
from rewardsmith.errors import ContractError, TrainingError
from rewardsmith.records import Message

SMALL = {"model": "tiny", "n_embd": 16, "n_layer": 1, "n_head": 2, "threads": 1, "report": False}


def settings(output, **changes):
    given = {**SMALL, "dataset": ("synthetic:60",), "output": output, **changes}
    if given["model"] != "tiny":  # it has sizes of its own
        given = {name: value for name, value in given.items() if name not in ("n_embd", "n_layer", "n_head")}
    return train.Config(**given)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def pairs(count, **columns):
    return [
        {"prompt": f"Which is larger, {k} or {k + 1}?", "chosen": f"{k + 1}", "rejected": f"{k}", **columns}
        for k in range(count)
    ]


def test_a_template_that_refuses_system_turns_can_be_trained_and_saved(tmp_path):
    model = tiny()
    model.tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        + model.tokenizer.chat_template
    )
    (tmp_path / "start").mkdir()
    model.network.hf.save_pretrained(tmp_path / "start")
    model.tokenizer.save_pretrained(tmp_path / "start")
    train.run(settings(tmp_path / "run", model=str(tmp_path / "start")))
    sidecar = json.loads((tmp_path / "run" / "model" / "reward.json").read_text())
    assert len(sidecar["probes"]) == 7
    assert rs.RewardModel.load(tmp_path / "run").score(["hello"]).shape == (1,)


def test_a_short_length_stores_the_probes_that_fit(tmp_path):
    source = write(tmp_path / "short.jsonl", [{"prompt": f"{k}", "chosen": "a", "rejected": "b"} for k in range(60)])
    train.run(settings(tmp_path / "run", dataset=(source,), max_length=44))
    assert 1 <= len(json.loads((tmp_path / "run" / "model" / "reward.json").read_text())["probes"]) <= 8
    rs.RewardModel.load(tmp_path / "run")


def test_a_template_that_fits_no_probe_is_refused_before_training(monkeypatch, tmp_path, capsys):
    long = ((Message("assistant", "x" * 900),),)
    monkeypatch.setattr("rewardsmith.model.checkpoint.probes.PROBE_CONVERSATIONS", long)
    monkeypatch.setattr("rewardsmith.scoring.truncation.Truncation.cut_response", refuse)
    arguments = ["train", "--model", "tiny", "--dataset", "synthetic:60", "--output", str(tmp_path / "run")]
    assert main([*arguments, "--threads", "1"]) == 1
    assert "fits into max_length 256" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def refuse(*arguments):
    raise ContractError("does not fit")


def test_a_validation_row_that_cannot_be_scored_does_not_cost_the_run(tmp_path):
    validation = pairs(3) + [{**row, "system": "s" * 2000} for row in pairs(2)]
    config = settings(
        tmp_path / "run",
        dataset=(write(tmp_path / "train.jsonl", pairs(60)),),
        validation=(write(tmp_path / "validation.jsonl", validation),),
        test=(write(tmp_path / "test.jsonl", pairs(5)),),
    )
    train.run(config)
    refused = [json.loads(line) for line in (tmp_path / "run" / "data" / "refused.jsonl").read_text().splitlines()]
    assert [(row["split"], row["code"]) for row in refused] == [("validation", "not_scorable")] * 2
    assert (tmp_path / "run" / "model" / "reward.json").is_file()


@pytest.mark.parametrize(
    "changes",
    [{"n_head": 4}, {"dataset": ("synthetic:61",)}, {"lr": 0.1}, {"max_length": 255}, {"read_layers": (1,)}],
)
def test_a_resume_with_anything_changed_is_refused_and_touches_nothing(tmp_path, changes):
    train.run(settings(tmp_path / "run"))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(TrainingError, match="cannot be resumed"):
        train.run(settings(tmp_path / "run", resume=True, **changes))
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_resume_takes_threads_budget_and_precision_from_the_first_run(tmp_path):
    train.run(settings(tmp_path / "run", tokens_per_microbatch=777))
    torch.set_num_threads(2)
    train.run(settings(tmp_path / "run", resume=True, threads=None))
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    "flag",
    [
        ("--clip", "-1"), ("--freeze-layers", "-2"), ("--threads", "-1"), ("--seed", "-1"), ("--warmup", "-0.5"),
        ("--patience", "-1"), ("--tokens-per-microbatch", "0"), ("--weight-decay", "-1"), ("--layers", "1"),
        ("--seed", "99999999999999999999999"), ("--dropout", "1"), ("--frac", "0"),
    ],
)  # fmt: skip
def test_a_number_that_makes_no_sense_is_a_usage_error(flag, tmp_path, capsys):
    arguments = ["train", "--model", "tiny", "--dataset", "synthetic:60", "--output", str(tmp_path / "run"), *flag]
    assert main(arguments) == 2
    assert flag[0] in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def attribute_rows(*attributes):
    return [
        {
            "prompt": f"Question {k}?",
            "responses": [{"messages": [{"role": "assistant", "content": text}]} for text in ("yes", "no")],
            "comparisons": [
                {"i": n % 2, "j": 1 - n % 2, "preference": 1.0, "attribute": name} for n, name in enumerate(attributes)
            ],
        }
        for k in range(60)
    ]


def native(rows):
    return [{**row, "prompt": [{"role": "user", "content": row["prompt"]}]} for row in rows]


def test_contradicting_attributes_are_not_stirred_into_one_target(tmp_path):
    mixed = write(tmp_path / "mixed.jsonl", native(attribute_rows("helpful", "safe")))
    with pytest.raises(TrainingError, match=r"has the attribute 'overall'.*helpful \d+, safe \d+.*--attribute helpful"):
        train.run(settings(tmp_path / "a", dataset=(mixed,)))
    chosen = train.run(settings(tmp_path / "c", dataset=(mixed,), attribute="safe"))
    assert chosen.summary["pairs"] == chosen.summary["records"]
    overall = write(tmp_path / "overall.jsonl", native(attribute_rows("overall", "safe")))
    result = train.run(settings(tmp_path / "b", dataset=(overall,)))
    assert result.summary["pairs"] == result.summary["records"]


def test_another_length_keeps_the_rest_of_a_models_contract(tmp_path):
    model = tiny()
    model.save(tmp_path / "model")
    train.run(settings(tmp_path / "run", model=str(tmp_path / "model"), max_length=200))
    contract = rs.RewardModel.load(tmp_path / "run").contract
    assert (contract.max_length, contract.date) == (200, model.contract.date)


def test_texts_are_not_taken_for_lists_of_letters():
    model = tiny()
    with pytest.raises(rs.DataError, match="score got one text"):
        model.score("hello")
    with pytest.raises(rs.DataError, match="rank got one text"):
        model.rank("q", "yes")


def test_a_table_of_positions_with_reserved_rows_limits_the_length():
    from transformers import RobertaConfig

    from rewardsmith.model.loading.backbones import position_rows

    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    roberta = from_config(RobertaConfig(**sizes, max_position_embeddings=130, pad_token_id=1), max_length=100)
    assert position_rows(roberta.network.hf) == 130 - roberta.network.hf.config.pad_token_id - 1
    llama = from_config(LlamaConfig(**sizes, max_position_embeddings=130), max_length=100)
    assert position_rows(llama.network.hf) is None


def test_overwrite_never_empties_an_input(tmp_path, capsys):
    (tmp_path / "data").mkdir()
    source = write(tmp_path / "data" / "pairs.jsonl", pairs(60))
    for output in (tmp_path / "data", tmp_path):
        arguments = ["train", "--model", "tiny", "--dataset", str(tmp_path / "data"), "--output", str(output)]
        assert main([*arguments, "--overwrite", "--threads", "1"]) == 1
        assert "contains the input" in capsys.readouterr().err
    with open(source) as file:
        assert len(file.readlines()) == 60
