"""Numbers measured on comparisons in clusters → intervals, tests and plans. Begin with `clustered`; outside, import
`evaluate.statistics`, which says what calls what."""
