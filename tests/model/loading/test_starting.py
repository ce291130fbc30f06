"""What training starts from: the head it keeps or fits, a run killed early, and what adapters and cards tell of it."""

import json

import orjson
import pytest
import torch
from transformers import BertConfig, BertModel

import foreign
from builders import pair
from rewardsmith import RewardModel
from rewardsmith.cli import main
from rewardsmith.commands.train import Config
from rewardsmith.model.frozen.dropout import switch_off_dropout
from rewardsmith.model.loading.tiny import byte_tokenizer
from rewardsmith.pipelines.train.config import Lora
from rewardsmith.pipelines.train.setup import KEPT_HEAD, open_model
from rewardsmith.scoring.trees import build_tree

SHORT = ["--dataset", "synthetic:60x2", "--batch", "4", "--max-length", "128", "--threads", "1", "--no-report"]


def start(model, tmp_path, **settings):
    return open_model(Config(model=str(model), dataset=("synthetic:60",), output=tmp_path / "o", **settings))


def read(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    foreign.trl(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"cls_token": "[CLS]", "sep_token": "[SEP]"})
    tokenizer.chat_template = None
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("rank", [None, 2])
def test_a_trained_head_is_kept_and_said_to_be(rank, public, tmp_path):
    plain = start(public, tmp_path, lora=Lora(r=rank))
    probed = start(public, tmp_path, lora=Lora(r=rank), head_start="probe")
    assert (plain.head, probed.head) == ("own", "own")
    assert KEPT_HEAD in probed.notes
    assert KEPT_HEAD not in plain.notes
    assert torch.equal(plain.model.network.head.weight, probed.model.network.head.weight)


def test_a_fitted_head_trains_without_the_encoders_own_dropout(encoder, tmp_path):
    def rewards_differ(opened):
        network = opened.model.network.train()
        batch = network.collate([tree(opened)])
        with torch.no_grad():
            return not torch.equal(network(batch), network(batch))

    def tree(opened):
        return build_tree(opened.model.encode(pair("Name a fruit.", "A pear.", "A stone.")).sequences, share=False)

    assert rewards_differ(start(encoder, tmp_path))
    probed = start(encoder, tmp_path, head_start="probe")
    assert not rewards_differ(probed)
    assert probed.notes == ("the dropout of the model (0.1) is turned off, because its head is fitted without dropout",)


def test_every_place_of_a_rate_is_switched_off():
    module = torch.nn.Sequential(torch.nn.Dropout(0.3), torch.nn.Linear(2, 2))
    module[1].attention_dropout = 0.4
    assert switch_off_dropout(module) == 0.4
    assert (module[0].p, module[1].attention_dropout) == (0.0, 0.0)
    assert switch_off_dropout(module) == 0.0


def test_a_run_killed_before_its_first_checkpoint_is_resumed_to_the_same_bits(tmp_path, capsys):
    arguments = ["train", "--model", "tiny", *SHORT, "--evals", "1", "--max-steps", "4", "--lora.r", "2"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main([*arguments, "--output", str(whole)]) == 0
    killed.mkdir()  # what lies there when the process dies in step 3, a moment before config.yaml was whole
    (killed / "settings.json").write_bytes((whole / "settings.json").read_bytes())
    (killed / "metrics.jsonl").write_bytes(b"".join((whole / "metrics.jsonl").read_bytes().splitlines(True)[:3])[:-20])
    assert main([*arguments, "--output", str(killed), "--resume"]) == 0
    assert "no checkpoint has been written yet; training starts from the beginning" in capsys.readouterr().err
    for name in ("model/model.safetensors", "model/adapter/adapter_model.safetensors"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()
    assert "resume: false" in (killed / "config.yaml").read_text()
    rows = list(map(orjson.loads, (killed / "metrics.jsonl").read_bytes().splitlines()))
    assert [row["step"] for row in rows if "loss" in row] == [1, 2, 3, 4]


def test_what_may_be_uploaded_of_an_adapter_holds_no_path_and_the_card_its_settings(public, tmp_path, capfd):
    run = tmp_path / "run"
    assert main(["train", "--model", str(public), *SHORT, "--max-steps", "1", "--lora.r", "2", "--lora.target", "q_proj",
                 "--output", str(run)]) == 0  # fmt: skip
    assert read(run / "model/adapter/adapter_config.json")["base_model_name_or_path"] == public.name
    card = (run / "model/README.md").read_text("utf-8")
    saved = sum(t.numel() for t in foreign.load_file(run / "model/model.safetensors").values())
    for row in (
        r"| lora.alpha | 4 |",
        r"| lora.target | q\_proj |",
        r"| head\_start | own |",
        f"| parameters | {saved:,} |",
    ):
        assert row in card
    noise = capfd.readouterr().err
    assert not [
        word for word in ("LOAD REPORT", "MISSING", "Loading weights", "Writing model", "gemm_4bit") if word in noise
    ]


def test_an_imported_value_head_keeps_its_bias_in_the_cards_code_and_no_path(public, tmp_path):
    out = tmp_path / "out"
    assert main(["import", str(public), "--output", str(out)]) == 0
    assert main(["card", str(out)]) == 0
    told = read(out / "reward.json")
    assert str(public.parent) not in (out / "reward.json").read_text("utf-8")
    card = (out / "README.md").read_text("utf-8")
    assert f"| base model | {public.name} |" in card.replace("\\", "")
    code = card.split("```python\n")[1].split("```")[0].replace('MODEL = "."', f"MODEL = {str(out)!r}")
    names = {}
    exec(code, names)
    assert told["offset"] != 0
    assert names["reward"] == pytest.approx(float(RewardModel.load(out).score([names["conversation"]])[0]), abs=1e-5)
