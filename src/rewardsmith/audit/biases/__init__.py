"""What may move a reward besides quality: records, and a callable that scores them, go in; effects come out.

`counterfactual` applies the edits and the constant texts of `attacks`; `observed` and `generators` look at the data as it
is; `built_in` has conversations of its own (`texts`); `rewrites` reads those that a language model made.
"""
