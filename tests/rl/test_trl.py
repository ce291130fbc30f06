"""Rewards inside TRL's trainers, which really run: GRPO in-process, from a server, and one function for each attribute."""

import asyncio
import logging

import numpy as np
import pytest
import torch
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import get_callable_name, is_async_callable

from builders import tiny
from language_models import save_language_model
from reward_server import running
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.errors import DataError, ModelError, UsageError
from rewardsmith.rewards.learned import ModelRewards
from rewardsmith.rl import Shaping, trl_reward, trl_rewards

PROMPTS = ["Name a fruit.", "说一种水果。"]
COMPLETIONS = ["Plum.", "李子。"]


@pytest.fixture(scope="module")
def model():
    return tiny(n_layer=1, max_length=192, head_scale=20.0)


@pytest.fixture(scope="module")
def expected(model):
    return model.score(
        [
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}]
            for prompt, text in zip(PROMPTS, COMPLETIONS, strict=True)
        ]
    )


def as_messages(role, texts):
    return [[{"role": role, "content": text}] for text in texts]


def test_texts_and_messages_give_the_rewards_of_the_model(model, expected):
    reward = trl_reward(model)
    assert reward(prompts=PROMPTS, completions=COMPLETIONS, completion_ids=[[1], [2]], trainer_state=None) == list(
        expected
    )
    messages = reward(
        prompts=as_messages("user", PROMPTS), completions=as_messages("assistant", COMPLETIONS), log_metric=print
    )
    assert messages == list(expected)


def test_an_asynchronous_function_is_one_for_trl(model, expected):
    reward = trl_reward(model, asynchronous=True)
    assert is_async_callable(reward)
    assert not is_async_callable(trl_reward(model))
    assert asyncio.run(reward(prompts=PROMPTS, completions=COMPLETIONS)) == list(expected)


def test_a_model_without_attributes_gives_one_function(model):
    assert [get_callable_name(one) for one in trl_rewards(model)] == ["rewardsmith"]
    with pytest.raises(UsageError, match="no column 'helpful'"):
        trl_reward(model, column="helpful")(prompts=PROMPTS, completions=COMPLETIONS)


def test_a_batch_is_scored_once_for_all_attributes(model, monkeypatch):
    rewards = trl_rewards(model, attributes=["reward", "reward"])
    calls = []
    original = ModelRewards.score
    monkeypatch.setattr(ModelRewards, "score", lambda *args, **kw: calls.append(1) or original(*args, **kw))
    asked = {"prompts": as_messages("user", PROMPTS), "completions": as_messages("assistant", COMPLETIONS)}
    assert rewards[0](**asked) == rewards[1](**asked)
    assert len(calls) == 1
    rewards[0](**asked | {"completions": asked["completions"][::-1]})
    assert len(calls) == 2


def test_shaping_by_the_stored_scale(model, expected):
    with pytest.raises(UsageError, match="no scale is stored"):
        trl_reward(model, shaping=Shaping(normalize=True))
    scaled = with_scale(model, mean=2.0, std=4.0)
    raw = np.array(expected)
    for shaping, values in {
        Shaping(center=True): raw - 2,
        Shaping(normalize=True): (raw - 2) / 4,
        Shaping(clip=0.01): np.clip(raw, -0.01, 0.01),
        Shaping(normalize=True, clip=0.3): np.clip((raw - 2) / 4, -0.3, 0.3),
    }.items():
        found = trl_reward(scaled, shaping=shaping)(prompts=PROMPTS, completions=COMPLETIONS)
        np.testing.assert_allclose(found, values, rtol=1e-12)
    with pytest.raises(UsageError, match="clip"):
        Shaping(clip=0.0)


def with_scale(model, *, mean, std):
    from dataclasses import replace

    from rewardsmith.model.checkpoint.sidecar import Normalizer

    return replace(model, sidecar=replace(model.sidecar, normalizer=Normalizer(mean, std, ())))


def test_what_is_no_reward_is_an_error(model):
    broken = tiny(n_layer=1, max_length=192)
    with torch.no_grad():
        broken.network.hf.score.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="non-finite"):
        trl_reward(broken)(prompts=PROMPTS, completions=COMPLETIONS)
    with pytest.raises(DataError, match="1 completions"):
        trl_reward(model)(prompts=PROMPTS, completions=COMPLETIONS[:1])
    with pytest.raises(DataError, match=r"text 1: .*assistant"):
        trl_reward(model)(prompts=PROMPTS, completions=[COMPLETIONS[0], [{"role": "user", "content": "not an answer"}]])


@pytest.mark.parametrize("place", ["in this process", "on a server"])
def test_grpo_trains_on_the_reward(model, tmp_path, place):
    """The weights move, and what the trainer logs is the mean of what the model gives for what the policy wrote."""
    seen = []
    remote = place == "on a server"
    rows = [{"prompt": as_messages("user", [text])[0]} for text in PROMPTS * 4]
    with running({"rm": model}) as server:
        reward = trl_reward(server.address if remote else model, asynchronous=remote)

        async def watched(prompts, completions, **columns):
            found = reward(prompts, completions, **columns)
            seen.append((prompts, completions, await found if remote else found))
            return seen[-1][2]

        before, after, logs = grpo(tmp_path, [watched], rows)
    assert max(float((a - b).abs().max()) for a, b in zip(before, after, strict=True)) > 0
    assert len(seen) == 2
    for prompts, completions, found in seen:
        conversations = [[*prompt, *answer] for prompt, answer in zip(prompts, completions, strict=True)]
        np.testing.assert_allclose(found, model.score(conversations), atol=1e-5)
    logged = [row["rewards/watched/mean"] for row in logs if "rewards/watched/mean" in row]
    np.testing.assert_allclose(logged, [np.mean(found) for *_, found in seen], rtol=1e-5)


def test_trl_transformers_and_rewardsmith_agree_on_500_texts(tmp_path):
    """TRL's own code scores with the saved folder as it does with any classifier; 500 texts of both languages, fp32."""
    model = tiny(n_layer=1, max_length=640, head_scale=4.0)
    model.save(tmp_path / "rm")
    records = generate(250, seed=3).records
    prompts = [record.prompt for record in records for _ in record.responses]
    answers = [answer.messages for record in records for answer in record.responses]
    asked = [[written(turn) for turn in turns] for turns in prompts]
    given = [[written(turn) for turn in turns] for turns in answers]
    trainer = trainer_of(tmp_path, [str(tmp_path / "rm"), trl_reward(str(tmp_path / "rm"))], [{"prompt": asked[0]}] * 4)
    trainer.reward_processing_classes[0].pad_token = "<|pad|>"
    inputs = [{"prompt": one} for one in asked]
    theirs, ours = trainer._calculate_rewards(inputs, asked, given, [[1]] * 500).double().numpy().T
    direct = transformers_rewards(tmp_path / "rm", prompts, answers)
    assert np.unique(np.round(direct, 4)).size > 400
    np.testing.assert_allclose(theirs, direct, atol=1e-5, rtol=0)
    np.testing.assert_allclose(ours, direct, atol=1e-5, rtol=0)


def written(turn):
    return {"role": turn.role, "content": turn.content}


def transformers_rewards(folder, prompts, answers):
    """One text at a time through the class itself."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    hf = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = tokenizer.apply_chat_template(
            [written(turn) for turn in prompt + answer], return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            found.append(float(hf(**ids).logits[0, 0]))
    return np.array(found)


def grpo(folder, reward_funcs, rows):
    """Two steps of GRPO on a policy of two layers: its weights before and after, and what was logged."""
    trainer = trainer_of(folder, reward_funcs, rows)
    before = [one.detach().clone() for one in trainer.model.parameters()]
    trainer.train()
    return before, [one.detach().clone() for one in trainer.model.parameters()], trainer.state.log_history


TWO_STEPS = {
    "per_device_train_batch_size": 4, "max_steps": 2, "learning_rate": 1e-3, "logging_steps": 1, "report_to": "none",
    "save_strategy": "no", "use_cpu": True, "disable_tqdm": True, "seed": 0, "bf16": False,
}  # fmt: skip


def trainer_of(folder, reward_funcs, rows):
    """GRPOTrainer on a policy of two layers."""
    return trainer_on_tiny(
        GRPOTrainer, GRPOConfig, folder, reward_funcs, rows, num_generations=4, max_completion_length=8
    )


def trainer_on_tiny(kind, settings, folder, reward_funcs, rows, **own):
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    for name in ("trl", "trl.experimental.online_dpo"):
        logging.getLogger(name).setLevel(logging.ERROR)
    place = save_language_model(folder / "policy")
    return kind(
        model=AutoModelForCausalLM.from_pretrained(place),
        reward_funcs=reward_funcs,
        args=settings(output_dir=str(folder / "out"), **TWO_STEPS, **own),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(place, padding_side="left"),
    )


@pytest.mark.parametrize("method", ["rloo", "online dpo"])
@pytest.mark.parametrize("place", ["in this process", "on a server"])
def test_other_trainers_train_on_the_reward(model, tmp_path, method, place):
    """Two steps of RLOO and of online DPO: the weights move, and the trainer got what the model gives."""
    seen = []
    rows = [{"prompt": as_messages("user", [text])[0]} for text in PROMPTS * 4]
    with running({"rm": model}) as server:
        reward = trl_reward(server.address if place == "on a server" else model)

        def watched(prompts, completions, **columns):
            seen.append((prompts, completions, reward(prompts, completions, **columns)))
            return seen[-1][2]

        trainer = other_trainer(method, tmp_path, watched, rows)
        before = [one.detach().clone() for one in trainer.model.parameters()]
        trainer.train()
    assert trainer.state.global_step == 2
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert len(seen) == 2
    for prompts, completions, found in seen:
        conversations = [[*prompt, *answer] for prompt, answer in zip(prompts, completions, strict=True)]
        np.testing.assert_allclose(found, model.score(conversations), atol=1e-5)


def other_trainer(method, folder, reward, rows):
    """RLOOTrainer or OnlineDPOTrainer on a policy of two layers."""
    from trl import RLOOConfig, RLOOTrainer
    from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

    if method == "rloo":
        own = {"num_generations": 4, "max_completion_length": 8}
        return trainer_on_tiny(RLOOTrainer, RLOOConfig, folder, reward, rows, **own)
    return trainer_on_tiny(OnlineDPOTrainer, OnlineDPOConfig, folder, reward, rows, max_new_tokens=8)
