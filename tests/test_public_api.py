"""The public names: exactly the table, each one there, and none loaded before it is used."""

import dataclasses
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rewardsmith
from rewardsmith import UsageError, calls

ROOT = Path(__file__).parents[1]
COMMANDS = {
    **{"prepare": "prepare", "train": "train", "evaluate": "evaluate", "diagnose": "diagnose"},
    **{"compare": "compare", "verify": "verify", "score": "score", "audit": "audit"},
    **{"tune": "tune", "learning_curve": "learning_curve", "calibrate": "calibrate"},
    **{"ensemble": "ensemble", "merge": "merge", "export": "export"},
}
LIBRARIES = "torch,transformers,safetensors,tokenizers,huggingface_hub,sklearn,scipy,pyarrow,matplotlib,jinja2,rich"
"""What mypy need not read to judge a script; with them it would take a minute."""

GOOD = """
from pathlib import Path

import rewardsmith as rs
import rewardsmith.evaluate
from rewardsmith.train.losses import LOSSES

loaded = rs.load("pairs.jsonl", map={"prompt": "instruction"}, strict=True)
prompts = [record.prompt for record in loaded.records]
cleaned = rs.prepare([Path("a.jsonl"), "b.jsonl"], Path("data"), languages="zh", fractions=[0.8, 0.1, 0.1], lang="zh")
kept: int = cleaned.kept
trained = rs.train("tiny", "synthetic:60", "runs/a", lr=1, epochs=2, lora={"r": 8, "target": ["q_proj"]}, pooling=["last"])
loss: object = trained.summary["train_loss"]
evaluated = rs.evaluate(Path("runs/a"), "data", split="test", output=Path("out"))
rows: int = evaluated.quarantined
in_memory = [{"prompt": "Name a fruit.", "chosen": "Plum.", "rejected": "Oak."}]
trained = rs.train("tiny", in_memory, "runs/b", validation=loaded, test=[Path("a.jsonl")], progress=rs.SILENT)
scored: list[dict[str, object]] = rs.score(rs.load_reward_model("runs/a"), loaded, best_of=True)
written: int = rs.score("runs/a", Path("a.jsonl"), "scored.jsonl").not_scored
accuracy: object = rs.evaluate(rs.load_reward_model("runs/a"), in_memory).summary["accuracy"]
ready: bool | None = rs.diagnose("runs/a", overwrite=True).ready
difference: float = rs.compare("runs/a", "runs/b", seed=3).accuracy_difference
searched: object = rs.tune("tiny", "data", "search", search=["lr=1e-4..1e-2:log"], jobs=2, epochs=2).summary["best"]
rate: object = rs.find_learning_rate("tiny", "data", "rates", batch=8).summary["suggestion"]
curve: object = rs.learning_curve("runs/a", seeds=2, output=Path("curve")).curve["points"]
reports: object = rs.calibrate("runs/a", in_memory, method=["length", "temperature"], update=True).calibration
joined: str = rs.ensemble(["runs/a", Path("runs/b")], "runs/ab", combine="min", validation=loaded).output
averaged: float = rs.merge(["runs/a", "runs/b"], Path("merged"), data=in_memory).distance
critic: float = rs.export("runs/a", "critic", base=Path("base")).largest_difference
holds: bool = rs.verify("runs/a", part="files").holds
model = rs.load_reward_model("runs/a", device="cpu")
rewards = model.score(["An answer.", "Another one."])
best: tuple[int, float] = model.rank("Name a fruit.", ["Plum.", "Oak."])[0]
try:
    reward: float = rs.compute_reward(model, object(), "Name a fruit.", [1, 2, 3])
except rs.DataError as error:
    words: str = rs.say(error, lang="zh")
message: rs.Message = rs.Message("user", "Hello.")
"""

BAD = """
from pathlib import Path

import rewardsmith as rs

rs.trian("tiny", "synthetic:60", "runs/a")  # attr-defined
rs.train(modle="tiny", dataset="synthetic:60", output="runs/a")  # call-arg
rs.train("tiny", "synthetic:60", "runs/a", epochs="x")  # arg-type
rs.train("tiny", 60, "runs/a")  # arg-type
rs.train("tiny", "synthetic:60", "runs/a", overwrite="yes")  # arg-type
rs.score("runs/a", "a.jsonl").rows  # attr-defined
rs.prepare("a.jsonl", "data", progress=False)  # arg-type
rs.train("tiny", "synthetic:60", "runs/a", quantize="5bit")  # arg-type
rs.train("tiny", "synthetic:60", "runs/a", lora={"rank": 8})  # arg-type
rs.train("tiny", "synthetic:60")  # call-arg
rs.prepare("a.jsonl", "data", reapir=True)  # call-arg
rs.prepare("a.jsonl", "data", languages=Path("zh"))  # arg-type
rs.prepare("a.jsonl", "data").keept  # attr-defined
rs.evaluate("runs/a", "data", lang="fr")  # arg-type
rs.diagnose("runs/a").redy  # attr-defined
rs.compare("runs/a", "runs/b").accuracy  # attr-defined
rs.verify("runs/a", part="weights")  # arg-type
rs.calibrate("runs/a", method=["platt"])  # list-item
rs.ensemble("runs/a", "runs/ab", combine=3)  # arg-type
rs.merge(["runs/a", "runs/b"])  # call-arg
rs.export("runs/a", "critic", to="gguf")  # arg-type
rs.learning_curve("runs/a", seed="x")  # arg-type
rs.load("a.jsonl", strct=True)  # call-arg
rs.load("a.jsonl").record  # attr-defined
model = rs.load_reward_model("runs/a")
model.scoree([])  # attr-defined
model.score(3)  # arg-type
rs.compute_reward(model, object(), "Name a fruit.", "Plum.")  # arg-type
rs.RewardModel.lod("runs/a")  # attr-defined
rs.Message("user").contents  # call-arg attr-defined
rs.TrainResult  # attr-defined
"""


def test_all_is_the_table():
    assert sorted(rewardsmith.__all__) == sorted(["__version__", *rewardsmith.PUBLIC])
    assert dir(rewardsmith) == sorted(rewardsmith.__all__)


@pytest.mark.parametrize(("name", "target"), sorted(rewardsmith.PUBLIC.items()))
def test_every_public_name_is_there_and_documented(name, target):
    module, _, attribute = target.partition(":")
    value = getattr(rewardsmith, name)
    assert value is getattr(importlib.import_module(module), attribute)
    assert inspect.getdoc(value)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = rewardsmith.trian


def test_errors_and_records_come_without_torch():
    check = "import sys, rewardsmith as rs; rs.DataError, rs.Record; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_user_error_can_be_caught_as_a_value_error():
    assert issubclass(rewardsmith.DataError, ValueError)
    assert issubclass(rewardsmith.MissingExtraError, ImportError)


@pytest.mark.parametrize("name", ["train", "evaluate", "diagnose"])
@pytest.mark.parametrize("first", ["function", "folder"])
def test_a_function_is_not_hidden_by_the_folder_of_its_name(name, first):
    lines = ["import rewardsmith as rs", f"import rewardsmith.{name}", f"assert callable(rs.{name}), rs.{name}"]
    if first == "function":
        lines.insert(1, f"assert callable(rs.{name})")
    lines.append(f"from rewardsmith.{name} import __doc__ as words; assert words")
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def mypy(folder, **scripts):
    """What `mypy --strict` says about scripts of a user, as (script, line, error code)."""
    (folder / "mypy.ini").write_text(
        f"[mypy]\n[mypy-{LIBRARIES.replace(',', '.*,')}.*]\nfollow_imports = skip\n"
        "[mypy-rewardsmith.*]\nfollow_imports = silent\n"  # as for an installed package
    )
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)
    options = ["--strict", "--config-file", "mypy.ini", "--cache-dir", "cache"]
    command = [sys.executable, "-m", "mypy", *options, *(f"{name}.py" for name in scripts)]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    found = re.findall(r"^(\w+)\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, flags=re.MULTILINE)
    assert len(found) == done.stdout.count("error:"), done.stdout + done.stderr
    return {(script, int(line), code) for script, line, code in found}


def test_mypy_takes_a_good_script_and_finds_every_fault_of_a_bad_one(tmp_path):
    marked = {number: line.partition("# ")[2].split() for number, line in enumerate(BAD.splitlines(), start=1)}
    faults = {("bad", number, code) for number, codes in marked.items() for code in codes}
    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "training.md").read_text("utf-8"), flags=re.DOTALL)
    assert mypy(tmp_path, good=GOOD, bad=BAD, shown=shown) == faults


def test_the_stub_is_what_the_configs_say():
    script = [sys.executable, ROOT / "scripts" / "make-stubs", "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "command"), COMMANDS.items())
def test_a_function_has_every_option_of_its_command_with_the_same_default(name, command):
    parameters = dict(inspect.signature(getattr(rewardsmith, name)).parameters)
    for own in ("progress", "lang"):
        assert parameters.pop(own).kind is inspect.Parameter.KEYWORD_ONLY
    fields = list(dataclasses.fields(importlib.import_module(f"rewardsmith.commands.{command}").Config))
    fields = [field for field in fields if field.name != "dry_run"]  # which returns no Result
    assert parameters.keys() == {field.name for field in fields}
    missing = (dataclasses.MISSING, inspect.Parameter.empty)
    if name == "score":  # without one, Python gets the rows themselves
        assert parameters["output"].default is None
        fields = [field for field in fields if field.name != "output"]
    for field in fields:
        default = parameters[field.name].default
        assert default == field.default or (field.default, default) == missing, field.name
        assert re.search(rf"^    {field.name}[:.]", inspect.getdoc(getattr(rewardsmith, name)), flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "arguments", "wrong", "meant"),
    [
        ("train", ("tiny", "synthetic:60", "out"), {"epoch": 1}, "Did you mean 'epochs'?"),
        ("train", (), {"modle": "tiny", "dataset": "a", "output": "b"}, "Did you mean 'model'?"),
        ("train", ("tiny", "synthetic:60", "out"), {"bf16": True}, "Did you mean dtype='bf16'?"),
        ("train", ("tiny", "synthetic:60", "out"), {"use_peft": True}, "Did you mean lora={'r': 16}"),
        ("train", ("tiny", "synthetic:60", "out"), {"lora": {"alhpa": 8}}, "lora has no option 'alhpa'. Did you mean"),
        ("prepare", ("a.jsonl", "out"), {"reapir": True}, "Did you mean 'repair'?"),
        ("evaluate", ("a", "b"), {"dvice": "cpu"}, "Did you mean 'device'?"),
        ("diagnose", ("a",), {"overwrit": True}, "Did you mean 'overwrite'?"),
        ("compare", ("a", "b"), {"sed": 1}, "Did you mean 'seed'?"),
        ("verify", ("a",), {"parts": "files"}, "Did you mean 'part'?"),
        ("load", ("synthetic:3",), {"strct": True}, "Did you mean 'strict'?"),
        ("load_reward_model", ("a",), {"devise": "cpu"}, "Did you mean 'device'?"),
        ("compute_reward", (), {"promt": "a"}, "Did you mean 'prompt'?"),
        (
            *("compare", ("a", "b"), {"zzz": 1}),
            "compare has no option 'zzz'. Known: a, b, also, seeds, seed, calibrated, output, overwrite, progress, lang.",
        ),
    ],
)  # fmt: skip
def test_an_unknown_option_is_refused_with_the_one_that_was_meant(name, arguments, wrong, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what is not refused would write here
    with pytest.raises(UsageError, match=re.escape(meant)):
        getattr(rewardsmith, name)(*arguments, **wrong)


def test_an_unknown_option_is_refused_in_the_language_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape("train 没有选项 'epoch'。您是不是想用 'epochs'？")):
        rewardsmith.train("tiny", "synthetic:60", "out", epoch=1, lang="zh")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"epochs": "x"}, "epochs: got the text 'x', expected an integer"),
        ({"epochs": 1.5}, "epochs: got the number 1.5, expected an integer"),
        ({"epochs": "2"}, "epochs: got the text '2', expected an integer"),
        ({"lr": "1e-3"}, "lr: got the text '1e-3', expected a number"),
        ({"overwrite": 1}, "overwrite: got the number 1, expected true or false"),
        ({"progress": False}, "progress: got the switch false, expected a Progress"),
        ({"map": 5}, "map: got the number 5, expected a list"),
        ({"map": {"prompt": 5}}, "map: "),
        ({"validation": 5}, "validation: got the number 5, expected a path, a data frame"),
        ({"track": {"wandb": True}}, "track: got dict"),
        ({"epochs": True}, "epochs: got the switch true, expected an integer"),
        ({"epochs": None}, "epochs: got no value, expected an integer"),
        ({"report": "no"}, "report: got the text 'no', expected true or false"),
        ({"quantize": "5bit"}, "quantize: got '5bit', expected one of 4bit, 8bit"),
        ({"read_layers": ["a"]}, "read_layers: got the text 'a', expected an integer"),
        ({"test": {"a": 1}}, "test: got dict {'a': 1}, expected a path, a data frame"),
        ({"lora": 8}, "lora: got the number 8, expected a mapping of its settings"),
        ({"lora": {"r": "8"}}, "lora.r: got the text '8', expected an integer"),
        ({"epochs": 0}, "--epochs 0: expected at least 1"),
    ],
)
def test_a_value_of_another_type_is_refused_before_anything_is_done(wrong, said, tmp_path):
    with pytest.raises(UsageError, match=re.escape(said)):
        rewardsmith.train("tiny", "synthetic:60", tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_columns_may_be_named_by_a_mapping_as_in_load():
    assert calls.columns({"prompt": "ask", "chosen": "best.text"}) == ("prompt=ask", "chosen=best.text")
    assert calls.columns("prompt=ask") == calls.columns(["prompt=ask"]) == ("prompt=ask",)


def test_what_was_loaded_shows_its_counts_and_not_its_rows():
    assert repr(rewardsmith.load("synthetic:3")) == (
        "Loaded(rows=3, records=3, quarantined=0, documents=0, joined=0, not_taken=0)"
    )


def test_names_that_yaml_takes_are_keywords_too(tmp_path):
    with pytest.raises(rewardsmith.UsageError, match=r"--lr -1"):
        rewardsmith.train("tiny", "synthetic:60", tmp_path / "out", learning_rate=-1.0)
    with pytest.raises(rewardsmith.UsageError, match=r"--lora.r 0"):
        rewardsmith.train("tiny", "synthetic:60", tmp_path / "out", lora_rank=0)
    with pytest.raises(rewardsmith.UsageError, match=r"'lr' is given twice"):
        rewardsmith.train("tiny", "synthetic:60", tmp_path / "out", lr=1e-3, learning_rate=1e-4)
