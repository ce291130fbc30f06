"""Whether `rewardsmith diagnose` names faults that were invented after all of planted_training_faults.py had been read.

    python benchmarks/invented_training_faults.py plant [--kinds poisoned clean] [--seeds 1]
    python benchmarks/invented_training_faults.py judge --verdict first
    python benchmarks/invented_training_faults.py table

`plant` really runs the kinds of the part `invented` and its sound projects, as planted_training_faults.py does. `judge` asks
the package that is first on PYTHONPATH, measures anew, and keeps its answers under the name of that verdict, so that one
project is asked of several: `first` is the verdict as it was when the kinds were invented, `now` the one that was mended for
them. `table` holds all answers against `planted/invented.yaml`. Rules were tuned on these very projects: what `now` reaches
says that the changes do what they are for, and nothing about other faults.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planted import judging, planting, tables
from planted.confirming import unconfirmed
from planted.scoring import expected, score, share, summary, urgent
from rewardsmith.files import write_json
from rewardsmith.pipelines.diagnose import measure
from rewardsmith.version import VERSION

HALF = "invented"
RESULT = Path(__file__).parent / "results" / "invented_training_faults.json"
VERDICTS = ("first", "now")


def answers_at(root: Path, verdict: str) -> Path:
    """Where the answers of a verdict are kept."""
    return root / f"{HALF}-answers-{verdict}.jsonl"


def answers_of(root: Path, verdict: str) -> dict[str, dict[str, Any]]:
    """The newest answer of a verdict about each project."""
    path = answers_at(root, verdict)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {answer["name"]: answer for answer in map(json.loads, lines)}


def judge(root: Path, verdict: str, kinds: list[str] | None) -> int:
    """Ask about every governing or sound project that this verdict was not asked about."""
    measure.SHOWN.clear()  # colours of tokens, on which no finding depends
    known = answers_of(root, verdict)
    for entry in planting.read_index(root, HALF).values():
        counts = "failed" not in entry and (entry["kind"] == "clean" or entry["governs"])
        if not counts or entry["name"] in known or (kinds and entry["kind"] not in kinds):
            continue
        stored = root / HALF / entry["name"] / entry["argv"][0] / "measurements.json"
        stored.unlink(missing_ok=True)  # each verdict measures by itself
        answer = judging.ask(root, entry)
        with answers_at(root, verdict).open("a", encoding="utf-8") as kept:
            kept.write(json.dumps(answer, ensure_ascii=False) + "\n")
        print(entry["kind"], entry["dose"], urgent(answer["said"]), answer["said"].get("ready"), flush=True)
    return 0


def figures_of(root: Path, verdict: str) -> dict[str, Any]:
    """All figures of one verdict."""
    wanted, answers, entries = expected(), answers_of(root, verdict), planting.read_index(root, HALF).values()
    asked = [entry for entry in entries if entry["name"] in answers]
    faulty = [entry for entry in asked if entry["kind"] != "clean"]
    scores = [score(one["kind"], answers[one["name"]]["said"], wanted[one["kind"]]) for one in faulty]
    sound = [told(root, one, answers[one["name"]]["said"]) for one in asked if one["kind"] == "clean"]
    return {
        **summary(scores),
        "false_alarms": share([bool(one["unconfirmed"]) for one in sound], [one["data"] for one in sound]),
        "projects": [
            {key: one[key] for key in tables.ABOUT} | asdict(row) for one, row in zip(faulty, scores, strict=True)
        ],
        "sound": sound,
    }


def told(root: Path, entry: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What was said of a sound project."""
    ids = ["error"] if "error" in said else urgent(said)
    return {
        "data": entry["dose"],
        "seed": entry["seed"],
        "urgent": ids,
        "unconfirmed": unconfirmed(root, entry, ids),
        "ready": said.get("ready"),
    }


def table(root: Path) -> int:
    """Write the figures of all verdicts, and print them kind by kind."""
    entries = planting.read_index(root, HALF).values()
    idle = [entry["kind"] for entry in entries if entry["kind"] != "clean" and not entry.get("governs")]
    found = {name: figures_of(root, name) for name in VERDICTS}
    write_json(RESULT, {"rewardsmith": VERSION, "did_not_govern": idle, **found})
    rows: dict[str, dict[str, str]] = {}
    for name, figures in found.items():
        for one in figures["projects"]:
            marks = " ".join("+" if one[key] else "–" for key in ("found", "right_action"))
            cell = f"{marks} {one['ready']} {', '.join(one['first']) or 'nothing'}"
            rows.setdefault(f"{one['kind']} {one['dose']} {one['seed']}", {})[name] = cell
    for kind, cells in rows.items():
        print(f"| {kind} | {' | '.join(cells.get(name, '') for name in VERDICTS)} |")
    for name, figures in found.items():
        shares = {key: figures[key] for key in ("found", "right_action", "wrongly_ready", "false_alarms")}
        print(name, {key: (one["hits"], one["of"], one["ci95"]) for key, one in shares.items()})
        print([(one["data"], one["urgent"], one["unconfirmed"], one["ready"]) for one in figures["sound"]])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("plant", "judge", "table"))
    parser.add_argument("--kinds", nargs="+", default=None, help="kinds of faults, or clean; default: all")
    parser.add_argument("--seeds", type=int, default=None, help="seeds per kind; default: both")
    parser.add_argument("--verdict", choices=VERDICTS, default="now", help="under which name answers are kept")
    parser.add_argument("--root", type=Path, default=Path("/tmp/rewardsmith-planted"), help="where projects are kept")
    given = parser.parse_args()
    if given.stage == "plant":
        return planting.plant_all(given.root, (HALF,), given.kinds, given.seeds, 1)
    return table(given.root) if given.stage == "table" else judge(given.root, given.verdict, given.kinds)


if __name__ == "__main__":
    sys.exit(main())
