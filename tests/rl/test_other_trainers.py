"""verl, ms-swift and NeMo-RL get what they read, called as they call."""

import asyncio
import functools
import inspect

import numpy as np
import pytest
import torch

from builders import tiny
from rewardsmith.errors import DataError, UsageError
from rewardsmith.rl import (
    RewardEnvironment,
    ms_swift_reward,
    verl_compute_score,
    verl_compute_score_async,
    verl_compute_scores,
)

PROMPT = [{"role": "user", "content": "Name a fruit."}]
TEXTS = ["Plum.", "李子。"]


@pytest.fixture(scope="module")
def model():
    return tiny(n_layer=1, max_length=192, head_scale=20.0)


@pytest.fixture(scope="module")
def expected(model):
    return model.score([[*PROMPT, {"role": "assistant", "content": text}] for text in TEXTS])


def naive(compute_score, solution, extra_info):
    """verl/experimental/reward_loop/reward_manager/naive.py `run_single` (b178a3c): awaited, or called in a thread."""
    asked = {"data_source": "d", "solution_str": solution, "ground_truth": None, "extra_info": extra_info}

    async def run():
        if inspect.iscoroutinefunction(compute_score):
            return await compute_score(**asked)
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(compute_score, **asked))

    result = asyncio.run(run())
    return result["score"] if isinstance(result, dict) else result


@pytest.mark.parametrize("field", ["messages", "prompt"])
def test_verl_one_by_one(model, expected, field):
    for make in (verl_compute_score, verl_compute_score_async):
        compute_score = make(model)
        found = [naive(compute_score, text, {field: PROMPT, "num_turns": None}) for text in TEXTS]
        assert found == pytest.approx(list(expected), abs=1e-6)


def test_verl_takes_a_prompt_as_text_and_under_another_name(model, expected):
    compute_score = verl_compute_score(model, prompt_field="asked")
    assert naive(compute_score, TEXTS[0], {"asked": "Name a fruit."}) == pytest.approx(expected[0], abs=1e-6)


def test_verl_in_batches(model, expected):
    """verl/workers/reward_manager/batch.py `verify` and `__call__` (b178a3c)."""
    infos = [{"prompt": PROMPT, "rollout_reward_scores": {}} for _ in TEXTS]
    scores = verl_compute_scores(model)(
        data_sources=np.array(["d", "d"]), solution_strs=TEXTS, ground_truths=[None, None], extra_infos=np.array(infos)
    )
    rewards = torch.zeros(2, 3)
    for at, score in enumerate(scores):
        rewards[at, 2] = score["score"]
    assert rewards[:, 2].tolist() == pytest.approx(list(expected), abs=1e-5)


def test_verl_without_the_prompt_is_an_error(model):
    for info in (None, {}, {"num_turns": 2}):
        with pytest.raises(DataError, match="extra_info has no messages or prompt or question"):
            verl_compute_score(model)("d", TEXTS[0], None, info)


def test_verl_scores_with_the_ground_truth_that_it_passes(tmp_path):
    rules = tmp_path / "rewards.yaml"
    rules.write_text("kind: verifiable\ngold: ground_truth\nrewards:\n  - check: numeric\n", encoding="utf-8")
    compute_score = verl_compute_scores(str(rules))
    info = {"prompt": "2 + 2?", "ground_truth": "5"}
    right, wrong = compute_score(["d", "d"], ["The answer is 4", "The answer is 5"], ["4", "4"], [info, info])
    assert right["score"] > wrong["score"]
    with pytest.raises(DataError, match="1 ground_truths"):
        compute_score(["d", "d"], ["4", "5"], ["4"], [info, info])


def test_ms_swift(model, expected):
    """swift/rl_core/grpo_algorithm.py `compute_rewards_per_func` (3602360): made once, called with columns as lists."""
    reward = ms_swift_reward(model)(args=None)
    messages = [[*PROMPT, {"role": "assistant", "content": text}] for text in TEXTS]
    found = reward(TEXTS, trainer_state=None, messages=messages, solution=["a", "b"])
    assert found == pytest.approx(list(expected), abs=1e-6)
    with pytest.raises(DataError, match="column messages"):
        reward(TEXTS, trainer_state=None)


def test_nemo_rl(model, expected):
    environment = RewardEnvironment(model)
    logs = [[{**PROMPT[0], "token_ids": torch.tensor([1])}, {"role": "assistant", "content": text}] for text in TEXTS]
    found = environment.step(logs, [{"a": 1}, {"a": 2}])
    observations, metadata, stops, rewards, terminateds, answers = found
    assert rewards.dtype == torch.float32
    assert rewards.tolist() == pytest.approx(list(expected), abs=1e-5)
    assert terminateds.tolist() == [True, True]
    assert answers == TEXTS
    assert (metadata, stops) == ([{"a": 1}, {"a": 2}], [None, None])
    assert [one["role"] for one in observations] == ["environment"] * 2
    _, metrics = environment.global_post_process_and_metrics({"rewards": rewards})
    assert metrics["rewardsmith/mean_reward"] == pytest.approx(float(np.mean(expected)), abs=1e-5)
    by_name = RewardEnvironment(model, attributes=["reward"]).step(logs, [None, None]).rewards
    assert by_name["reward"].tolist() == rewards.tolist()


def test_settings_of_the_other_kind_are_refused(model):
    with pytest.raises(UsageError, match="retries"):
        verl_compute_score(model, retries=3)
    with pytest.raises(UsageError, match="device"):
        verl_compute_score("http://127.0.0.1:1", device="cpu")
