"""A bench for reward models: a tiny policy is optimised against them by PPO, GRPO or RLOO, on a task whose gold is known.

In: a task (`task`), a reference policy (`policy`) and an objective made of a reward model's members. Out: a line per step
with proxy and gold reward, KL divergence, length, entropy and what the members disagree on (`log`). Begin with `loop`; the
formulas are in `advantages`, `losses` and `lagrangian`, the reward models of the bench in `proxies`.
"""
