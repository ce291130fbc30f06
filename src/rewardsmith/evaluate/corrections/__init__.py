"""What is put right after training: rewards without their trend in length, margins as probabilities.

In: rewards, lengths and comparisons of held-out data. Out: a `RewardCalibration`, which is stored beside the weights and
changes no raw reward. Begin with `calibration` (what is stored), then `fitting` (how it is found and judged).
"""
