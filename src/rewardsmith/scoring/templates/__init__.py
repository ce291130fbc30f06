"""A chat template → text: pinned in time, with an allowance of work, contents kept apart. Begin with `renderer`."""
