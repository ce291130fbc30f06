"""A model behind an OpenAI-compatible API (vLLM, SGLang, llama.cpp, Ollama, hosted ones): `endpoint` says where and how,
`wire` what is sent and how an answer is read, `sending` one request with its retries, `generator` many at a time.
"""
