"""A chat template → text: with a fixed date, limited work, and message contents kept separate. Begin with `renderer`."""
