"""Damaged weights, configs and tokenizers end in one line, within seconds and without taking memory."""

import json
import resource
import shutil
import struct
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import foreign
from builders import tiny
from rewardsmith.commands import evaluate, import_, score, train
from rewardsmith.errors import ModelError, RewardsmithError
from rewardsmith.model.inspection.finite import refuse_values
from rewardsmith.model.loading.backbones import open_backbone
from rewardsmith.model.reward_model import RewardModel

SECONDS, MEGABYTES = 10, 700


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "model"
    foreign.classifier(folder)
    return folder


@pytest.fixture
def folder(classifier, tmp_path):
    shutil.copytree(classifier, tmp_path / "model")
    return tmp_path / "model"


def put(folder, **weights):
    stored = load_file(folder / "model.safetensors") | {name.replace("__", "."): w for name, w in weights.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def commands(folder):
    settings, out = {"device": "cpu"}, folder.parent
    yield lambda: RewardModel.load(folder, device="cpu")
    yield lambda: score.run(score.Config(model=str(folder), source="synthetic:2", output=out / "x.jsonl", **settings))
    yield lambda: evaluate.run(evaluate.Config(model=str(folder), sources=("synthetic:2",), **settings))
    yield lambda: import_.run(import_.Config(model=str(folder), output=out / "imported"))
    yield lambda: train.run(train.Config(model=str(folder), dataset=("synthetic:60",), output=out / "run", **settings))


def refused(opening, words):
    """One line within seconds, with little memory on top; its text."""
    begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RewardsmithError, match=words) as caught:
        opening()
    assert time.process_time() - begun < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MEGABYTES
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700
    return str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.norm.weight", "model.layers.1.mlp.up_proj.weight", "score.weight"])
def test_a_value_that_is_no_number_is_refused_by_the_name_of_its_weight(value, name, folder):
    weight = load_file(folder / "model.safetensors")[name]
    weight.view(-1)[5] = value
    put(folder, **{name.replace(".", "__"): weight})
    for command in commands(folder):
        refused(command, rf"the weight {name} has 1 NaN or infinite values \(of {weight.numel()}\)")


def test_in_a_stored_model_too_and_in_heads_that_lie_apart(tmp_path):
    model = tiny()
    model.keep_heads(np.stack([model.network.head.weight.detach().numpy()[0]] * 3))
    model.save(tmp_path / "model")
    heads = tmp_path / "model" / "heads" / "weights.safetensors"
    weights = load_file(heads)["weights"]
    weights[1, 2] = float("nan")
    save_file({"weights": weights}, heads)
    (tmp_path / "model" / "manifest.json").unlink()  # as in a folder of an older version
    with pytest.raises(ModelError, match="the weight weights has 1 NaN or infinite values"):
        RewardModel.load(tmp_path / "model", device="cpu")
    with pytest.raises(ModelError, match="the weight weights has 1 NaN or infinite values"):
        RewardModel.load(tmp_path / "model", device="cpu", allow_mismatch=True)


def test_a_value_head_and_its_bias_are_looked_at(tmp_path):
    foreign.trl(tmp_path)
    put(tmp_path, v_head__summary__bias=torch.tensor([float("inf")]))
    with pytest.raises(ModelError, match=r"the weight v_head.summary.bias has 1 NaN or infinite values"):
        RewardModel.load(tmp_path, device="cpu")


def test_a_bias_of_several_values_is_no_bias_of_a_reward(folder):
    put(folder, score__bias=torch.ones(2))
    refused(
        lambda: RewardModel.load(folder, device="cpu"), r"score.bias has the shape \[2\], but a head with one output"
    )


def test_statistics_that_are_no_numbers_are_refused(tmp_path):
    foreign.openrlhf(tmp_path)
    foreign.change_config(tmp_path, mean=float("nan"))
    refused(lambda: RewardModel.load(tmp_path, device="cpu"), "mean nan and std 1.5 of OpenRLHF")


def test_huge_values_whose_sum_overflows_are_numbers():
    refuse_values("here", [("w", torch.full((1000,), 3e38)), ("none", torch.zeros(2, 2))])


@pytest.mark.parametrize("name", ["score.weight", "model.norm.weight", "unused"])
def test_an_empty_tensor_is_refused_and_never_drawn_anew(name, folder):
    put(folder, **{name.replace(".", "__"): torch.zeros(0)})
    for command in commands(folder):
        refused(command, rf"contains 1 empty tensors \({name} has the shape \[0\]\).*ZeRO-3.*gather")


def test_an_empty_tensor_of_an_adapter_too(tmp_path):
    pytest.importorskip("peft")
    foreign.llama_factory_lora(tmp_path / "adapter")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({**weights, next(iter(weights)): torch.zeros(0, 4)}, path)
    with pytest.raises(ModelError, match="contains 1 empty tensors"):
        RewardModel.load(tmp_path / "adapter", device="cpu")


ABSURD = {
    "hidden_size": 10**9,
    "intermediate_size": 10**9,
    "num_hidden_layers": 10**7,
    "num_attention_heads": 10**9,
    "vocab_size": 10**12,
    "num_labels": 10**9,
    "head_dim": 10**10,
    "layer_types": ["full_attention"] * 100_000,
    "rope_parameters": {"rope_type": "default", "rope_theta": [[[1]]]},
}


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_config_ends_in_one_line(name, folder):
    foreign.change_config(folder, **{name: ABSURD[name]})
    for opening in (lambda: RewardModel.load(folder, device="cpu"), lambda: open_backbone(str(folder))):
        refused(opening, "config|lacks weights")


def test_an_absurd_number_of_positions_takes_no_memory(tmp_path):
    from transformers import GPT2Config, GPT2ForSequenceClassification

    config = GPT2Config(vocab_size=300, n_embd=32, n_layer=1, n_head=2, n_positions=64, num_labels=1, pad_token_id=0)
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    foreign.save_tokenizer(tmp_path)
    open_backbone(str(tmp_path))
    foreign.change_config(tmp_path, n_positions=10**9)
    refused(lambda: open_backbone(str(tmp_path)), r"describes a model of [\d,]+ bytes, but the weights have")


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors.index.json"]
)
@pytest.mark.parametrize("depth", [900, 100_000])
def test_deeply_nested_json_ends_in_one_line(name, depth, folder):
    (folder / name).write_text('{"a": ' + "[" * depth + "]" * depth + "}")
    refused(lambda: RewardModel.load(folder, device="cpu"), str(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"5", b"{", b"\xff\xfe\x00", b'{"a": 1e999}', b'{"model": {"type": "BPE"}}']
)
def test_damaged_json_ends_in_one_line(name, content, folder):
    (folder / name).write_bytes(content)
    for opening in (lambda: RewardModel.load(folder, device="cpu"), lambda: open_backbone(str(folder))):
        try:
            refused(opening, ".")
        except pytest.fail.Exception:  # a tokenizer may do without its config
            assert name == "tokenizer_config.json"
            assert b"{" in content


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("tokenizer_config.json", {"model_max_length": "long"}),
        (
            "tokenizer.json",
            {"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}},
        ),
        ("config.json", {"architectures": [[]]}),
        ("config.json", {"architectures": 5}),
    ],
    ids=["length", "no tokens", "a list as class", "a number as classes"],
)
def test_values_of_another_kind_end_in_one_line_or_do_no_harm(name, changes, folder):
    foreign.change_json(folder / name, **changes)
    if name == "config.json":
        open_backbone(str(folder))
    else:
        refused(lambda: open_backbone(str(folder)), "cannot open the model in")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_huge_file_is_not_read(name, folder):
    with (folder / name).open("r+b") as file:
        file.truncate(200_000_000)
    refused(lambda: RewardModel.load(folder, device="cpu"), rf"{name} has 200000000 bytes, expected at most")


HEADERS = {
    "sizes that overflow": {"w": {"dtype": "F32", "shape": [10**12, 10**9], "data_offsets": [0, 4]}},
    "a size beyond 64 bits": {"w": {"dtype": "F32", "shape": [10**40], "data_offsets": [0, 4]}},
    "a negative size": {"w": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}},
    "a size that is no number": {"w": {"dtype": "F32", "shape": ["4"], "data_offsets": [0, 4]}},
    "offsets backwards": {"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
    "offsets far away": {"w": {"dtype": "U8", "shape": [10**15], "data_offsets": [0, 10**15]}},
    "a thousand dimensions": {"w": {"dtype": "F32", "shape": [1] * 1000, "data_offsets": [0, 4]}},
    "no offsets": {"w": {"dtype": "F32", "shape": [1]}},
    "a list": [1, 2],
    "a deep nest": None,
}


@pytest.mark.parametrize("case", HEADERS)
def test_an_absurd_header_of_the_weights_ends_in_one_line(case, folder):
    header = b"[" * 100_000 if HEADERS[case] is None else json.dumps(HEADERS[case]).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    refused(lambda: RewardModel.load(folder, device="cpu"), r"is damaged|is truncated")


def test_a_header_of_a_gigabyte_is_not_read(folder):
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", 10**9))
        file.truncate(10**9 + 8)
    refused(lambda: RewardModel.load(folder, device="cpu"), "is not a complete safetensors file")


@pytest.mark.parametrize("names", [["../model.safetensors"], [], [5], ["/etc/hostname"]])
def test_an_index_names_files_of_its_folder_and_no_others(names, folder):
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(enumerate(names))}))
    refused(lambda: RewardModel.load(folder, device="cpu"), "refers to files outside its folder")


def test_tokens_beyond_the_embedding_are_refused_on_opening(folder):
    tokenizer = foreign.byte_tokenizer()
    tokenizer.add_tokens(["zebra", "斑马"])
    tokenizer.save_pretrained(folder)
    for command in commands(folder):
        refused(
            command,
            r"the embedding has 260 rows, but the tokenizer has 2 tokens beyond that \(260 'zebra', 261 '斑马'\)",
        )


def test_a_special_token_beyond_the_embedding_too_if_the_tokenizers_files_name_it(folder):
    tokenizer = foreign.byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    refused(lambda: open_backbone(str(folder)), r"1 tokens beyond that \(260 '\[PAD\]'\)")


def test_a_stored_pad_token_beyond_the_embedding_is_refused(tmp_path):
    tiny().save(tmp_path / "model")
    path = tmp_path / "model" / "reward.json"
    stored = json.loads(path.read_text())
    stored["contract"]["pad_token_id"] = 260
    path.write_text(json.dumps(stored))
    refused(lambda: RewardModel.load(tmp_path / "model", device="cpu", allow_mismatch=True), "pad_token_id 260")
