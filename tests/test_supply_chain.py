"""Train, resume, evaluate, score and diagnose in one process, watched: nothing is unpickled, nobody is called, and no
library writes to the screen.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec

import orjson
import pytest

WATCHED = """
import ipaddress, json, sys
from pathlib import Path

events = {"pickle.find_class": [], "network": [], "os.system": [], "code": []}

def is_here(address):
    if not isinstance(address, tuple):
        return True  # a socket of this machine
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False

def watch(name, words):
    if name in ("pickle.find_class", "os.system"):
        events[name].append([str(word) for word in words])
    elif name in ("socket.connect", "socket.sendto") and not is_here(words[1]):
        events["network"].append([name, repr(words[1])])
    elif name in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        if words[0] not in ("localhost", "127.0.0.1", "::1", None, ""):
            events["network"].append([name, repr(words[0])])
    elif name in ("urllib.Request", "smtplib.connect", "ftplib.connect", "http.client.connect"):
        events["network"].append([name, repr(words[0])])

sys.addaudithook(watch)
from rewardsmith import cli

folder = Path(sys.argv[1])
run, rows = folder / "run", folder / "rows.jsonl"
train = ["train", "--model", "tiny", "--dataset", str(rows), "--n-embd", "16", "--n-layer", "1", "--batch", "8",
         "--evals", "2", "--threads", "1", "-o", str(run)]
codes = [cli.main(words) for words in (
    ["prepare", str(rows), "-o", str(folder / "data")],
    train,
    [*train, "--resume"],
    *([[*train[:-1], str(folder / "adapted"), "--lora.r", "2", "--gradient-checkpointing"]] if sys.argv[3] else []),
    ["evaluate", str(run), str(rows), "-o", str(folder / "evaluated")],
    ["score", str(run), str(rows), "-o", str(folder / "scored.jsonl")],
    ["diagnose", str(run), "--overwrite"],
    ["card", str(run), "--overwrite"],
    ["compare", str(folder / "evaluated"), str(folder / "evaluated")],
)]
opened = sorted({"deepspeed", "mlflow", "ray", "wandb"} & set(sys.modules))
probes = len(events["network"]), len(events["pickle.find_class"])
import pickle, socket
pickle.loads(pickle.dumps(Path("x")))  # the watch sees what it is for
try:
    socket.getaddrinfo("hub.invalid", 443)
except OSError:
    pass
seen = len(events["network"]) - probes[0], len(events["pickle.find_class"]) - probes[1]
Path(sys.argv[2]).write_text(json.dumps({"codes": codes, "events": events, "seen": seen, "opened": opened}))
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """What was seen of the way from rows to a card."""
    folder = tmp_path_factory.mktemp("watched")
    rows = [
        {"prompt": f"{k} and {k}?", "chosen": f"That makes {2 * k}.", "rejected": f"No idea, {k}."} for k in range(80)
    ]
    (folder / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    adapter = "peft" if find_spec("peft") else ""
    command = [sys.executable, "-c", WATCHED, str(folder), str(folder / "seen.json"), adapter]
    spoken = {**os.environ, "REWARDSMITH_LANG": "zh"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=spoken)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = orjson.loads((folder / "seen.json").read_bytes())
    assert seen["codes"] == [0] * (9 if adapter else 8), done.stderr[-3000:]
    return folder, seen | {"screen": done.stderr}


def test_nothing_is_unpickled(watched):
    _, seen = watched
    found = seen["events"]["pickle.find_class"]
    assert seen["seen"][1] >= 1
    assert found[: len(found) - seen["seen"][1]] == []


def test_nobody_is_called_and_no_name_is_looked_up(watched):
    _, seen = watched
    found = seen["events"]["network"]
    assert seen["seen"][0] == 1
    assert found[:-1] == []


def test_no_shell_is_started(watched):
    assert watched[1]["events"]["os.system"] == []


def test_a_run_holds_only_formats_that_cannot_run(watched):
    folder, _ = watched
    allowed = {".safetensors", ".json", ".jsonl", ".jinja", ".md", ".yaml", ".html"}
    found = {path.suffix for path in (folder / "run").rglob("*") if path.is_file()}
    assert found <= allowed
    checkpoints = {path.name for path in (folder / "run" / "checkpoints").glob("*/*")}
    assert {path.rpartition(".")[2] for path in checkpoints} == {"safetensors", "json"}


def test_only_lines_of_our_own_are_on_the_screen(watched):
    """They are Chinese here, so that what torch, transformers, accelerate or deepspeed write stands out."""
    lines = [line for line in watched[1]["screen"].splitlines() if line.strip()]
    assert len(lines) > 20
    assert [line for line in lines if not re.search("[\u4e00-\u9fff]", line)] == []


def test_no_large_library_is_opened_that_nobody_asked_for(watched):
    """accelerate would open deepspeed to save a model, and that MLflow: longer than torch takes."""
    assert watched[1]["opened"] == []
