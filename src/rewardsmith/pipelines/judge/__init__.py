"""A judge file and data → what the judge says, how often it can be read, how consistent and how right it is, what it costs.

Begin with `pipeline`; `agreement` compares with labels, `rows` writes verdicts or preference data, `calibration` fits the
judge's margins on labels and stores that in its file.
"""
