"""The words of what is asked: `builtin.yaml` by name, read by `prompts`; `filling` puts texts in the place of `{names}`."""
