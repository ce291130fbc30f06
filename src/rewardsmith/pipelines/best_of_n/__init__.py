"""Candidates and a reward model → the best responses, and training data made of them.

In: a file with several responses per prompt, or prompts and a language model that answers them; whatever gives rewards.
Out: the chosen responses, rows for SFT and KTO, and what choosing among n gains. Begin with `pipeline`; `selection` has
the three ways to choose, `gain` the curve over n.
"""
