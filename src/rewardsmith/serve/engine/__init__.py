"""Texts of many requests → rewards, from one thread that computes; `engine` is where to begin reading.

In: texts as tokens, with a deadline. Out: a reward for each, or an error that says why there is none: the queue is full, the
deadline passed, the server is stopping. What waits is bounded in tokens, texts with the same prompt share it whichever
request they came with, and work of a client that has gone is dropped before it is computed.
"""
