"""Rewards that a program can verify: is the response right, in the form and within the limits that were asked for.

In: responses, the gold answer and other columns of a row, and a definition (`rewards.yaml`, `kind: verifiable`). Out: one
reward per response, what each check gave, and how many responses could not be understood. Begin with `definition` (what the
file says) and `reward` (from a response to its reward); `checks` is the table of checks, `answers/` reads numbers and final
answers, `instructions` are those of IFEval, `killable` asks a process (`worker`) what may never end.
"""
