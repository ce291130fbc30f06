"""What one damaged row costs the others: CSV files and JSON arrays with a few rows damaged, read whole.

    python benchmarks/damaged_files.py [--files 150] [--damaged 1 3]

Each file has 300 (CSV) or 200 (arrays) rows of drawn texts with commas, quotes and brackets, in half of the CSV files with
cells over several lines. In CSV a quote is put in or taken out; in arrays a quote, a bracket or any byte is put in, taken
out or changed, or the row is cut. Counted are rows that were not damaged and are not there again just as they were
(`lost`), rows that came out and that nobody wrote (`invented`; the rest of a damaged row), files whose rows add up to
those that were written (`exact`), and by how many rows the others differ (`off`). For CSV Python's own module, going on
after each error, is the comparison.
"""

import argparse
import csv
import io
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rewardsmith.data.readers import read_file
from rewardsmith.data.rows import Raw

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "damaged_files.json"
TEXT = (
    'the reward {model} 奖励 [learns] from, pairs of answers; "quoted" Is it so? 5" 好的，谢谢 \\ {"prompt": "x"}, }, {'
)
BREAKS = ("\n", "\n\n", "\r\n")


def text_of(draw: random.Random, words: list[str], *, lines: bool) -> str:
    """A drawn text, with `lines` in one of three over several lines."""
    text = " ".join(draw.choices(words, k=draw.randint(3, 40)))
    for _ in range(draw.randint(1, 5) if lines and draw.random() < 0.3 else 0):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice(BREAKS) + text[at:]
    return text


def csv_file(draw: random.Random) -> tuple[list[tuple[str, ...]], list[bytes]]:
    """The rows of a CSV file, and its lines with the header first; `lines` may hold line breaks."""
    columns = draw.choice((("chosen", "rejected"), ("prompt", "chosen", "rejected"), ("prompt", "a", "b", "c", "d")))
    quoting, end = draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)), draw.choice(("\n", "\r\n"))
    several, plain = draw.random() < 0.5, draw.random() < 0.5
    words = TEXT.replace('"', "").replace(",", "").split() if plain else TEXT.split()
    rows = [tuple(f"{n} {text_of(draw, words, lines=several)}" for _ in columns) for n in range(300)]
    lines = []
    for row in (columns, *rows):
        written = io.StringIO()
        csv.writer(written, quoting=quoting, lineterminator=end).writerow(row)
        lines.append(written.getvalue().encode())
    return rows, lines


def other_quotes(draw: random.Random, line: bytes) -> bytes:
    """A CSV row with a quote more or less."""
    body = line.rstrip(b"\r\n")
    quotes = [at for at, byte in enumerate(body) if byte == ord('"')]
    commas = [at for at, byte in enumerate(body) if byte == ord(",")]
    places = ([*range(len(body) + 1)], [0, *(at + 1 for at in commas)], [len(body), *commas])
    if quotes and draw.random() < 0.25:
        at = draw.choice(quotes)
        return body[:at] + body[at + 1 :] + line[len(body) :]
    at = draw.choice(draw.choice(places))
    return body[:at] + b'"' + body[at:] + line[len(body) :]


def array_rows(draw: random.Random) -> list[dict[str, Any]]:
    """The rows of an array: texts, or conversations with lists inside."""
    words, nested = TEXT.split(" "), draw.random() < 0.5
    texts = [[f"{n} {text_of(draw, words, lines=True)}" for _ in range(3)] for n in range(200)]
    if not nested:
        return [dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in texts]
    names = ("user", "assistant", "assistant")
    turns = [[[{"role": role, "content": text}] for role, text in zip(names, row, strict=True)] for row in texts]
    return [{"prompt": p, "chosen": c + r, "rejected": r, "scores": [1, [2]]} for p, c, r in turns]


def other_bytes(draw: random.Random, row: bytes) -> bytes:
    """A JSON text that is no object any more."""
    marks = [at for at, byte in enumerate(row) if byte in b'"{}[],:']
    while True:
        at = draw.randrange(1, len(row))
        mark = draw.choice(marks)
        kinds = (
            row[:at] + draw.choice((b'"', b"{", b"}", b"[", b"]")) + row[at:],
            row[:at] + row[at + 1 :],
            row[:at],
            row[:at] + bytes([draw.randrange(32, 127)]) + row[at + 1 :],
            row[:mark] + row[mark + 1 :],
        )
        damaged = draw.choice(kinds)
        try:
            json.loads(damaged)
        except ValueError:
            return damaged


def plainly(data: bytes, columns: int) -> Iterator[tuple[str, ...] | None]:
    """The rows that Python's csv module gives, going on after an error; None for one, and for too many or few cells."""
    reader = csv.reader(io.StringIO(data.decode(errors="replace"), newline=""), strict=True)
    next(reader)
    while True:
        try:
            if cells := next(reader):  # a blank line is no row
                yield tuple(cells) if len(cells) == columns else None
        except csv.Error:
            yield None
        except StopIteration:
            return


def ours(path: Path) -> Iterator[str | None]:
    """The rows that come out of a file, as JSON; None for one in quarantine."""
    for item in read_file(path):
        yield json.dumps(item.row, ensure_ascii=False) if isinstance(item, Raw) else None


def judged(found: list[Any], written: dict[Any, int], damaged: set[int]) -> Counter[str]:
    """The counts for one file; what a damaged row itself became is not judged."""
    kept = {written[row] for row in found if row in written}
    starts = tuple(f"{n} " for n in damaged)
    strange = [row for row in found if row and row not in written]
    invented = sum(not first_text(row).lstrip('"').startswith(starts) for row in strange)
    lost = len(set(written.values()) - damaged - kept)
    off = abs(len(found) - len(written))
    return Counter(files=1, rows=len(written), exact=int(off == 0), off=off, lost=lost, invented=invented)


def first_text(row: Any) -> str:
    """How a row begins: its number, if it is whole."""
    if isinstance(row, str):
        row = next(iter(json.loads(row).values()), "")
        row = [row[0].get("content", "")] if isinstance(row, list) and row and isinstance(row[0], dict) else [row]
    return str(row[0])


def csv_counts(draw: random.Random, path: Path, count: int) -> tuple[Counter[str], Counter[str]]:
    """One CSV file, read by us and by Python's module."""
    rows, lines = csv_file(draw)
    damaged = set(draw.sample(range(300), count))
    for number in damaged:
        lines[number + 1] = other_quotes(draw, lines[number + 1])
    path.write_bytes(b"".join(lines))
    columns = lines[0].decode().strip().replace('"', "").split(",")
    as_json = {json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False): n for n, row in enumerate(rows)}
    theirs = [*plainly(path.read_bytes(), len(columns))]
    return judged([*ours(path)], as_json, damaged), judged(theirs, dict(zip(rows, range(300), strict=True)), damaged)


def array_counts(draw: random.Random, path: Path, count: int) -> Counter[str]:
    """One array."""
    rows = array_rows(draw)
    indent, separator = draw.choice(((None, b", "), (None, b",\n"), (1, b",\n")))
    texts = [json.dumps(row, ensure_ascii=draw.random() < 0.5, indent=indent).encode() for row in rows]
    damaged = set(draw.sample(range(200), count))
    for number in damaged:
        texts[number] = other_bytes(draw, texts[number])
    path.write_bytes(b"[" + separator.join(texts) + b"]")
    written = {json.dumps(row, ensure_ascii=False): n for n, row in enumerate(rows)}
    return judged([*ours(path)], written, damaged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--damaged", type=int, nargs="+", default=[0, 1, 3])
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.damaged:
            draw = random.Random(count)
            totals: dict[str, Counter[str]] = {name: Counter() for name in ("csv", "csv, Python's module", "arrays")}
            for _ in range(arguments.files):
                here, there = csv_counts(draw, Path(folder) / "a.csv", count)
                totals["csv"].update(here)
                totals["csv, Python's module"].update(there)
                totals["arrays"].update(array_counts(draw, Path(folder) / "a.json", count))
            result[f"{count} damaged rows a file"] = {name: dict(total) for name, total in totals.items()}
            print(count, json.dumps(result[f"{count} damaged rows a file"], indent=1))
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
