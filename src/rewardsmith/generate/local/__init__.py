"""A causal language model of transformers, on this machine: `model` opens it, `prompts` renders what it reads, `generator`
plans the batches, `decoding` generates one, with `cache` (keys and values with room to grow) and `choosing` (tokens).
"""
