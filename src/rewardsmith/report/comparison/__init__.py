"""The report on two or more evaluations of the same data. Begin with `writing`; `runs` reads what it shows."""
