"""An alarm for reward hacking from the log of a run: in, what is logged at every step; out, evidence and an alarm.

Begin with `watch`; `signals` reads the logs of this package, TRL, verl and OpenRLHF, `evidence` makes features and weighs
them, `fitted` has the weights and thresholds that `benchmarks/policy_gradient.py` fitted.
"""
