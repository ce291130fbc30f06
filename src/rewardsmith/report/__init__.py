"""Verdicts and numbers → HTML, Markdown, JSON, in English and Chinese. Begin with `writing`."""
