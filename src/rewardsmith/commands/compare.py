"""`rewardsmith compare`: is model A better than model B on the same comparisons, or can that not be told?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from rewardsmith.language import current
from rewardsmith.pipelines.compare import MarginColumn, Paired, differ_in_seed_only, read_left_out, read_pair
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith compare`."""

    a: Path
    """Run folder, or the --output of evaluate."""
    b: Path
    """The other run or evaluation, on the same data."""
    also: tuple[Path, ...] = ()
    """Further runs or evaluations on the same data; each pair of all of them is compared."""
    seeds: bool = False
    """Compare two recipes, each run with several seeds: runs that differ in the seed only are of one recipe."""
    seed: int = 0
    """Random seed of the permutation test."""
    calibrated: bool = False
    """Compare calibrated instead of raw rewards, from evaluations made with evaluate --calibrated."""
    output: Path | None = None
    """Output folder for comparison.html, comparison.md and comparison.json; default: none are written."""
    overwrite: bool = False
    """Replace an existing comparison."""


@dataclass(frozen=True)
class Result:
    """A minus B on the `n` comparisons that both have, weighted as they are; without label ties and those of weight 0.

    `accuracy_difference` is `accuracy_a - accuracy_b`, `ci` its 95 % interval, `p_value` of the paired test that `test`
    names; the interval leaves out 0 exactly where the p-value is below 0.05. On `flipped` comparisons one alone is right:
    `only_a` and `only_b` of them; `flips` lists them, largest change of margin first. `by_category` has the difference in
    each category, p-values adjusted by Holm over the categories. `minimal_detectable` is the difference that would be found
    with 80 % power on these `prompts`, and `prompts_needed` the prompts like these for other differences; `only_in_a` and
    `only_in_b` count what was left out, `left_out_a` and `left_out_b` repeat what each evaluation did not use as it was
    given. `calibrated`: the margins are those of calibrated rewards. `seeds_only`: both are runs of one recipe with
    different seeds. `pairs` has each pair of all compared (A and B
    first), `p_adjusted` by Holm over the pairs. `seeds`, where asked for, has the first recipe minus the second over other
    prompts and other seeds.
    """

    accuracy_difference: float
    ci: tuple[float, float]
    p_value: float
    test: str
    flipped: int
    n: int
    accuracy_a: float
    accuracy_b: float
    only_a: int
    only_b: int
    minimal_detectable: float
    prompts: int
    prompts_needed: Mapping[str, int | None]
    only_in_a: int
    only_in_b: int
    calibrated: bool = False
    left_out_a: Mapping[str, Any] = field(default_factory=dict)
    left_out_b: Mapping[str, Any] = field(default_factory=dict)
    flips: Sequence[Mapping[str, Any]] = ()
    by_category: Sequence[Mapping[str, Any]] = ()
    seeds_only: bool = False
    pairs: Sequence[Mapping[str, Any]] = ()
    seeds: Mapping[str, Any] | None = None
    report: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name, `ci` as a list; `report` where one was written."""
        content = {**asdict(self), "ci": list(self.ci)}
        return {**content, "report": None if self.report is None else str(self.report)}

    def to_text(self) -> str:
        """The difference in words."""
        import math

        from rewardsmith.scoring.left_out import left_out_from

        low, high = self.ci
        lines = [
            f"A {self.accuracy_a:.4f}, B {self.accuracy_b:.4f} on {self.n} comparisons",
            f"A minus B {self.accuracy_difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {self.p_value:.3g} "
            f"({self.test}): {self.known()}",
            f"{self.flipped} comparisons flipped: A alone right {self.only_a}, B alone right {self.only_b}",
        ]
        lines += self.limits()
        if self.minimal_detectable > 0 and math.isfinite(self.minimal_detectable):
            lines.append(
                f"with this data ({self.prompts} prompts) a difference of {self.minimal_detectable:.3f} would be found with "
                "80 % power"
            )
            lines += [f"a difference of {size} needs {count} prompts" for size, count in self.smaller()]
        if self.only_in_a or self.only_in_b:
            lines.append(f"excluded: {self.only_in_a} comparisons only in A, {self.only_in_b} only in B")
        for name, account in (("A", self.left_out_a), ("B", self.left_out_b)):
            lines += [f"{name}: {sentence}" for sentence in left_out_from(account).sentences()]
        lines += self.more()
        if self.report is not None:
            lines.append(f"→ {self.report}")
        return "\n".join(lines)

    def limits(self) -> list[str]:
        """What the difference is about, where that is not what one would take it for."""
        lines = []
        if self.calibrated:
            lines.append(
                "compared by calibrated rewards; only a calibration of length changes which response ranks higher"
            )
        if self.seeds_only:
            lines.append(
                "A and B differ in their random seed only: the interval covers other prompts, not other seeds, so do not "
                "prefer one recipe on this difference"
            )
        return lines

    def smaller(self) -> list[tuple[str, int]]:
        """The largest listed difference that this data does not detect, with the prompts like these that would."""
        known = [(size, count) for size, count in self.prompts_needed.items() if count and count > self.prompts]
        return sorted(known, key=lambda one: -float(one[0]))[:1]

    def more(self) -> list[str]:
        """The recipes where asked for, a line for each category that differs, and for each pair beside A and B."""
        lines = [] if self.seeds is None else recipe_lines(self.seeds)
        for row in self.by_category:
            if differ(row["p_value"]):
                lines.append(
                    f"category {row['category']}: A minus B {row['difference']:+.4f} [{row['ci'][0]:+.4f}, "
                    f"{row['ci'][1]:+.4f}], p = {row['p_value']:.3g} (Holm over {len(self.by_category)} categories)"
                )
        for row in self.pairs[1:]:
            low, high = row["ci"]
            lines.append(
                f"{row['a']} minus {row['b']}: {row['accuracy_difference']:+.4f} [{low:+.4f}, {high:+.4f}] on {row['n']} "
                f"comparisons, p = {row['p_adjusted']:.3g} (Holm over {len(self.pairs)} pairs)"
            )
        return lines

    def known(self) -> str:
        """Which model is better, as the p-value and the interval say together."""
        if differ(self.p_value):
            return "A is better" if self.accuracy_difference > 0 else "B is better"
        return "no significant difference"


def recipe_lines(seeds: Mapping[str, Any]) -> list[str]:
    """Each recipe's mean accuracy, and the difference of the two in words."""
    lines = [
        f"recipe {number} ({', '.join(one['letters'])}): accuracy {one['accuracy']:.4f}, standard deviation over seeds "
        f"{one['seed_sd']:.4f}"
        for number, one in enumerate(seeds["recipes"], start=1)
    ]
    known = "no significant difference"
    if differ(seeds["p_value"]):
        known = "recipe 1 is better" if seeds["difference"] > 0 else "recipe 2 is better"
    low, high = seeds["ci"]
    return [
        *lines,
        f"recipe 1 minus recipe 2 {seeds['difference']:+.4f} [{low:+.4f}, {high:+.4f}] over other prompts and seeds, "
        f"p = {seeds['p_value']:.3g}: {known}",
    ]


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Pair the evaluations comparison by comparison, test the differences of their accuracies, and write the report.

    OutputError where a comparison is in `output` already and `overwrite` is not set.
    """
    from rewardsmith.report.comparison.writing import refuse_existing, write_comparison

    if config.output is not None:
        refuse_existing(config.output, overwrite=config.overwrite)
    result = tested(config)
    if config.output is None:
        return result
    content = {name: value for name, value in result.to_json().items() if name != "report"}
    page = write_comparison(content, (config.a, config.b, *config.also), config.output, lang=current())
    return replace(result, report=page)


def tested(config: Config) -> Result:
    """Pair the evaluations comparison by comparison and test the differences of their accuracies."""
    from rewardsmith.evaluate.statistics import holm
    from rewardsmith.pipelines.compare_seeds import compare_recipes

    folders = [config.a, config.b, *config.also]
    margin: MarginColumn = "calibrated_margin" if config.calibrated else "margin"
    seeds = compare_recipes(folders, margin) if config.seeds else None
    read = [
        (one, other, read_pair(folders[one], folders[other], margin))
        for one, other in combinations(range(len(folders)), 2)
    ]
    pairs = [pair_json(folders, one, other, pair, seed=config.seed) for one, other, pair in read]
    for row, adjusted in zip(pairs, holm([row["p_value"] for row in pairs]), strict=True):
        row["p_adjusted"] = adjusted
    pair = read[0][2]
    found = pair.compare(seed=config.seed)
    return Result(
        accuracy_difference=found.difference,
        ci=(found.interval.low, found.interval.high),
        p_value=found.p_value,
        test=found.test,
        flipped=found.flipped,
        n=found.n,
        accuracy_a=pairs[0]["accuracy_a"],
        accuracy_b=pairs[0]["accuracy_b"],
        only_a=found.only_first,
        only_b=found.only_second,
        minimal_detectable=found.minimal_detectable,
        prompts=found.prompts,
        prompts_needed=found.prompts_needed,
        only_in_a=pair.only_in_a,
        only_in_b=pair.only_in_b,
        left_out_a=read_left_out(config.a),
        left_out_b=read_left_out(config.b),
        flips=pair.flips(),
        by_category=pair.by_category(seed=config.seed),
        calibrated=config.calibrated,
        seeds_only=differ_in_seed_only(config.a, config.b),
        pairs=pairs,
        seeds=seeds,
    )


def pair_json(folders: Sequence[Path], one: int, other: int, pair: Paired, *, seed: int) -> dict[str, Any]:
    """One pair's figures; `a` and `b` are the letters of the folders in the order given: A, B, C, …"""
    found = pair.compare(seed=seed)
    return {
        "a": chr(ord("A") + one),
        "b": chr(ord("A") + other),
        "path_a": str(folders[one]),
        "path_b": str(folders[other]),
        "n": found.n,
        "accuracy_a": pair.accuracy("a"),
        "accuracy_b": pair.accuracy("b"),
        "accuracy_difference": found.difference,
        "ci": [found.interval.low, found.interval.high],
        "p_value": found.p_value,
        "test": found.test,
        "flipped": found.flipped,
        "only_a": found.only_first,
        "only_b": found.only_second,
        "minimal_detectable": found.minimal_detectable,
        "prompts": found.prompts,
        "prompts_needed": found.prompts_needed,
        "seeds_only": differ_in_seed_only(folders[one], folders[other]),
    }


def differ(p_value: float) -> bool:
    """Whether a test shows a difference, which is where its interval leaves out 0."""
    from rewardsmith.evaluate.paired import LEVEL

    return p_value < LEVEL
