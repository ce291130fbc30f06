"""From files and mappings to Facts. What is missing is noted; what is damaged is refused."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rewardsmith.diagnose import parsing, values
from rewardsmith.diagnose.checks.consistency import disagreements
from rewardsmith.diagnose.compared import gather
from rewardsmith.diagnose.facts import CHANCE_LOSS, CurvePoint, DataFacts, DataFinding, Facts
from rewardsmith.diagnose.measured import Rule, ShareOfWrong, measured_from, rule_from
from rewardsmith.diagnose.stored import stored_measurements
from rewardsmith.errors import DataError, UsageError
from rewardsmith.evaluate.metrics import moments
from rewardsmith.files.manifest import refuse_changed
from rewardsmith.files.reading import as_object, read_bytes, read_lines, read_object, taking_from
from rewardsmith.scoring.left_out import LeftOut, left_out_from

EXPECTED = ("config.yaml", "train.json", "metrics.jsonl", "evaluation.json", "comparisons.jsonl")
"""The files of a run folder that the verdict reads; at least one of the last four has to be there."""

OF_A_RUN = ("config.yaml", "train.json", "metrics.jsonl")
"""Those that the output of `evaluate` never has: where none is there, none is missing."""

KNOWN_NAMES = """
name split source mismatch n correct label_ties accuracy val_acc val_accuracy eval_accuracy accuracy_ci loss nll val_loss
eval_loss nll_ci tie_rate auc auc_ci brier ece ece_calibrated ece_noise_floor ece_limit ece_calibrated_noise_floor
ece_calibrated_limit temperature kendall_tau kendall_tau_n clusters too_few_prompts reward_std baselines by_category
by_difficulty reliability train_loss pairs epochs steps best_step stopped_early
noise_ceiling prompts_needed nll_at_chance attribute left_out left_out_validation training model sources map
"""
SAME_RATE = 1e-3
"""Relative difference of two learning rates that are the same but for rounding."""
SAME_LOSS = 1e-3
"""Nats between two losses at equal rewards that are the same but for rounding."""
OF_VALIDATION = {"val_acc", "val_accuracy", "eval_accuracy", "val_loss", "eval_loss"}
"""Names of figures that can only be those of validation data."""

OF_AN_END = {"lr", "parameters"}
"""What of `ended.json` stands in for train.json, which a run that did not end has not written."""

CALIBRATION_ERRORS = (
    "ece",
    "ece_noise_floor",
    "ece_limit",
    "ece_calibrated",
    "ece_calibrated_noise_floor",
    "ece_calibrated_limit",
)

KNOWN = frozenset(KNOWN_NAMES.split())
"""Names of figures that a mapping may hold; others are listed in Facts.unread."""


def facts_from_mapping(figures: Mapping[str, Any]) -> Facts:
    """Take figures by name (`train_loss, val_loss, val_acc, n, …` or the keys of `evaluate --json`).

    `correct` of `n` may stand for an accuracy; a bare `loss` is the held-out one. Raises DataError for a value that cannot
    be what its name says, such as an accuracy of 70.63.
    """
    row = with_accuracy(figures)
    bins = values.mapping(row, "reliability")
    return Facts(
        name=str(row.get("name") or row.get("source") or ""),
        split=row.get("split") or ("validation" if OF_VALIDATION & row.keys() else None),
        attribute=str(row.get("attribute") or ""),
        mismatch=str(row["mismatch"]) if row.get("mismatch") else None,
        n=values.count(row, "n"),
        label_ties=values.count(row, "label_ties"),
        accuracy=values.share(row, "accuracy", "val_acc", "val_accuracy", "eval_accuracy"),
        accuracy_interval=values.interval(row, "accuracy_ci"),
        loss=values.number(row, "nll", "val_loss", "eval_loss", "loss"),
        loss_interval=values.interval(row, "nll_ci"),
        tie_rate=values.share(row, "tie_rate"),
        auc=values.share(row, "auc"),
        brier=values.number(row, "brier"),
        **calibration_errors(row),
        temperature=values.number(row, "temperature"),
        kendall_tau=parsing.kendall(row),
        kendall_tau_n=values.count(row, "kendall_tau_n"),
        noise_ceiling=parsing.noise_ceiling(row),
        prompts_needed=parsing.prompts_needed(row),
        clusters=values.count(row, "clusters"),
        too_few_prompts=row.get("too_few_prompts"),
        reward_std=values.number(row, "reward_std"),
        baselines=parsing.baselines(row),
        by_category=parsing.groups(row.get("by_category")),
        by_difficulty={name: parsing.groups(group) for name, group in values.mapping(row, "by_difficulty").items()},
        reliability=parsing.reliability(bins.get("raw")),
        reliability_calibrated=parsing.reliability(bins.get("calibrated")),
        train_loss=values.number(row, "train_loss"),
        train_pairs=values.count(row, "pairs"),
        epochs=values.number(row, "epochs"),
        steps=values.count(row, "steps"),
        best_step=values.count(row, "best_step"),
        stopped_early=row.get("stopped_early"),
        left_out=left_out_of({}, row),
        unread=tuple(sorted(row.keys() - KNOWN)),
    )


def calibration_errors(row: Mapping[str, Any]) -> dict[str, Any]:
    """The calibration errors and what chance alone gives."""
    return {name: values.share(row, name) for name in CALIBRATION_ERRORS}


def with_accuracy(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures, with an accuracy from `correct` and `n` where only those are given."""
    row = dict(figures)
    size, correct = values.count(row, "n"), values.count(row, "correct")
    if correct is not None and size:
        if correct > size:
            raise DataError(f"correct is {correct} of n {size}; expected at most n")
        row.setdefault("accuracy", correct / size)
    return row


def facts_from_folder(folder: Path, *, running: bool = False) -> Facts:
    """Read a run folder; files that are missing are named in `notes`, and a run that did not end is told by `died`.

    `running` says that the run is just being finished. Raises DataError where the folder does not exist, holds none of the
    files, or a file is damaged.
    """
    missing, is_run = missing_in(folder), (folder / "settings.json").is_file()
    refuse_changed(folder, [name for name in EXPECTED if name not in missing])
    ended = read_object(folder / "ended.json")
    training = read_object(folder / "train.json") or {name: ended[name] for name in OF_AN_END & ended.keys()}
    evaluation = read_object(folder / "evaluation.json")
    curve, passes, notes, clashes = read_metrics(folder / "metrics.jsonl")
    with taking_from(folder / "train.json"):
        facts_from_mapping(training_figures(training))  # for its own sake: the file at fault is named
        left_out_of(training, {})
    with taking_from(folder / "evaluation.json"):
        facts = facts_from_mapping({**training_figures(training), **evaluation})
    facts = replace(
        facts,
        name=str(evaluation.get("source") or folder.resolve().name),
        curve=curve,
        passes=passes,
        clashing_steps=clashes,
        left_out=left_out_of(training, evaluation),
        settings=read_settings(folder / "config.yaml"),
        training=training,
        notes=(*(f"{name} is missing" for name in lacking(missing)), *notes),
        place=str(folder),
        died=is_run and not running and not training.get("finished"),
        ended=values.words(ended, "message"),
    )
    facts = with_files(facts, folder, evaluation)
    return with_last_pass(facts) if not evaluation else with_reward_spread(facts)


def missing_in(folder: Path) -> list[str]:
    """The files of EXPECTED that are not there; DataError where the folder holds nothing to judge."""
    if not folder.is_dir():
        raise DataError(f"no run folder at {folder}; expected a folder that rewardsmith train or evaluate wrote")
    missing = [name for name in EXPECTED if not (folder / name).is_file()]
    if not (folder / "settings.json").is_file() and set(EXPECTED[1:]) <= set(missing):
        if (folder / "members.json").is_file():
            raise DataError(
                f"{folder} was trained as an ensemble and not evaluated; run: rewardsmith evaluate {folder} TEST_DATA "
                f"--output {folder}-evaluated, then pass that output"
            )
        raise DataError(
            f"{folder} contains none of {', '.join(EXPECTED[1:])}; pass the output folder of train or evaluate"
        )
    return missing


def lacking(missing: list[str]) -> list[str]:
    """Those of the missing files that should be there: of an evaluation by itself none of OF_A_RUN."""
    alone = set(OF_A_RUN) <= set(missing)
    return [name for name in missing if not (alone and name in OF_A_RUN)]


def with_files(facts: Facts, folder: Path, evaluation: Mapping[str, Any]) -> Facts:
    """Add what lies in files of its own: comparisons, what prepare found, measurements, audit, learning curve."""
    comparisons, audit = folder / "comparisons.jsonl", folder / "audit.json"
    with taking_from(audit):
        effects = parsing.audit_effects(read_object(audit)) if audit.is_file() else None
    curve = folder / "learning_curve.json"
    with taking_from(curve):
        more_data = parsing.more_data(read_object(curve)) if curve.is_file() else None
    facts = replace(
        facts,
        compared=gather(read_lines(comparisons)) if comparisons.exists() else None,
        audit=effects,
        more_data=more_data,
        model=str(folder / "model") if (folder / "model").is_dir() else values.words(evaluation, "model"),
    )
    facts = with_measurements(facts, folder, stored_measurements(folder), evaluation.get("training"))
    return replace(facts, disagreements=disagreements(facts, read_object(folder / "settings.json"), evaluation))


def with_measurements(facts: Facts, folder: Path, stored: Mapping[str, Any], training: Any) -> Facts:
    """Add what was measured beside the folder, as measurements.json holds it; `training` is that of evaluation.json."""
    with taking_from(folder / "evaluation.json"):
        measured = measured_from(stored, training)
    rows = values.mapping(stored, "rows")
    data = read_data(folder / "data") or (data_facts({}, rows) if rows else None)
    return replace(facts, measured=measured, data=data)


def training_figures(training: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of train.json that Facts has a field for; its other figures stay in Facts.training.

    A training loss that is not ln 2 at equal rewards is no cross-entropy of two outcomes, and compared with nothing.
    """
    names = ["pairs", "epochs", "steps", "best_step", "stopped_early"]
    equal = values.number(training, "loss_at_equal_rewards")
    if equal is None or abs(equal - CHANCE_LOSS) < SAME_LOSS:
        names.append("train_loss")
    return {name: training[name] for name in names if name in training}


def left_out_of(training: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, LeftOut]:
    """What was not used as it was given, by data, from train.json and evaluation.json; without those of which all was."""
    found = {
        "training data": left_out_from(training.get("left_out")),
        "validation data": left_out_from(training.get("left_out_validation") or evaluation.get("left_out_validation")),
        "evaluated data": left_out_from(evaluation.get("left_out")),
    }
    return {name: account for name, account in found.items() if account.share}


def with_last_pass(facts: Facts) -> Facts:
    """Without an evaluation the held-out figures are those of the validation pass whose checkpoint was kept."""
    if not facts.passes:
        return facts
    kept = [row for row in facts.passes if row.step == facts.best_step] or [facts.passes[-1]]
    return replace(
        facts, split="validation", loss=kept[0].loss, accuracy=kept[0].accuracy, reward_std=kept[0].reward_std
    )


def with_reward_spread(facts: Facts) -> Facts:
    """Add the standard deviation of the rewards where the comparisons hold them and the evaluation does not say."""
    if facts.reward_std is not None or facts.compared is None or not facts.compared.margin.size:
        return facts
    compared = facts.compared
    rewards = np.concatenate([compared.preferred_reward, compared.other_reward])
    weights = np.where(np.isfinite(rewards), np.tile(compared.weights, 2), 0.0)
    spread = moments(rewards, weight=weights).std
    return facts if np.isnan(spread) else replace(facts, reward_std=spread)


class RunLog(NamedTuple):
    """Training rows and validation rows by step, notes, and how many steps stand there twice with other learning rates."""

    curve: tuple[CurvePoint, ...]
    passes: tuple[CurvePoint, ...]
    notes: list[str]
    clashes: int


def read_metrics(path: Path) -> RunLog:
    """The log of a run.

    A resumed run writes the steps after its checkpoint twice, at the same learning rates: the later row counts. A damaged
    last line is what an interrupted run leaves, without an end; it is noted. Any other damage is a DataError.
    """
    steps: dict[int, CurvePoint] = {}
    passes: dict[int, CurvePoint] = {}
    notes: list[str] = []
    clashes: dict[int, bool] = {}
    content = read_bytes(path) if path.exists() else b""
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        if number == len(lines) and not is_whole(line):
            notes.append(f"{path.name}:{number} is truncated, probably by an interruption, and was ignored")
            continue
        with taking_from(place):
            row = as_object(line, place)
            if any(key.startswith("eval_") for key in row):
                passes[parsing.point(row).step] = parsing.point(row, "eval_")
            if "loss" in row:
                at = parsing.point(row)
                clashes[at.step] = of_another_run(steps.get(at.step, at), at)
                steps[at.step] = at
    return RunLog(in_order(steps), in_order(passes), notes, sum(clashes.values()))


def of_another_run(one: CurvePoint, other: CurvePoint) -> bool:
    """Whether two rows of the same step were written at different learning rates, which a resumed run does not do."""
    rate, again = one.learning_rate, other.learning_rate
    return rate is not None and again is not None and not math.isclose(rate, again, rel_tol=SAME_RATE)


def in_order(points: Mapping[int, CurvePoint]) -> tuple[CurvePoint, ...]:
    """The points by step."""
    return tuple(points[step] for step in sorted(points))


def is_whole(line: bytes) -> bool:
    """Whether a line without an end is JSON all the same."""
    try:
        as_object(line, "")
    except DataError:
        return False
    return True


def read_settings(path: Path) -> dict[str, Any]:
    """The run's settings; empty where there is no file. DataError where it is not a YAML mapping."""
    from rewardsmith.settings.yaml_file import plain_values

    if not path.exists():
        return {}
    try:
        return plain_values(read_bytes(path), path)
    except UsageError as error:
        raise DataError(f"{path} is not YAML ({error}); restore the file") from error


def read_data(folder: Path) -> DataFacts | None:
    """What prepare counted, from prepare.json and quality.json; None where neither is there."""
    prepared, quality = read_object(folder / "prepare.json"), read_object(folder / "quality.json")
    if not prepared and not quality:
        return None
    with taking_from(folder / ("quality.json" if quality else "prepare.json")):
        return data_facts(prepared, quality)


def data_facts(prepared: Mapping[str, Any], quality: Mapping[str, Any]) -> DataFacts:
    """The counts of both reports."""
    listed = quality.get("findings") or prepared.get("findings") or {}
    rows, quarantined, removed = (total(name, prepared, quality) for name in ("rows", "quarantined", "removed"))
    found = findings_of(listed, quality.get("filters") or ())
    kept = tuple(finding for finding in found if finding.count)
    wrong = share_of_wrong(values.mapping(quality, "label_noise"))
    return DataFacts(rows, quarantined, removed, kept, joint_rule(values.mapping(quality, "shortcuts")), wrong)


def joint_rule(shortcuts: Mapping[str, Any]) -> Rule | None:
    """What `prepare` found of all simple features together, and which lead."""
    leading = [one["id"] for one in shortcuts.get("findings") or () if one.get("id") != "joint"]
    return rule_from({**values.mapping(shortcuts, "joint"), "n": shortcuts.get("n"), "features": leading[:3]})


def share_of_wrong(row: Mapping[str, Any]) -> ShareOfWrong | None:
    """The share of wrong labels that `prepare --label-noise` found."""
    rate, spread = values.share(row, "rate"), values.interval(row, "rate_ci")
    if rate is None or spread is None:
        return None
    return ShareOfWrong(values.count(row, "n") or 0, rate, spread, spread.low > 0.02)


def findings_of(listed: Any, filters: Iterable[Mapping[str, Any]]) -> Iterator[DataFinding]:
    """What each check found: an object check -> figures, or a list of objects with `check`; `filters` know its rows."""
    named = listed.items() if isinstance(listed, Mapping) else [(one.get("check"), one) for one in listed]
    most = {str(one.get("check")): values.count(one, "found") for one in filters}
    for check, figures in named:
        yield DataFinding(str(check), rows_hit(figures, most.get(str(check))), severity_of(figures))


def total(name: str, *reports: Mapping[str, Any]) -> int | None:
    """A count from the first report that has it: a number, or the sum of an object reason -> count."""
    for report in reports:
        value = report.get(name)
        if isinstance(value, Mapping):
            return sum(values.count(value, reason) or 0 for reason in value)
        if value is not None:
            return values.count(report, name)
    return None


def severity_of(figures: Any) -> str:
    """The severity that a finding names; a warning where it names none."""
    return str(figures.get("severity") or "warning") if isinstance(figures, Mapping) else "warning"


def rows_hit(figures: Any, most: int | None) -> int:
    """How many rows a finding hit: `rows`, else its `count` of findings, but not more than the `most` rows of its check.

    Reports of before name no rows; a bare number counts as it is.
    """
    if not isinstance(figures, Mapping):
        return values.count({"count": figures}, "count") or 0
    if figures.get("rows") is not None:
        return values.count(figures, "rows") or 0
    found = values.count(figures, "count", "n") or len(figures.get("examples") or ())
    return found if most is None else min(found, most)
