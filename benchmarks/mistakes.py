"""Types the mistakes of mistakes.txt and counts right exit codes and right suggestions, in both languages.

    python benchmarks/mistakes.py [--only WORD] [--show]

Each runs through `rewardsmith.cli.main` in a scratch folder with small data and a model of two steps. Exits 1 below the
bars: no traceback, 97 % right codes, 95 % right suggestions.
"""

import argparse
import contextlib
import io
import json
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rewardsmith import cli
from rewardsmith.files import write_json

HERE = Path(__file__).parent
RESULT = HERE / "results" / "mistakes.json"
SHORT = {
    "T": "train --model tiny --dataset rows.jsonl -o out",
    "P": "prepare rows.jsonl -o out",
    "S": "score run/model rows.jsonl -o out.jsonl",
    "E": "evaluate run/model rows.jsonl",
}
CODES, SUGGESTIONS = 0.97, 0.95


@dataclass(frozen=True)
class Mistake:
    """A line of mistakes.txt."""

    code: int
    line: str
    wanted: tuple[str, ...]

    def patterns(self, lang: str) -> list[str]:
        """What the message has to name in this language."""
        return [pattern.removeprefix("en:") for pattern in self.wanted if lang == "en" or not pattern.startswith("en:")]

    @property
    def words(self) -> list[str]:
        """The command line; a YAML line is written to a file first."""
        first, _, rest = self.line.partition(" ")
        if first == "YAML":
            Path("typed.yaml").write_text(rest + "\n")
            return shlex.split(f"{SHORT['T']} --config typed.yaml")
        return shlex.split(f"{SHORT.get(first, first)} {rest}")


@dataclass(frozen=True)
class Outcome:
    """What a mistake came to; `code` is None after a traceback."""

    code: int | None
    message: str


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true", help="print every message")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    mistakes = [mistake for mistake in read_list() if arguments.only in mistake.line]
    output = arguments.output.resolve()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make_files()
        counts = {lang: count(mistakes, lang, show=arguments.show) for lang in ("en", "zh")}
    if not arguments.only:
        write_json(output, counts)
    for lang, figures in counts.items():
        print(lang, json.dumps(figures))
    return 0 if all(met(figures) for figures in counts.values()) else 1


def read_list() -> list[Mistake]:
    lines = (HERE / "mistakes.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [Mistake(int(code), line, tuple(w for w in wanted if w != "-")) for code, line, *wanted in rows]


def make_files() -> None:
    """Rows of several kinds, a trained model, folders that are no run."""
    pairs = [
        {"prompt": f"What is {k} + 2?", "chosen": f"It is {k + 2}, of course.", "rejected": f"It is five or {k}."}
        for k in range(40)
    ]
    for name, rows in {
        "rows": pairs,
        "ties": [{"prompt": r["prompt"], "response_a": "x", "response_b": "y", "preferred": "tie"} for r in pairs],
        "single": [{"prompt": r["prompt"], "response": "x", "rating": 3} for r in pairs],
        "empty": [],
        "there": pairs,
    }.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("broken.jsonl").write_text("{not json\n" * 5)
    Path("locked.jsonl").write_bytes(bytes(range(256)) * 4)
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    Path("broken.yaml").write_text("a: [1, 2\n")
    Path("full").mkdir()
    Path("full/notes.txt").write_text("somebody's notes")
    Path("empty").mkdir()
    outcome = run(shlex.split("train --model tiny --dataset rows.jsonl -o run --max-steps 2 --no-report"), "en")
    assert outcome.code == 0, outcome.message


def run(words: list[str], lang: str) -> Outcome:
    """A command line; what it wrote to standard error and output."""
    said = io.StringIO()
    os.environ["REWARDSMITH_LANG"] = lang
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code: int | None = cli.main(words)
        except Exception:
            traceback.print_exc(file=said)
            code = None
    return Outcome(code, said.getvalue())


def count(mistakes: list[Mistake], lang: str, *, show: bool) -> dict[str, float]:
    """Shares of right codes and of right suggestions, and tracebacks."""
    seen: Counter[str] = Counter()
    for mistake in mistakes:
        outcome = run(mistake.words, lang)
        right = outcome.code == mistake.code
        named = [bool(re.search(pattern, outcome.message)) for pattern in mistake.patterns(lang)]
        seen.update(tracebacks=outcome.code is None, codes=right, named=all(named) and bool(named), wanted=bool(named))
        if show or not right or not all(named):
            mark = "ok" if right and all(named) else "WRONG"
            print(f"{mark} [{outcome.code}, not {mistake.code}] {mistake.line}")
            print(f"      wanted {mistake.wanted}: {outcome.message.strip()[-300:]}")
        for left in ("out", "out.jsonl", "x.jsonl"):
            remove(Path(left))
    return {
        "mistakes": len(mistakes),
        "tracebacks": seen["tracebacks"],
        "right_codes": seen["codes"] / len(mistakes),
        "right_suggestions": seen["named"] / max(1, seen["wanted"]),
        "with_suggestion": seen["wanted"],
    }


def remove(path: Path) -> None:
    """What a command wrote here, so that the next one starts alike; relative names in the scratch folder only."""
    import shutil

    assert not path.is_absolute()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def met(figures: dict[str, float]) -> bool:
    return (
        figures["tracebacks"] == 0 and figures["right_codes"] >= CODES and figures["right_suggestions"] >= SUGGESTIONS
    )


if __name__ == "__main__":
    sys.exit(main())
