"""The routes of the server: its own (`own`), those of other programs (`wire`), and what an operator asks (`operating`).

In: JSON objects. Out: JSON with one entry for each text. Begin with `application`.
"""
