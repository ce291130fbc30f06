"""What a reward model pays for besides quality: a model and some data go in, measured effects come out.

Begin with `effect` (what is measured of a bias, and when it is found, excluded, or neither), then `counterfactual` (edits
that keep the meaning, and constant texts), `observed` (what rewards follow in the data), `rewrites` (RATE), `conformance`
(the same reward however it is computed), `over_optimisation` (best-of-N against gold ratings) and `attribution` (which words
a reward comes from). Rewards are asked for through a callable, so that everything is tested on rewards known by hand.
"""
