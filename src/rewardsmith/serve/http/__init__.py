"""HTTP as the server wants it: who may ask, how much, how slowly, and what is counted and logged of it. Knows no model.

In: bytes of clients that may be broken, slow or hostile. Out: a JSON object within its limits, or an error with its status.
"""
