"""Losses on the text of responses: by hand, against plain transformers, and that no cut of the step changes them."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import orjson
import pytest
import torch
from safetensors.torch import load_file
from test_formulas import some
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
)

import rewardsmith as rs
from builders import from_config, pair, ranking, tiny
from rewardsmith.errors import ModelError, UsageError
from rewardsmith.model.forward.spoken import spoken_tokens
from rewardsmith.model.heads import attach_outputs
from rewardsmith.model.language_head import head as language
from rewardsmith.model.language_head.weights import attach_language_head, read_language_head
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.loss import LossSettings
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.held_out import loss_at_equal_rewards
from rewardsmith.train.loop import Fit, FitSettings
from rewardsmith.train.losses import LN_2, choose
from rewardsmith.train.losses.text import TextTerm
from rewardsmith.train.masks import Dropout, wanted_texts
from rewardsmith.train.step import accumulate

NO_DROPOUT = Dropout(0.0, 0, 0)
ROWS = [
    pair("Which is larger?", "It is 7. 七", "It is 4, I think so."),
    ranking("List", "a good answer", "a middling one", "bad"),
    pair("tie?", "both are", "fine", preference=0.5),
    pair("votes", "two of three " * 3, "one", preference=0.75, weight=2.0),
]
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


def spoken_model(seed=0):
    """The tiny model with the head of the language model, and examples that know their answers."""
    model = tiny(seed=seed)
    attach_language_head(model.network, None, learns=True)
    return model, encode_examples(ROWS, model.answering, share=True).examples


def log_probs(hf, ids, answer):
    """Sum of log p over the last `answer` tokens, from states and embeddings one by one."""
    hf.set_attn_implementation("eager")
    states = hf.model(torch.from_numpy(ids.astype(np.int64))[None]).last_hidden_state[0]
    logits = (states @ hf.get_input_embeddings().weight.T).log_softmax(dim=1)
    return sum(logits[place - 1, int(ids[place])] for place in range(len(ids) - answer, len(ids)))


def sides(said):
    return said.preferred, said.other, said.preference


def columns_of(model, examples, wanted=None):
    trees = [example.tree for example in examples]
    batch = model.network.collate(trees)
    asked = wanted or [True] * sum(example.responses for example in examples)
    batch = dataclasses.replace(batch, spoken=spoken_tokens(batch, trees, asked))
    return model.network(batch, wide=True)


@pytest.mark.parametrize("packed", [True, False])
def test_the_columns_are_the_log_probabilities_of_the_answers_tokens(packed):
    model, examples = spoken_model()
    model.network.packed = packed
    model.network.use_attention()
    found = columns_of(model, examples).detach()
    row = 0
    for example in examples:
        for ids, answer in zip(example.tree.sequences, example.tree.answers, strict=True):
            expected = log_probs(model.network.hf, ids, answer).item()
            assert found[row, 1].item() == pytest.approx(expected, rel=1e-5)
            assert found[row, 2].item() == answer
            row += 1
    assert row == len(found)


def test_what_is_not_wanted_is_not_computed_and_changes_no_reward():
    model, examples = spoken_model()
    every = columns_of(model, examples).detach()
    some_of = columns_of(model, examples, [k % 2 == 0 for k in range(len(every))]).detach()
    none = columns_of(model, examples, [False] * len(every)).detach()
    assert torch.equal(some_of[::2], every[::2])
    assert some_of[1::2, 1:].abs().max() == none[:, 1:].abs().max() == 0
    assert torch.equal(none[:, 0], every[:, 0])


def test_the_log_probabilities_are_those_of_transformers_own_language_model(tmp_path):
    torch.manual_seed(3)
    plain = LlamaForCausalLM(LlamaConfig(**SIZES, vocab_size=260, num_key_value_heads=2)).eval()
    plain.save_pretrained(tmp_path)
    hidden = torch.randn(2000, 32)
    ids = torch.randint(0, 260, (2000,))
    hf = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=1)
    own = read_language_head(hf, "decoder", tmp_path)
    assert torch.equal(own.weight, plain.lm_head.weight)
    expected = plain.lm_head(hidden).log_softmax(1).gather(1, ids[:, None]).squeeze(1)
    found = language.next_token_log_probs(own, hidden, language.embeddings_of(hf), ids)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=260),
        GPTNeoXConfig(**SIZES, vocab_size=260, tie_word_embeddings=False),
        PhiConfig(**SIZES, vocab_size=260),
    ],
)
def test_every_familys_head_is_found_with_its_bias(config, tmp_path):
    torch.manual_seed(2)
    plain = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in plain.get_output_embeddings().parameters():
            parameter.normal_(std=0.3)
    plain.save_pretrained(tmp_path)
    hf = AutoModelForSequenceClassification.from_pretrained(tmp_path, num_labels=1, pad_token_id=0)
    head = read_language_head(hf, "decoder", tmp_path)
    ids = torch.arange(1, 20)[None]
    with torch.no_grad():
        states = hf.base_model(ids).last_hidden_state[0]
        torch.testing.assert_close(head(states, language.embeddings_of(hf)), plain(ids).logits[0], atol=1e-5, rtol=1e-5)


def test_a_piece_at_a_time_gives_the_same_gradient(monkeypatch):
    def gradient():
        model, examples = spoken_model()
        columns_of(model, examples)[:, 1].sum().backward()
        return torch.cat([p.grad.flatten() for p in model.network.hf.model.parameters()])

    whole = gradient()
    monkeypatch.setattr(language, "LARGEST", 1)
    monkeypatch.setattr(language, "FEWEST", 5)
    torch.testing.assert_close(gradient(), whole, atol=1e-5, rtol=1e-4)


def test_terms_by_hand():
    said = SimpleNamespace(
        preferred=torch.tensor([0, 2, 1]), other=torch.tensor([1, 3, 0]), preference=torch.tensor([1.0, 0.5, 0.8])
    )
    columns = torch.tensor([[-6.0, 3], [-8.0, 2], [-4.0, 4], [-10.0, 5]])

    def sigma(x):
        return -math.log(1 / (1 + math.exp(-x)))

    lm = TextTerm(lm=0.5).values(columns, *sides(said)).tolist()
    assert lm == pytest.approx([0.5 * 2, 0.5 * (1 + 2) / 2, 0.5 * (0.8 * 4 + 0.2 * 2)])
    sft = TextTerm(grm_sft=0.01).values(columns, *sides(said)).tolist()  # sums over tokens, as in the original
    assert sft == pytest.approx([0.01 * sigma(-0.6), 0.01 * (sigma(-0.4) + sigma(-1.0)) / 2,
                                 0.01 * (0.8 * sigma(-0.8) + 0.2 * sigma(-0.6))], rel=1e-5)  # fmt: skip
    dpo = TextTerm(grm_dpo=0.01, grm_beta=0.2).values(columns, *sides(said)).tolist()
    assert dpo == pytest.approx([0.01 * sigma(0.4), 0.01 * (sigma(1.2) + sigma(-1.2)) / 2,
                                 0.01 * (0.8 * sigma(-0.4) + 0.2 * sigma(0.4))], rel=1e-5)  # fmt: skip
    assert TextTerm(grm_sft=0.01).kept == pytest.approx(0.99)
    assert TextTerm(lm=3.0).kept == 1.0


@pytest.mark.parametrize("term", [{"lm": 0.7}, {"grm_sft": 0.3}, {"grm_dpo": 0.3}, {"lm": 0.2, "grm_dpo": 0.1}])
def test_the_gradient_of_a_term_is_that_of_finite_differences(term):
    _, said = some(1)
    sums = (-torch.rand(12, dtype=torch.float64) * 20).requires_grad_()
    counts = torch.arange(1.0, 13, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda s: TextTerm(**term).values(torch.stack([s, counts], dim=1), *sides(said)), (sums,)
    )


def test_the_weight_of_a_term_at_zero_is_the_loss_alone_and_swapped_sides_change_nothing():
    assert choose("focal", {"lm": 0.0, "grm_sft": 0.0}).text is None
    _, said = some(2)
    swapped = dataclasses.replace(said, preferred=said.other, other=said.preferred, preference=1 - said.preference)
    columns = torch.stack([-torch.rand(12) * 9, torch.arange(1.0, 13)], dim=1)
    for term in (TextTerm(lm=1.0), TextTerm(grm_sft=0.2), TextTerm(grm_dpo=0.2)):
        torch.testing.assert_close(term.values(columns, *sides(said)), term.values(columns, *sides(swapped)))


def step(loss, budget, *, seed=0, dropout=NO_DROPOUT, prepare=lambda model: None):
    model, examples = spoken_model(seed)
    prepare(model)
    model.network.train()
    seen = accumulate(model.network, examples, loss, dropout=dropout, budget=budget)
    return seen, torch.cat([p.grad.flatten() for p in model.network.hf.parameters() if p.grad is not None])


@pytest.mark.parametrize("options", [{"lm": 0.5}, {"grm_sft": 0.05}, {"grm_dpo": 0.05, "lm": 0.1, "center": 0.01}])
def test_any_budget_gives_the_same_gradient_and_figures(options):
    loss = choose("margin", options)
    (whole, expected), (parts, found) = (step(loss, budget) for budget in (10**6, 1))
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-4)
    assert parts.loss == pytest.approx(whole.loss)
    assert parts.text_loss == pytest.approx(whole.text_loss)


def objective(hf, example):
    """Bradley-Terry, and 0.1 of GRM's term with 0.3 of the language model's, of a record, both weighted, text by text."""
    sign, ids, lengths = torch.nn.functional.softplus, example.tree.sequences, example.tree.answers
    total = [log_probs(hf, one, n) for one, n in zip(ids, lengths, strict=True)]
    states = [hf.model(torch.from_numpy(one.astype(np.int64))[None]).last_hidden_state[0, -1] for one in ids]
    reward = [state @ hf.score.weight[0] for state in states]
    spoken = [0.1 * sign(-0.1 * one) - 0.3 * one / n for one, n in zip(total, lengths, strict=True)]
    own = text = torch.zeros(())
    for i, j, p, w in zip(
        example.preferred, example.other, example.preference.tolist(), example.weight.tolist(), strict=True
    ):
        own = own + w * (p * sign(reward[j] - reward[i]) + (1 - p) * sign(reward[i] - reward[j]))
        text = text + w * (p * spoken[i] + (1 - p) * spoken[j])
    return torch.stack([own, text])


def test_a_step_is_the_sum_of_its_parts_as_plain_autograd_gives_it():
    seen, found = step(choose("bradley-terry", {"grm_sft": 0.1, "lm": 0.3}), 200)
    model, examples = spoken_model()
    hf = model.network.hf
    hf.set_attn_implementation("eager")
    weight = sum(float(example.weight.sum()) for example in examples)
    own, text = sum(objective(hf, example) for example in examples) / weight
    assert seen.loss == pytest.approx(own.item(), rel=1e-5)
    assert seen.text_loss == pytest.approx(text.item(), rel=1e-5)
    (0.9 * own + text).backward()
    expected = torch.cat([p.grad.flatten() for p in hf.parameters() if p.grad is not None])
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-3)


@pytest.mark.parametrize("name", ["uncertainty", "odin", "contrastive"])
def test_losses_that_couple_the_step_take_terms_on_text(name):
    loss = choose(name, {"lm": 0.5})

    def prepare(model):
        attach_outputs(model.network, loss.outputs, members=loss.members, seed=1)

    (whole, expected), (parts, found) = (step(loss, budget, prepare=prepare) for budget in (10**6, 1))
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=1e-3)
    assert parts.text_loss == pytest.approx(whole.text_loss, rel=1e-5)
    assert step(choose(name), 10**6, prepare=prepare)[0].loss == pytest.approx(whole.loss)


def test_a_share_of_the_records_has_its_text_counted_by_hash():
    _, examples = spoken_model()
    many = [dataclasses.replace(examples[0], id=str(k)) for k in range(400)]
    term = TextTerm(lm=1.0, lm_share=0.3)
    first, again, later = (wanted_texts(term, many, Dropout(0.0, 1, epoch)) for epoch in (0, 0, 1))
    assert first == again != later
    assert sum(first[0::2]) == pytest.approx(120, abs=30)
    assert not any(first[1::2])  # the response that was not preferred
    assert wanted_texts(TextTerm(lm=1.0), examples, NO_DROPOUT) == [
        True,
        False,
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    assert all(wanted_texts(TextTerm(grm_dpo=0.1), examples, NO_DROPOUT))


def test_validation_judges_by_the_loss_proper():
    model, examples = spoken_model()
    equal = loss_at_equal_rewards(choose("bradley-terry", {"lm": 5.0}), examples, model.network)
    assert equal == pytest.approx(LN_2)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"grm_sft": 0.1, "grm_dpo": 0.1}, "two forms of one term"),
        ({"grm_beta": 0.2}, r"--loss\.grm-beta has no effect without"),
        ({"lm_share": 0.5}, r"--loss\.lm-share has no effect without --loss\.lm"),
        ({"lm": 0.1, "lm_share": 0.5, "grm_sft": 0.1}, "takes the text of every record"),
        ({"grm_sft": 1.0}, r"\[0, 1\)"),
    ],
)
def test_options_that_exclude_each_other_are_refused(given, told):
    with pytest.raises(UsageError, match=told):
        choose("bradley-terry", given)


def test_where_text_cannot_be_learned_it_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--loss\.lm has no effect with --loss regression"):
        choose("regression", {"lm": 0.1})
    encoder = from_config(BertConfig(**SIZES))
    with pytest.raises(ModelError, match="is an encoder, which predicts no next token"):
        attach_language_head(encoder.network, None, learns=True)
    model = tiny()
    model.network.hf.config.final_logit_softcapping = 30.0
    with pytest.raises(ModelError, match=r"scales its logits \(final_logit_softcapping is 30"):
        attach_language_head(model.network, None, learns=True)
    with pytest.raises(UsageError, match="--freeze-layers -1 trains the head only, which losses on text do not reach"):
        Config(model="tiny", dataset=("x",), output=tmp_path, freeze_layers=-1, loss=LossSettings(lm=0.1))


def text_run(folder, **changes):
    model, examples = spoken_model(seed=1)
    folder.mkdir(exist_ok=True)
    settings = FitSettings(
        **{
            "epochs": 3, "batch": 2, "lr": 1e-3, "weight_decay": 0.01, "warmup": 0.1, "clip": 1.0, "dropout": 0.1,
            "loss": "bradley-terry", "loss_options": {"lm": 0.5, "lm_share": 0.6}, "seed": 0,
            "tokens_per_microbatch": 300, "eval_every": 2, "patience": 0, "keep": 2, **changes,
        }
    )  # fmt: skip
    return Fit(model.network, settings, train=examples, validation=examples, folder=folder, fingerprint={"a": 1})


def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_bits(tmp_path):
    whole = text_run(tmp_path / "whole")
    whole.run()
    stopped = text_run(tmp_path / "parts")
    one_step = stopped._one_step

    def stopping(*arguments):
        if stopped.state.step == 3:
            raise RuntimeError("power cut")
        one_step(*arguments)

    stopped._one_step = stopping
    with pytest.raises(RuntimeError, match="power cut"):
        stopped.run()
    again = text_run(tmp_path / "parts")
    assert again.run(resuming=True).resumed_from == 2
    for name, parameter in whole.network.hf.named_parameters():
        assert torch.equal(parameter, dict(again.network.hf.named_parameters())[name])
    plain = text_run(tmp_path / "plain", loss_options=None)
    plain.run()
    assert not torch.equal(plain.network.head.weight, whole.network.head.weight)


def test_a_trained_folder_has_no_trace_of_the_language_model(tmp_path):
    result = rs.train(
        "tiny",
        "synthetic:120",
        tmp_path / "run",
        loss={"name": "bradley-terry", "grm_sft": 0.01},
        max_steps=2,
        report=False,
    )
    assert result.summary["loss"] == {"name": "bradley-terry", "grm_sft": 0.01}
    rows = [orjson.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_bytes().splitlines()]
    assert all(0 < row["text_loss"] < 1 for row in rows if "loss" in row)
    assert not [name for name in load_file(tmp_path / "run" / "model" / "model.safetensors") if "language" in name]
