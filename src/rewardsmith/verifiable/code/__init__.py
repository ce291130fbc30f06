"""Tests of generated programs as a reward: from a response and its row's tests to which of them pass.

In: a response with a Python program, and tests as data sets have them. Out: how many tests passed, and what went wrong.
Begin with `check` (what the check `code` does); `extraction` finds the program in a response, `cases` reads the tests of a
row, `running` runs both in sandboxes, `comparing` decides outside whether an answer is the expected one; `inside/` is what
runs in there.
"""
