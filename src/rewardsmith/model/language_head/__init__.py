"""The language model's own head: what losses on the text of a response are computed with. Begin with `head`."""
