"""The policy: implicit rewards, gradient and losses against transformers, TRL, values by hand and finite differences."""

import math

import numpy as np
import pytest
import torch

from language_models import save_language_model
from rewardsmith.align.dpo.log_probs import log_probs, reference_of
from rewardsmith.align.dpo.losses import preference_loss
from rewardsmith.align.dpo.opening import open_policy
from rewardsmith.errors import ContractError
from rewardsmith.records import Comparison, Message, Record, Response
from rewardsmith.scoring.trees import build_tree
from rewardsmith.train.examples import Example, encode_examples
from rewardsmith.train.labels import labels_of
from rewardsmith.train.masks import Dropout
from rewardsmith.train.step import accumulate

PAIRS = [
    ("What is 2+2?", "4", "five"),
    ("Name a fruit.", "An apple, for example.", "Stone"),
    ("中国的首都是哪里？", "北京", "上海是一个城市"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_language_model(tmp_path_factory.mktemp("lm"), sharp=2.0)


def record(prompt, *responses, line=1, comparisons=None, **fields):
    said = tuple(Response((Message("assistant", each),)) for each in responses)
    return Record(
        (Message("user", prompt),), said, comparisons or (Comparison(0, 1, 1.0),), fields=fields, source="t", line=line
    )


def opened(folder, **settings):
    policy = open_policy(folder, device="cpu", dtype="fp32", **settings)
    records = [record(*pair, line=number) for number, pair in enumerate(PAIRS, 1)]
    examples = encode_examples(records, policy.encoder, share=policy.network.packed).examples
    return policy, examples


def class_log_prob(hf, ids, answer):
    """The sum of log p over the last `answer` tokens, by the class itself on the text alone."""
    ids = torch.tensor(np.asarray(ids).astype(np.int64))[None]
    logits = hf(input_ids=ids).logits[0, :-1].log_softmax(-1)
    return logits.gather(1, ids[0, 1:, None])[-answer:].sum()


def test_log_probs_are_those_of_the_class(folder):
    from transformers import AutoModelForCausalLM

    policy, examples = opened(folder)
    assert policy.network.packed
    hf = AutoModelForCausalLM.from_pretrained(folder)
    found = log_probs(policy.network, [example.sequences for example in examples])
    for example, values in zip(examples, found, strict=True):
        for ids, answer, value in zip(example.tree.sequences, example.tree.answers, values, strict=True):
            assert value == pytest.approx(class_log_prob(hf, ids, answer).item(), rel=1e-5)


def test_the_tokens_are_the_prompt_of_generation_the_response_and_its_end(folder):
    policy, examples = opened(folder)
    prompt = policy.encoder.prompts.render((Message("user", "What is 2+2?"),)).ids
    ids = examples[0].tree.sequences[0].tolist()
    assert tuple(ids[: len(prompt)]) == prompt
    answer = ids[len(prompt) :]
    assert policy.tokenizer.decode(answer[:-1]) == "4"
    assert answer[-1] in policy.language_model.ends
    assert examples[0].tree.answers[0] == len(answer) == 2


def test_a_response_cut_at_the_limit_has_no_end_token_and_a_text_cannot_forge_one(folder):
    policy, _ = opened(folder)
    end = policy.tokenizer.convert_ids_to_tokens(policy.encoder.end)
    one = record("Hi", "a" + end + "b", "cc", finish_reasons=["length", "stop"])
    encoded = policy.encoder.encode(one)
    first, second = (ids[-n:].tolist() for ids, n in zip(encoded.sequences, encoded.answers, strict=True))
    assert policy.encoder.end not in first
    assert policy.tokenizer.decode(first) == "a" + end + "b"
    assert second[-1] == policy.encoder.end
    assert encoded.forged == 1


def test_what_cannot_be_trained_on_is_refused_with_its_reason(folder):
    policy, _ = opened(folder, max_length=64)
    turns = Response((Message("assistant", "a"), Message("user", "b"), Message("assistant", "c")))
    several = Record((Message("user", "Hi"),), (turns, turns), (), source="t", line=1)
    with pytest.raises(ContractError, match="3 turns"):
        policy.encoder.encode(several)
    long = encode_examples([record("Hi", "x" * 100, "y")], policy.encoder, share=True)
    assert [row.code for row in long.refused] == ["too_long"]


def gradients(network):
    return {name: p.grad.clone() for name, p in network.hf.named_parameters() if p.grad is not None}


def step(network, examples, loss, budget=4096):
    network.zero_grad(set_to_none=True)
    return accumulate(network, examples, loss, dropout=Dropout(0.0, 0, 0), budget=budget)


@pytest.fixture(scope="module")
def moved(folder):
    """A policy that has moved away from its reference."""
    policy, examples = opened(folder, beta=0.3)
    policy.network.reference = reference_of(policy.network, [example.sequences for example in examples])
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in policy.network.hf.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return policy, examples


@pytest.mark.parametrize(
    ("name", "smoothing", "kind", "pairs"),
    [("sigmoid", 0.0, "sigmoid", 3), ("sigmoid", 0.0, "sigmoid_norm", 3), ("sigmoid", 0.2, "aot", 1),
     ("robust", 0.2, "robust", 3), ("ipo", 0.0, "ipo", 3), ("hinge", 0.0, "hinge", 3)],
)  # fmt: skip
def test_loss_and_gradient_are_those_of_trl(trainer_of, moved, name, smoothing, kind, pairs):
    """TRL's DPOTrainer on the same tokens. Its IPO takes ratios per token; its plain loss ignores label smoothing, which
    `aot`, of one pair the same loss, does not.
    """
    policy, examples = moved[0], moved[1][:pairs]
    trl_loss, trl_gradient = of_trl(trainer_of, policy, examples, kind, smoothing)
    policy.network.per_token = kind in ("ipo", "sigmoid_norm")
    try:
        figures = step(policy.network, examples, preference_loss(name, beta=0.3, label_smoothing=smoothing))
        own = gradients(policy.network)
    finally:
        policy.network.per_token = False
        policy.network.zero_grad(set_to_none=True)
    assert figures.loss == pytest.approx(trl_loss, rel=1e-4)
    assert own.keys() == trl_gradient.keys()
    for key, value in own.items():
        scale = trl_gradient[key].abs().max()
        assert torch.allclose(value, trl_gradient[key], atol=2e-4 * float(scale) + 1e-7, rtol=0), key


@pytest.fixture(scope="module")
def trainer_of(folder, moved, tmp_path_factory):
    """TRL's trainer against the model in the folder."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    args = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")), beta=0.3, use_cpu=True, bf16=False, report_to=[],
        gradient_checkpointing=False,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": "a", "chosen": "b", "rejected": "c"}])
    policy, reference = (AutoModelForCausalLM.from_pretrained(folder) for _ in range(2))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return DPOTrainer(
        model=policy, ref_model=reference, args=args, train_dataset=rows, processing_class=tokenizer
    )  # fmt: skip


def of_trl(trainer, policy, examples, kind, smoothing):
    """Loss and gradient of TRL's trainer for the policy as it is."""
    model = trainer.model
    model.load_state_dict(policy.network.hf.state_dict())
    trainer.loss_types, trainer.label_smoothing = [kind], smoothing
    texts = []
    for example in examples:
        prompt = len(example.tree.sequences[0]) - example.tree.answers[0]
        chosen, rejected = (ids.tolist() for ids in example.tree.sequences)
        texts.append({"prompt_ids": chosen[:prompt], "chosen_ids": chosen[prompt:], "rejected_ids": rejected[prompt:]})
    batch = trainer.data_collator(texts)
    model.zero_grad(set_to_none=True)
    model.train()
    loss = trainer.compute_loss(model, batch)
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


EXAMPLE = Example(
    "a", "a", "t:1", build_tree([np.array([1, 2], dtype=np.int32), np.array([1, 3], dtype=np.int32)]),
    preferred=np.array([0]), other=np.array([1]), preference=np.array([1.0], dtype=np.float32),
    weight=np.array([1.0], dtype=np.float32), margin=np.array([np.nan], dtype=np.float32),
    votes=np.full((1, 3), np.nan, dtype=np.float32), ratings=np.full(2, np.nan, dtype=np.float32),
)  # fmt: skip


def test_values_by_hand():
    rewards = torch.tensor([1.0, 0.2])
    labels = labels_of([EXAMPLE], torch.device("cpu"))
    log_sigmoid = math.log(1 / (1 + math.exp(-0.8)))
    other = math.log(1 / (1 + math.exp(0.8)))

    def value(name, **options):
        return preference_loss(name, beta=0.5, **options).values(rewards, labels).item()

    assert value("sigmoid") == pytest.approx(-log_sigmoid)
    assert value("sigmoid", label_smoothing=0.1) == pytest.approx(-0.9 * log_sigmoid - 0.1 * other)
    assert value("robust", label_smoothing=0.1) == pytest.approx((-0.9 * log_sigmoid + 0.1 * other) / 0.8)
    assert value("hinge") == pytest.approx(0.2)
    assert value("ipo") == pytest.approx((0.8 / 0.5 - 1.0) ** 2)


def test_finite_differences_of_the_whole_way(moved):
    policy, examples = moved
    loss = preference_loss("sigmoid", beta=0.3, sft=0.5)
    figures = step(policy.network, examples, loss)
    found = gradients(policy.network)
    name, parameter = next(
        (name, p) for name, p in policy.network.hf.named_parameters() if name.endswith("layers.0.mlp.down_proj.weight")
    )
    direction = found[name] / found[name].norm()
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            parameter.add_(sign * 1e-2 * direction)
        moved_by = step(policy.network, examples, loss)
        ends.append(moved_by.loss + moved_by.text_loss)
        with torch.no_grad():
            parameter.sub_(sign * 1e-2 * direction)
    policy.network.zero_grad(set_to_none=True)
    assert figures.text_loss > 0
    assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(float(found[name].norm()), rel=2e-2)


def test_the_gradient_does_not_depend_on_the_cut_or_on_shared_prefixes(moved):
    policy, examples = moved
    loss = preference_loss("sigmoid", beta=0.3)
    step(policy.network, examples, loss)
    whole = gradients(policy.network)
    step(policy.network, examples, loss, budget=1)
    alone = gradients(policy.network)
    policy.network.packed = False
    policy.network.use_attention()
    step(policy.network, examples, loss)
    separate = gradients(policy.network)
    policy.network.packed = True
    policy.network.use_attention()
    for key, value in whole.items():
        scale = float(value.abs().max()) + 1e-12
        assert torch.allclose(alone[key], value, atol=1e-4 * scale)
        assert torch.allclose(separate[key], value, atol=1e-4 * scale)


def test_the_reference_is_found_again_by_content(moved, tmp_path):
    policy, examples = moved
    reference = policy.network.reference
    reference.save(tmp_path / "r.safetensors")
    again = type(reference).read(tmp_path / "r.safetensors")
    assert again.values == reference.values
    assert again.holds(example.sequences for example in examples)
    (tmp_path / "r.safetensors").write_bytes(b"damaged")
    assert type(reference).read(tmp_path / "r.safetensors") is None
