"""Whether any row crashes `rewardsmith prepare` or gets lost: rows of every format, mutated.

    python benchmarks/mutated_rows.py [--rows 100000] [--seed 0]

The rows are those of tests/schemas.py. Two of three are mutated: values at any depth replaced, removed or doubled; texts
cut, misread, repeated, or with control characters, marks of templates and halves of surrogates inside; lines cut off,
joined, with bytes that are no UTF-8 or keys that stand twice. Each format is a file of its own, half of them prepared with
repair, half with every check under --remove. Counted are crashes (anything but the package's own refusal), and rows that
do not come out once: the lines of the splits, of quarantine.jsonl and of removed.jsonl have to be the lines of the file.
Joined rows are part of another's record.
The figures are added to `benchmarks/results/planted_faults.json`.
"""

import argparse
import copy
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.commands.prepare import Config, run
from rewardsmith.errors import RewardsmithError
from rewardsmith.files import write_json
from rewardsmith.pipelines.prepare.cross_row import REMOVABLE

HERE = Path(__file__).parent
RESULT = HERE / "results" / "planted_faults.json"
sys.path.insert(0, str(HERE.parent / "tests"))
import schemas  # noqa: E402  # the rows of the tests

VALUES: list[Any] = [
    None,
    "",
    " ",
    "x",
    0,
    1,
    -1,
    2.5,
    1e308,
    10**30,
    True,
    [],
    {},
    ["x"],
    [None],
    [["a"]],
    {"role": "user"},
]
INSIDE = (
    "\x00",
    "\u200b",
    "\ufffd",
    "\u202e",
    "<|im_end|>",
    "\nHuman: x",
    "[removed]",
    "锟斤拷",
    "👩‍👩‍👧",
    "\ud83d",
    "\r",
    "\u2028",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a row."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


def other_text(text: str, draw: random.Random) -> str:
    """A text that something happened to."""
    at = draw.randrange(len(text) + 1)
    page = draw.choice(("latin-1", "cp1252", "cp1251", "gbk", "big5", "cp932", "utf-16-le"))
    kinds = (
        lambda: text[:at],
        lambda: text[:at] + draw.choice(INSIDE) + text[at:],
        lambda: text * draw.choice((2, 30, 200)),
        lambda: text.encode(errors="replace").decode(page, errors=draw.choice(("ignore", "replace"))),
        lambda: text[::-1],
        lambda: "".join(
            chr(draw.choice((draw.randrange(0x80, 0xD800), draw.randrange(0xE000, 0x110000)))) for _ in range(20)
        ),
    )
    return draw.choice(kinds)()


def mutated(row: Any, draw: random.Random) -> Any:
    """A row with some values, at any depth, replaced, removed, doubled or rewritten."""
    row = copy.deepcopy(row)
    for _ in range(draw.randint(1, 3)):
        found = list(places(row))
        if not found:
            break
        *path, last = draw.choice(found)
        target = row
        for key in path:
            target = target[key]
        kind = draw.randrange(4)
        if kind == 0:
            del target[last]
        elif kind == 1 and isinstance(target, list):
            target.append(copy.deepcopy(target[last]))
        elif kind == 2 or not isinstance(target[last], str):
            target[last] = copy.deepcopy(draw.choice(VALUES))
        else:
            target[last] = other_text(target[last], draw)
    return row


def line_of(row: Any, draw: random.Random, *, first: bool) -> bytes:
    """A row as a line, one time in thirty broken as a line too; never with a line break inside."""
    line = json.dumps(row, ensure_ascii=draw.random() < 0.5).encode(errors="surrogatepass")
    if first or draw.random() > 1 / 30:
        return line
    at = draw.randrange(len(line))
    broken = (
        line[:at],
        line + b"}",
        b"\xff\xfe" + line,
        line[:at] + b"\xe4\xbd" + line[at:],
        b"{" + line[1:at] + b"," + line[1:],
    )
    return draw.choice(broken) or b"{"


def prepare(folder: Path, lines: list[bytes], settings: dict[str, Any], *, own: bool) -> dict[str, Any]:
    """What became of a file's rows; `lost` counts rows that are nowhere or twice."""
    (folder / "in.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    try:
        result = run(
            Config(sources=(str(folder / "in.jsonl"),), output=folder / "out", fractions=(1, 0, 0), **settings)
        )
    except RewardsmithError as error:
        return {"rows": len(lines), "refused": str(error)}
    ledgers = [
        orjson.loads(line)["line"]
        for name in ("quarantine", "removed")
        for line in (folder / f"out/{name}.jsonl").read_bytes().splitlines()
    ]
    train = folder / "out/train.jsonl"
    records = len(train.read_bytes().splitlines()) if train.exists() else 0
    # Rows of our own format keep the place where they were first read, which is the same for all of them here.
    named: Any = ledgers if own else set(ledgers)
    lost = abs(len(lines) - result.rows) + len(ledgers) - len(named)
    lost += abs(result.rows - len(ledgers) - records - result.joined)
    told = {"rows": result.rows, "kept": result.kept, "quarantined": result.quarantined, "removed": result.removed}
    return {**told, "codes": {**result.quarantined_by, **result.removed_by}, "lost": lost}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = measure(rows=arguments.rows, seed=arguments.seed)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    old = orjson.loads(RESULT.read_bytes()) if RESULT.exists() else {}
    write_json(RESULT, old | {"mutated": result})


def measure(*, rows: int, seed: int) -> dict[str, Any]:
    """Counts over all formats: rows, what became of them, crashes, and rows that are nowhere or twice."""
    start, per = time.time(), -(-rows // len(schemas.ROWS))
    total: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    refusals, crashes = [], []
    for number, (name, row) in enumerate(schemas.ROWS):
        draw = random.Random(f"{seed}:{number}")
        made = [row if at % 3 == 0 else mutated(row, draw) for at in range(per)]
        settings = {
            "remove": REMOVABLE if number % 2 else (),
            "repair": number % 4 < 2,
            "keep_duplicates": number % 5 > 0,
        }
        with tempfile.TemporaryDirectory() as folder:
            try:
                lines = [line_of(each, draw, first=not at) for at, each in enumerate(made)]
                told = prepare(Path(folder), lines, settings, own=name == "native")
            except Exception:
                crashes.append(f"{name}: {traceback.format_exc()}")
                print(crashes[-1])
                continue
        if "refused" in told:
            refusals.append(f"{name}: {told['refused']}")
        codes.update(told.pop("codes", {}))
        total.update({key: value for key, value in told.items() if isinstance(value, int)})
        print(number, name, told)
    result = {**total, "formats": len(schemas.ROWS), "crashes": len(crashes), "refused_files": refusals}
    result |= {"codes": dict(sorted(codes.items())), "seed": seed, "seconds": round(time.time() - start)}
    return result


if __name__ == "__main__":
    main()
