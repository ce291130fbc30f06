"""Tokens and passwords reach no file, no message and no tracker, however they were given."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from rewardsmith.commands import train
from rewardsmith.errors import UsageError
from rewardsmith.launch.redaction import holds_secret, redacted, secrets, shown
from rewardsmith.track.trackers import TRACKERS

SECRETS = {
    "HF_TOKEN": "hf_AbCdEfGhIjKlMnOpQrStUvWx",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "SWANLAB_API_KEY": "swanSecretKey42",
    "MLFLOW_TRACKING_TOKEN": "mlflow+secret/token=",
    "MLFLOW_TRACKING_PASSWORD": "correct horse",
    "OPENAI_API_KEY": "sk-proj-4f9aQz81LmNs",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
    "PGPASSWORD": "pg-sesame",
}
IN_ADDRESS = "sesame-in-the-address"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://me:sesame@host/x", "https://host/…"),
        ("https://sesame@host/x", "https://host/…"),
        ("https://:sesame@host:5000", "https://host:5000/…"),
        ("https://host/x?token=sesame", "https://host/…"),
        ("https://host/x?sesame", "https://host/…"),
        ("https://host/x#access_token=sesame", "https://host/…"),
        ("https://host/aB3dE5fG7hI9kL1mN3oPsesame/api", "https://host/…"),
        ("https://host/hf_AbCdEfGhIjKlMnOpsesame", "https://host/…"),
        ("databricks://sesame@profile", "databricks://profile/…"),
        ("postgresql://me:sesame@host/db", "postgresql://host/…"),
        ("postgresql+psycopg://host/db?password=sesame", "postgresql+psycopg://host/…"),
        ("mysql://host/db?user=me&ssl_key=sesame", "mysql://host/…"),
        ("http://[::1/sesame", "http://[::1/…"),
        ("HTTPS://sesame@host/x", "HTTPS://host/…"),
        ("https://a@b:sesame@host/x", "https://host/…"),
    ],
)
def test_an_address_with_a_secret_never_gets_into_the_settings(tmp_path, address, told):
    assert holds_secret(address)
    assert shown(address) == told
    with pytest.raises(UsageError, match="MLFLOW_TRACKING_TOKEN") as caught:
        train.Config(model="tiny", dataset=("synthetic:60",), output=tmp_path, track=("mlflow",), track_uri=address)
    assert "sesame" not in str(caught.value)
    with pytest.raises(UsageError) as caught:  # also where no tracker would read it
        train.Config(model="tiny", dataset=("synthetic:60",), output=tmp_path, track_uri=address)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:5000",
        "https://mlflow.example.com/team/mlflow",
        "sqlite:///all-runs.db",
        "sqlite:////tmp/4f9a0c/Run2026AbCdEfGhIjKlMn/all.db",
        "postgresql://me@host/db?sslmode=require",
        "mysql+pymysql://me@host:3306/db?charset=utf8mb4",
        "file:///data/mlruns",
        "mlruns",
        "databricks://profile",
        "databricks",
    ],
)
def test_an_address_without_one_is_kept(address):
    assert not holds_secret(address)
    assert shown(address) == address


def test_messages_of_libraries_lose_their_secrets(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for name, value in SECRETS.items():
        said = redacted(f"cannot log in at https://host/x with {value!r} ({name})")
        assert value not in said
        assert said.startswith("cannot log in at https://host/x with")
    assert (
        redacted("401 for https://me:sesame@host/x?api_key=sesame&page=2")
        == "401 for https://…@host/x?api_key=…&page=2"
    )
    assert redacted("Authorization: Bearer abcdefgh1234") == "Authorization: Bearer …"
    assert "mlflow%2Bsecret" not in redacted("https://host/mlflow%2Bsecret%2Ftoken%3D")


def test_words_that_are_no_secrets_stay(tmp_path):
    file = tmp_path / "token"
    file.write_text("x")
    environment = {
        "TOKENIZERS_PARALLELISM": "false", "HF_TOKEN_PATH": str(file), "SHORT_TOKEN": "1", "SSH_KEY": str(file),
        "PWD": "/home/somebody", "PATH": "/usr/bin",
    }  # fmt: skip
    assert secrets(environment) == []
    text = "sklearn.metrics.pairwise_distances at eos_token='</s>', max_tokens=4096; see me@example.com, basic settings"
    assert redacted(text) == text


def everything(folder):
    """The bytes of every file below a folder, with its path."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


INSTALLED = [
    name for name, entry in TRACKERS.items() if all(importlib.util.find_spec(module) for module in entry.modules)
]
PROGRAM = """
import json, os, sys
from rewardsmith import __main__, cli
codes = [cli.main(words) for words in json.loads(sys.argv[1])]
sys.stderr.write(f"codes {codes}\\n")
def fail(*words, **more):
    raise RuntimeError(f"GET https://me:{os.environ['PGPASSWORD']}@host failed with {os.environ['HF_TOKEN']}")
cli._dispatch = fail
__main__.main()
"""


def test_no_secret_of_the_environment_gets_into_any_output(tmp_path):
    """Trackers included; MLflow is sent to a server that is not there, whose address holds a password and a token."""
    secret = {**SECRETS, "MLFLOW_TRACKING_URI": f"http://me:{IN_ADDRESS}@127.0.0.1:9/x?token={IN_ADDRESS}"}
    environment = {**os.environ, **secret, "HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
    del environment["MLFLOW_TRACKING_TOKEN"]  # with it, the password would not be sent
    run = tmp_path / "run"
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"track: [mlflow]\ntrack_uri: https://host/?token={IN_ADDRESS}\n")
    train_words = ["train", "--model", "tiny", "--dataset", "synthetic:60", "--n-embd", "16", "--n-layer", "1",
                   "--threads", "1", "--no-report"]  # fmt: skip
    no = ["-o", str(tmp_path / "no")]
    commands = [
        [*train_words, "-o", str(run), "--track", *INSTALLED],
        ["diagnose", str(run), "--overwrite"],
        [*train_words, *no, "--config", str(settings)],
        [*train_words, *no, "--track-ury", f"https://{IN_ADDRESS}@host"],
        ["train", "--model", f"https://me:{IN_ADDRESS}@host/m", "--dataset", "synthetic:60", *no],
        ["inspect", f"https://host/rows.jsonl?token={IN_ADDRESS}", "--model", "tiny"],
    ]
    command = [sys.executable, "-c", PROGRAM, json.dumps(commands)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert b"codes [0, 0, 2, 2, 1, 1]" in said, said.decode()
    assert done.returncode == 1
    found = {**everything(tmp_path), "what was said": said}
    del found[str(settings)]
    assert len(found) > 20
    assert b"Traceback" in said
    leaked = {
        f"{name} in {path}"
        for path, content in found.items()
        for name, value in {**SECRETS, "address": IN_ADDRESS}.items()
        if value.encode() in content
    }
    assert leaked == set()
