"""OpenRLHF's reward function: rendered texts get the reward of the conversation that they are, however they end."""

import pytest
import torch

from builders import tiny
from rewardsmith.records import Message
from rewardsmith.rl import Shaping, openrlhf_reward_func, trl_reward

TURNS = (Message("user", "Name a fruit."), Message("assistant", "李子 Plum."))


@pytest.fixture(scope="module")
def model():
    return tiny(n_layer=1, max_length=192, head_scale=20.0)


@pytest.fixture(scope="module")
def expected(model):
    return float(model.score([TURNS])[0])


def asked(model):
    whole = model.encoder.renderer.render(TURNS)
    prompt, _, _ = whole.partition("李子")
    return whole, prompt


@pytest.mark.parametrize("ending", ["<|im_end|>\n", "<|im_end|>", ""], ids=["whole", "as decoded", "cut by max_tokens"])
def test_the_reward_of_the_conversation(model, expected, ending):
    """openrlhf/utils/agent.py `_fetch_rewards_via_func` (3c3be62) calls with one sample; values become tensors of one."""
    whole, prompt = asked(model)
    query = whole.removesuffix("<|im_end|>\n") + ending
    found = openrlhf_reward_func(model)([query], [prompt], [None])
    assert set(found) == {"rewards", "scores", "extra_logs"}
    assert found["rewards"].dtype == torch.float32
    assert found["rewards"].tolist() == pytest.approx([expected], abs=1e-5)
    assert torch.tensor([found["extra_logs"]["reward"].flatten()[0].item()]).shape == (1,)


def test_texts_without_control_tokens_are_a_conversation(model, expected):
    prompt, response = TURNS[0].content, TURNS[1].content
    found = openrlhf_reward_func(model, shaping=Shaping(clip=0.001))([prompt + response], [prompt], [None])
    assert found["extra_logs"]["reward"].tolist() == pytest.approx([expected], abs=1e-5)
    assert abs(found["rewards"].item()) == pytest.approx(0.001)


def test_trl_s_texts_that_were_rendered_already_are_taken_as_such(model, expected):
    whole, prompt = asked(model)
    completion = whole.removeprefix(prompt).removesuffix("<|im_end|>\n")  # TRL decodes without control tokens
    assert trl_reward(model)(prompts=[prompt], completions=[completion]) == pytest.approx([expected], abs=1e-5)
