"""Prompts → candidates: N responses to each prompt, from a language model here or behind an OpenAI-compatible API.

In: conversations that await an answer, and how to sample (`candidates.Sampling`). Out, as each prompt is finished: its
candidates, with the reasoning kept apart, why each ended, and how many tokens it took. Begin with `candidates`; then
`local/generator` (batches of one KV cache per prompt) or `remote/generator` (requests, retries, cost). `store` keeps
what was generated, so that a killed run asks for nothing twice.
"""
