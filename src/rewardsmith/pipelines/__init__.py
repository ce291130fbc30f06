"""Joins stages into complete runs, one package or file per command that does more than one thing.

Settings and paths go in, folders and typed results come out. Begin with `prepare`, then `train`.
"""
