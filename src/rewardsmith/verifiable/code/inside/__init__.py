"""What runs inside sandboxes, standard library only; nothing here is imported outside but `values`.

`program_side` loads a program and answers calls of its functions; `tests_side` runs tests against them, in a sandbox of its
own, so that the program cannot reach the tests, their expected values or their verdict. `values` is what may cross between
them, `peer` how: plain data by value, everything else by a number that stands for it.
"""
