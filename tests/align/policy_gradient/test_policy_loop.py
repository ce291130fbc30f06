"""The task, the policy and the loop of the bench: the gold reward is right, and optimising does what it shall."""

from dataclasses import replace

import pytest
import torch

from rewardsmith.align.policy_gradient import policy as policy_module
from rewardsmith.align.policy_gradient.lagrangian import Lagrangian
from rewardsmith.align.policy_gradient.loop import LoopSettings, Objective, train_policy
from rewardsmith.align.policy_gradient.novelty import novelty_of
from rewardsmith.align.policy_gradient.outcome import WINDOW, outcome_of
from rewardsmith.align.policy_gradient.policy import Policy, prompt_features, reference_policy
from rewardsmith.align.policy_gradient.proxies import train_reward_models
from rewardsmith.align.policy_gradient.rollout import chosen_mask, roll_out, sample
from rewardsmith.align.policy_gradient.task import END, MAX_TOKENS, order_task, orders, scrambled
from rewardsmith.data.synthetic.generate import LOGITS_PER_MATCH, generate
from rewardsmith.errors import DataError


@pytest.fixture(scope="module")
def bench():
    task = order_task("en")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy_module, "REFERENCE_STEPS", 120)
        reference = reference_policy(task, seed=0)
    return task, reference, [order.prompt for order in orders(task, 60, seed=7)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_of_the_built_in_data_have_their_own_gold_reward(language):
    task = order_task(language)
    made = generate(60, responses_per_prompt=3, seed=5, language=language)
    gold = {r.responses[0].text: g[0] for r, g in zip(made.records, made.gold, strict=True)}
    found = orders(task, 10, responses=3, seed=5)
    for order in found:
        texts = [response.text for response in order.record.responses]
        assert [task.decode(tokens) for tokens in order.responses] == texts
        assert task.decode(order.prompt) == order.record.prompt[-1].content
        assert gold.get(texts[0], order.gold[0]) == order.gold[0]


def test_the_gold_reward_of_texts_that_no_sentence_looks_like():
    task = order_task("en")
    order = orders(task, 1, seed=1)[0]
    wanted = [token for values in task.values for token in values if token in order.prompt]
    assert task.gold(order.prompt, wanted) == 5 * LOGITS_PER_MATCH
    other = next(token for token in task.values[1] if token not in wanted)
    assert task.gold(order.prompt, [*wanted, other]) == 4 * LOGITS_PER_MATCH  # two sizes are none
    long = [*wanted, *wanted, *wanted, *wanted]
    assert task.gold(order.prompt, long) == 5 * LOGITS_PER_MATCH - 0.5 * (len(long) - task.longest_clean)
    with pytest.raises(DataError, match="vocabulary"):
        task.encode("Sure: 3 large pizzas.")
    with pytest.raises(DataError, match="language"):
        order_task("fr")


def test_scrambled_responses_are_judged_anew_and_keep_their_prompts():
    task = order_task("zh")
    data = orders(task, 40, seed=2)
    made = scrambled(task, data, seed=3)
    assert [one.prompt for one in made] == [one.prompt for one in data]
    assert sum(a.responses != b.responses for a, b in zip(made, data, strict=True)) > 30
    for one in made:
        assert one.gold == tuple(task.gold(one.prompt, response) for response in one.responses)
        assert all(1 <= len(response) < MAX_TOKENS for response in one.responses)


def test_what_is_drawn_has_the_probability_that_is_noted(bench):
    task, reference, prompts = bench
    features = prompt_features(task, prompts[:1]).repeat(4000, 1)
    tokens = sample(reference, features, torch.Generator().manual_seed(0))
    logps = reference(features[:1], tokens[:1])[0][0, 0]
    drawn = torch.bincount(tokens[:, 0], minlength=task.size) / 4000
    assert torch.allclose(drawn, logps.exp(), atol=0.03)
    mask = chosen_mask(torch.tensor([[3, END, END], [4, 5, 6]]))
    assert mask.tolist() == [[1, 1, 0], [1, 1, 1]]


def test_the_reference_diverges_from_itself_by_nothing(bench):
    task, reference, prompts = bench
    rollout = roll_out(
        reference,
        reference,
        prompt_features(task, prompts[:4]),
        responses=3,
        generator=torch.Generator().manual_seed(0),
    )
    assert rollout.kl.abs().max() < 1e-5
    assert torch.equal(rollout.group, torch.arange(4).repeat_interleave(3))
    assert len(rollout.responses) == 12
    other = roll_out(
        Policy(task.size), reference, prompt_features(task, prompts[:4]), responses=3,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip
    assert (other.kl * other.mask >= -1e-5).all()
    assert other.kl.sum() > 1


class GoldReward:
    """A reward model without error."""

    def __init__(self, task):
        self.task = task

    def __call__(self, prompts, responses):
        gold = [self.task.gold(*pair) for pair in zip(prompts, responses, strict=True)]
        return torch.tensor([gold])


@pytest.mark.parametrize("algorithm", ["grpo", "ppo", "rloo"])
def test_a_policy_that_is_rewarded_with_gold_gets_better(bench, algorithm):
    task, reference, prompts = bench
    settings = LoopSettings(algorithm=algorithm, steps=16, prompts=16, kl=0.001, seed=1)
    logs = list(train_policy(task, reference, Objective(GoldReward(task)), prompts, settings))
    assert sum(log.gold for log in logs[-4:]) / 4 > logs[0].gold + 0.5
    assert logs[0].kl == pytest.approx(0, abs=1e-4)
    assert logs[-1].kl > 0.5


def test_a_run_depends_on_its_seed_alone(bench):
    task, reference, prompts = bench
    settings = LoopSettings(steps=3, prompts=4)
    runs = [list(train_policy(task, reference, Objective(GoldReward(task)), prompts, settings)) for _ in range(2)]
    assert [log.gold for log in runs[0]] == [log.gold for log in runs[1]]
    other = list(train_policy(task, reference, Objective(GoldReward(task)), prompts, replace(settings, seed=1)))
    assert [log.gold for log in other] != [log.gold for log in runs[0]]


def test_a_constraint_holds_the_cost_down(bench):
    task, reference, prompts = bench

    def longer(prompts, responses):
        return torch.tensor([[float(len(response)) for response in responses]])

    def length(prompts, responses):
        return torch.tensor([float(len(response)) for response in responses])

    settings = LoopSettings(steps=24, prompts=16, kl=0.001)
    free = list(train_policy(task, reference, Objective(longer), prompts, settings))
    held = Objective(longer, cost=length, lagrangian=Lagrangian(limit=13.0, rate=0.2))
    constrained = list(train_policy(task, reference, held, prompts, settings))
    assert free[-1].length > constrained[-1].length + 3
    assert constrained[-1].multiplier > constrained[0].multiplier


def test_small_reward_models_learn_and_their_members_differ():
    task = order_task("en")
    models = train_reward_models(task, orders(task, 300, seed=1), members=3, seed=0)
    held_out = orders(task, 100, seed=2, noise=0.0)
    prompts = [order.prompt for order in held_out for _ in order.responses]
    rewards = models(prompts, [response for order in held_out for response in order.responses])
    margins = torch.stack([rewards[:, 0::2] - rewards[:, 1::2]])[0]
    truth = torch.tensor([order.gold[0] - order.gold[1] for order in held_out])
    right = ((margins * truth)[:, truth != 0] > 0).float().mean(dim=1)
    assert (right > 0.7).all()
    assert rewards.std(dim=0).mean() > 0.01
    assert abs(float(rewards.mean())) < 0.3


def test_novelty_counts_sequences_that_training_does_not_have():
    known = novelty_of([[1, 2, 3]])
    assert known([[1, 2, 3]]).tolist() == [0.0]
    assert known([[1, 2, 4]]).tolist() == pytest.approx(
        [2 / 3]
    )  # (start, 1, 2) is known; (1, 2, 4) and (2, 4, end) are not
    assert known([[]]).tolist() == [0.0]


def log_of(gold, proxy):
    return {"gold": gold, "gold_even": gold, "gold_odd": gold, "gold_se": [0.1] * len(gold), "proxy": proxy}


def test_a_run_is_hacked_where_gold_falls_and_the_proxy_rises():
    up, down = [float(k) for k in range(20)], [20.0 - k for k in range(20)]
    rising = [float(k) for k in range(40)]
    found = outcome_of(log_of(up + down, rising))
    assert found.status == "hacked"
    assert abs(found.peak - 20) <= WINDOW // 2
    assert outcome_of(log_of(up + [20.0] * 20, rising)).status == "healthy"
    assert (
        outcome_of(log_of(up + down, up + down)).status == "undecided"
    )  # both fell: no hacking, and not healthy either
