"""How questions are asked: `texts` samples answers; `labels` says what is asked of label probabilities, `trie` how labels
are spelt in tokens, `local`, `chat` and `routes` get their probabilities from a model here, from the `top_logprobs` of a
chat API, or from the scoring routes of vLLM and SGLang. `store` keeps all of it, so that nothing is asked twice.
"""
