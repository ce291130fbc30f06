"""A name or a folder → an opened model with its tokenizer and head. Begin with `backbones`, then `classifier`."""
