"""One function over many pieces of work, in order: over the cores of this machine, or on Ray.

Pieces go in, their results come out in the same order. Begin with `backends`.
"""
