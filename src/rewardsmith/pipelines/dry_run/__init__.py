"""`--dry-run`: what a command would read and do, and what it would take, found without writing an output.

In comes the Config of `prepare` or `train`; out comes a `PreparePlan` or a `TrainPlan`. Data that is small is read whole, of
large data a sample (`sampling`). Begin with `train.plan_training`.
"""
