"""What a bug report says: enough to repeat the bug, and nothing about who reports it."""

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version as installed

from rewardsmith.bench.environment import anonymous, missing_of
from rewardsmith.commands import version
from rewardsmith.version import VERSION


def said(*words, **variables):
    command = [sys.executable, "-m", "rewardsmith", "version", *words]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_version_alone_imports_no_torch():
    check = (
        "import sys; from rewardsmith.commands import version; "
        "r = version.run(version.Config()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    assert said() == f"rewardsmith {VERSION}\n"


def test_a_bug_report_has_versions_machine_and_devices_and_no_names(tmp_path):
    home = tmp_path / "zaphod42"
    models = home / "cache" / "models" / "minilm-l6"
    models.mkdir(parents=True)
    (models / "config.json").write_text("{}")
    names = {"HOME": str(home), "USER": "zaphod42", "LOGNAME": "zaphod42", "REWARDSMITH_HOME": str(home / "cache")}
    secrets = {"HF_TOKEN": "hf_secret", "HF_ENDPOINT": "http://internal.example"}
    text = said("--verbose", "--json", **names, **secrets, OMP_NUM_THREADS="1")
    for secret in ("zaphod42", "hf_secret", "internal.example", str(tmp_path)):
        assert secret not in text
    facts = json.loads(text)
    shown = version.Result(facts).to_text()
    assert f"\n  torch {installed('torch')}\n" in shown
    assert shown.endswith("models tiny, minilm-l6\nmodels_folder ~/cache/models")
    assert facts["rewardsmith"] == VERSION
    assert facts["packages"]["torch"] == installed("torch")
    assert facts["python"].startswith(platform.python_version())
    assert facts["machine"]["cores"] == os.cpu_count()
    assert facts["machine"]["threads"] == 1
    assert facts["machine"]["memory_gb"] > 0.5
    assert facts["models"] == ["tiny", "minilm-l6"]
    assert facts["models_folder"] == "~/cache/models"
    assert facts["variables"]["OMP_NUM_THREADS"] == "1"


def test_names_are_taken_out_as_words_only(monkeypatch):
    monkeypatch.setenv("HOME", "/home/al")
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "al")
    monkeypatch.setattr(platform, "node", lambda: "box7")
    assert anonymous("/home/al/models") == "~/models"
    assert anonymous("/scratch/al/cache on box7") == "/scratch/USER/cache on HOST"
    assert anonymous("/scratch/all/total") == "/scratch/all/total"


def test_extras_are_installed_or_name_what_they_lack():
    lines = [
        "torch>=2.6",
        'pytest>=8; extra == "one"',
        'numpy; python_version > "3" and extra == "one"',
        "no-such-package>=1; extra == 'two'",
        'torch; extra == "two"',
        'ruff; extra == "dev"',
        'rewardsmith[one]; extra == "all"',
    ]
    assert missing_of(lines) == {"one": "installed", "two": "lacks no-such-package"}
