"""What is looked at before a model may be scored with: its config, code, weights and tokens. Begin with `config`."""
