"""Reward models under optimisation: a tiny policy is trained against them where the gold reward is known.

In: reward models, or none for small ones of the bench; out: a log per run, what became of the gold reward, a page with
plots. Begin with `pipeline`; `objectives` says what the runs differ in, `rewards` asks a MODEL for the rewards of the task.
"""
