"""A language model as judge: records → what it says of their responses → rewards, with all that could not be read counted.

In: a judge file (`definition`), and records. Out: `verdicts.RecordVerdict`s. Begin with `judge` (the steps): `questions`
makes of a record what is asked, in the words of `wording/`; `asking/` asks, by generated text or by the probabilities of
labels; `parsing/` reads text by a strict grammar; `margins` makes rewards of what was read, and `counts` sums up.
"""
