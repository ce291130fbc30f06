"""How fast rows come in and how much memory that takes: a file of JSON lines, layer by layer.

    python benchmarks/intake.py [--megabytes 1024]

The file is made here, in a temporary folder: pairs of about 1 KB, English and Chinese, one row in a thousand damaged. Each
layer is a process of its own that reads the whole file and keeps nothing: the lines alone; each line parsed and held to
the rules (keys that come twice, numbers beyond 64 bits, half surrogates); `survey`, which also finds the columns of the
format and looks at their types; `iterate`, which makes the records; and on the first `--prepare-rows` rows all that
`prepare` does in one process. Rows per second are per CPU second of that process (user and system), start-up and imports
taken off, so that other programs on the machine matter less; memory is the largest resident set. Linux and macOS.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from rewardsmith.files import write_json

RESULT = Path(__file__).parent / "results" / "intake.json"
TEXT = """
the reward model learns from pairs of answers that people compared because it is asked to tell which one is better
奖励模型 学习 人们 比较 过的 回复 好的 谢谢 因为 哪一个 更好
"""
LAYERS = ("lines", "parse", "survey", "iterate", "prepare")
WORKER = """
import json, resource, sys, time
from pathlib import Path
from rewardsmith.data.input.lines import lines
from rewardsmith.data.loading.load import iterate
from rewardsmith.data.input.readers import read_jsonl
from rewardsmith.data.loading.survey import survey
from rewardsmith.commands.prepare import Config, run

path, layer, output = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
began = time.process_time()
if layer == "lines":
    rows = sum(1 for _ in lines(path))
elif layer == "parse":
    rows = sum(1 for _ in read_jsonl(path))
elif layer == "survey":
    found = survey(path)
    rows = found.rows
    assert 0 < sum(found.refused.values()) < rows / 500, found.refused
elif layer == "iterate":
    rows = sum(1 for _ in iterate(path))
else:
    rows = run(Config(sources=(str(path),), output=output, workers=1)).rows
seconds = time.process_time() - began
largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([rows, seconds, largest]))
"""


def write_rows(path: Path, size: int) -> int:
    """Rows until the file has `size` bytes; returns how many."""
    draw = random.Random(0)
    words = TEXT.split()
    parts = [" ".join(draw.choices(words, k=25)) for _ in range(5000)]
    rows = written = 0
    with path.open("wb") as file:
        while written < size:
            rows += 1
            chosen, rejected = (" ".join(draw.choices(parts, k=3)) for _ in range(2))
            row = {
                "prompt": f"{rows} {draw.choice(parts)}",
                "chosen": chosen,
                "rejected": rejected,
                "id": rows,
                "source": "made",
            }
            line = json.dumps(row, ensure_ascii=False).encode()
            if rows % 1000 == 0:
                line = line[: len(line) // 2]
            written += file.write(line + b"\n")
    return rows


def measured(path: Path, layer: str, output: Path) -> dict[str, Any]:
    """Rows, CPU seconds and memory of one layer."""
    command = [sys.executable, "-c", WORKER, str(path), layer, str(output)]
    rows, seconds, largest = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {
        "rows": rows,
        "cpu_seconds": round(seconds, 2),
        "rows_per_cpu_second": round(rows / seconds),
        "microseconds_a_row": round(1e6 * seconds / rows, 2),
        "peak_megabytes": round(largest / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--prepare-rows", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "rows.jsonl", Path(folder) / "part.jsonl"
        rows = write_rows(whole, arguments.megabytes << 20)
        with whole.open("rb") as source:
            part.write_bytes(b"".join(islice(source, arguments.prepare_rows)))
        result: dict[str, Any] = {"megabytes": arguments.megabytes, "bytes_a_row": round(whole.stat().st_size / rows)}
        for layer in LAYERS:
            result[layer] = measured(part if layer == "prepare" else whole, layer, Path(folder) / "out")
            assert result[layer]["rows"] in (rows, arguments.prepare_rows)
            print(layer, result[layer], flush=True)
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
