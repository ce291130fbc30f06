"""An ensemble on comparisons: margins of M members in, how well their disagreement tells wrong margins out.

Begin in `measures`; `spread` fits how much of the disagreement a probability should believe.
"""
