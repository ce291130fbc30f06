"""Programs that nobody has read, run where they can harm nothing (Linux).

In: the files of a Python program, its input, limits. Out: how it ended, what it wrote. Begin with `confined` (outside:
start, feed, read, stop); `launcher` is the program between, which makes the namespaces (`kernel` has the calls, `filesystem`
the root that a program sees, `seccomp` the calls that it may not make) and ends everything in them; `support` finds out, by
programs that try to break each limit, whether this machine can hold a program, and says what is missing where it cannot.
There is one way to run a program, and no weaker one behind it.
"""
