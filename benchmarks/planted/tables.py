"""From index and answers to figures: results as JSON, a table by kind as Markdown."""

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from planted.confirming import unconfirmed
from planted.judging import answers_of
from planted.kinds import KINDS
from planted.planting import read_index
from planted.scoring import Score, expected, score, share, summary, urgent
from rewardsmith.files import write_json
from rewardsmith.version import VERSION

RESULT = Path(__file__).parents[1] / "results" / "planted_training_faults.json"
BEFORE = RESULT.with_stem("planted_training_faults_before")
"""The same figures of the verdict as it was when the benchmark was written."""
ABOUT = ("kind", "dose", "seed", "measured")
SCORED = tuple(one.name for one in fields(Score))


def scored(root: Path, half: str) -> tuple[list[tuple[dict[str, Any], Score]], list[dict[str, Any]]]:
    """Scores of the faulty projects that were judged, and entries whose fault did not govern or could not be planted."""
    wanted, answers, entries = expected(), answers_of(root, half), read_index(root, half).values()
    faulty = [entry for entry in entries if entry["kind"] != "clean"]
    counted = [entry for entry in faulty if entry.get("governs") and entry["name"] in answers]
    scores = [(one, score(one["kind"], answers[one["name"]]["said"], wanted[one["kind"]])) for one in counted]
    return scores, [entry for entry in faulty if not entry.get("governs")]


def sound(root: Path, half: str) -> list[dict[str, Any]]:
    """For each sound project that was judged: its urgent findings, and those that nothing confirms."""
    answers = answers_of(root, half)
    rows = []
    for entry in read_index(root, half).values():
        if entry["kind"] != "clean" or "failed" in entry or entry["name"] not in answers:
            continue
        said = answers[entry["name"]]["said"]
        ids = ["error"] if "error" in said else urgent(said)
        alarms = unconfirmed(root, entry, ids)
        rows.append(
            {
                "data": entry["dose"],
                "seed": entry["seed"],
                "urgent": ids,
                "unconfirmed": alarms,
                "ready": said.get("ready"),
            }
        )
    return rows


def by_kind(scores: Sequence[Score], idle: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per kind: how many were planted, governed, found, and what was said first."""
    rows = []
    for kind in KINDS:
        own = [one for one in scores if one.kind == kind]
        said = Counter(" + ".join(one.first) or one.error or "nothing urgent" for one in own)
        rows.append(
            {
                "kind": kind,
                "governed": len(own),
                "did_not_govern": sum(entry["kind"] == kind for entry in idle),
                "found": sum(one.found for one in own),
                "right_action": sum(one.right_action for one in own),
                "wrongly_ready": sum(one.wrongly_ready for one in own),
                "said_first": [[words, count] for words, count in said.most_common(3)],
            }
        )
    return rows


def figures_of(root: Path, half: str) -> dict[str, Any]:
    """All figures of the projects of a half that are kept under the root."""
    scores, idle = scored(root, half)
    return figures_from(
        [{key: entry[key] for key in ABOUT} | asdict(one) for entry, one in scores],
        [{key: entry.get(key) for key in ABOUT} | {"failed": last_line(entry)} for entry in idle],
        sound(root, half),
    )


def figures_from(
    projects: Sequence[dict[str, Any]], idle: Sequence[dict[str, Any]], clean: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """All figures of faulty projects, of those whose fault did not govern, and of sound ones."""
    scores = [Score(**{name: row[name] for name in SCORED} | {"first": tuple(row["first"])}) for row in projects]
    alarms = share([bool(row["unconfirmed"]) for row in clean], [row["data"] for row in clean])
    return {
        **summary(scores),
        "false_alarms": alarms,
        "sound_ready": Counter(str(row["ready"]) for row in clean),
        "kinds": by_kind(scores, idle),
        "projects": list(projects),
        "did_not_govern": list(idle),
        "sound": list(clean),
    }


def merged(known: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of all projects of both, those of `new` where a project is in both."""
    faulty = {key_of(row): name for of in (known, new) for name in ("projects", "did_not_govern") for row in of[name]}
    parts = [
        list({key_of(row): row for of in (known, new) for row in of[name]}.values())
        for name in ("projects", "did_not_govern", "sound")
    ]
    projects, idle = (
        [row for row in rows if faulty[key_of(row)] == name]
        for name, rows in zip(("projects", "did_not_govern"), parts, strict=False)
    )
    return figures_from(projects, idle, parts[2])


def judged(halves: Sequence[str]) -> set[str]:
    """The keys of the projects that the results file has of these halves."""
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    names = ("projects", "did_not_govern", "sound")
    return {key_of(row) for half in halves if half in known for name in names for row in known[half][name]}


def key_of(row: Mapping[str, Any]) -> str:
    """What tells a project from all others of its half."""
    return json.dumps([row.get("kind", "clean"), row.get("dose", row.get("data")), row["seed"]])


def last_line(entry: dict[str, Any]) -> str | None:
    """How planting failed, without the places of the traceback; None where it did not."""
    return entry["failed"].strip().splitlines()[-1] if "failed" in entry else None


def write_all(root: Path, halves: Sequence[str], *, more: bool = False) -> int:
    """Write the figures of the halves beside those of the others, and print their tables; with `more` the projects that the
    results have already are counted too.
    """
    machine = {"python": platform.python_version(), "rewardsmith": VERSION}
    found = {half: {**figures_of(root, half), "machine": machine} for half in halves}
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    if more:
        found = {half: merged(known[half], figures) | {"machine": machine} for half, figures in found.items()}
    write_json(RESULT, {**known, **found})
    for half, figures in found.items():
        print(f"\n{half}\n" + "\n".join(lines_of(figures)))
    print("\n" + "\n".join(beside(json.loads(BEFORE.read_text(encoding="utf-8")), found)))
    return 0


def beside(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Both verdicts kind by kind: found in each half, and called ready although they should stop in all halves together."""
    known = {"before": before, "now": now}
    columns = [(half, when) for half in now for when in known if half in known[when]]
    head = [f"{half}, {when}" for half, when in columns]
    lines = [f"| kind | {' | '.join(head)} | ready before | ready now |", "|---" * (len(head) + 3) + "|"]
    for kind in KINDS:
        rows = {
            (half, when): next((row for row in known[when][half]["kinds"] if row["kind"] == kind), None)
            for half, when in columns
        }
        cells = [f"{row['found']} of {row['governed']}" if row and row["governed"] else "–" for row in rows.values()]
        ready = [
            sum(row["wrongly_ready"] for (_, when), row in rows.items() if row and when == wanted) for wanted in known
        ]
        lines.append(f"| {kind} | {' | '.join(cells)} | {ready[0]} | {ready[1]} |")
    return lines


def lines_of(figures: dict[str, Any]) -> list[str]:
    """The figures of a half in Markdown."""
    lines = [""]
    for name in ("found", "right_action", "wrongly_ready", "false_alarms"):
        one = figures[name]
        if one["of"]:
            low, high = one["ci95"]
            lines.append(
                f"- {name.replace('_', ' ')}: {one['hits']} of {one['of']} ({100 * one['value']:.1f} % "
                f"[{100 * low:.1f}, {100 * high:.1f}], {one['clusters']} kinds)"
            )
    lines += ["", "| kind | governed | found | right action | ready: yes | said first |", "|---|---|---|---|---|---|"]
    for row in figures["kinds"]:
        of = row["governed"]
        idle = f" ({row['did_not_govern']} did not)" if row["did_not_govern"] else ""
        said = "; ".join(f"{words} ×{count}" for words, count in row["said_first"])
        lines.append(
            f"| {row['kind']} | {of}{idle} | {row['found']} | {row['right_action']} | {row['wrongly_ready']} | {said} |"
        )
    return lines
