"""Scoring rules of published benchmarks: rewards and grades as arrays → scores, in the benchmark's own sections.

In: `items.BenchmarkItems`. Out: a `scores.Scores`, a tree of means whose every node gets a value and an interval from
`scores.measured`. One file per benchmark or family; begin with `rewardbench_2`, which needs most of what there is. What is
shared is in `credits` (how much one item earns). Published results of other models: `leaderboard`.
"""
