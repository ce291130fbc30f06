"""The reports of `tune`: a search, and a learning-rate test. Begin with `writing`; `search` and `rates` make sections."""
