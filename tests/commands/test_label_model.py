"""The model that helps to find wrong labels in `prepare`: which one, why, and that no label is judged by itself."""

import json

import numpy as np
import orjson
import pytest

from builders import tiny
from rewardsmith import cli
from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from rewardsmith.errors import ModelError, UsageError
from rewardsmith.pipelines.prepare import label_model
from rewardsmith.pipelines.prepare.label_model import head_margins, model_margins
from rewardsmith.pipelines.prepare.label_noise import TRAIN, DecidedLabel, judge_labels, labels_of, units_of

GOOD, BAD = ("yes", "good", "fine"), ("no!!", "bad...", "poor?")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """Nothing installed, and caches of the test's own."""
    monkeypatch.setenv("REWARDSMITH_HOME", str(tmp_path / "home"))


@pytest.fixture
def pairs(tmp_path):
    """Pairs whose preferred response ends in one of three words, one label in ten turned round."""
    rng, rows = np.random.default_rng(0), []
    for n in range(120):
        texts = [f"answer {n}: {GOOD[rng.integers(3)]}", f"answer {n}: {BAD[rng.integers(3)]}"]
        chosen, rejected = texts[::-1] if n % 10 == 0 else texts
        rows.append({"prompt": f"question {n}", "chosen": chosen, "rejected": rejected})
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def prepared(pairs, tmp_path, **more):
    return run(Config(sources=(str(pairs),), output=tmp_path / "out", label_noise="report", **more)).label_noise


def test_a_named_model_judges_and_is_reported_beside_tfidf(pairs, tmp_path):
    found = prepared(pairs, tmp_path, label_model="tiny")
    detectors = {one["name"]: one for one in found["detectors"]}
    assert set(detectors) == {"tfidf", "frozen tiny"}
    assert detectors["frozen tiny"]["known"] == 1
    assert detectors["frozen tiny"]["agreement"] > 0.7  # even random features tell three short words from three others
    assert found["agreement"] >= max(one["agreement"] for one in detectors.values()) - 0.02
    assert any("linear head on frozen features of tiny" in each for each in found["sentences"])


def test_nothing_is_fetched_and_the_reason_is_told(pairs, tmp_path, monkeypatch):
    from rewardsmith.model.loading import embedded

    monkeypatch.setattr(embedded, "download", lambda *_: pytest.fail("fetched unasked"))
    found = prepared(pairs, tmp_path)
    assert [one["name"] for one in found["detectors"]] == ["tfidf"]
    assert any("none of minilm-l6, smollm2-135m is installed" in each for each in found["sentences"])


def test_an_installed_model_is_taken_where_it_is_quick_enough(pairs, monkeypatch):
    labels = {TRAIN: list(labels_of(load(pairs).records, TRAIN))}
    unit = units_of(labels[TRAIN])
    monkeypatch.setattr(label_model, "CANDIDATES", ("tiny",))
    monkeypatch.setattr(label_model, "is_installed", lambda _: True)
    assert model_margins("auto", labels, unit).name == "frozen tiny"
    monkeypatch.setattr(label_model, "OPERATIONS", 1e6)
    refused = model_margins("auto", labels, unit)
    assert (refused.name, refused.margins) == (None, {})
    assert "240 texts with tiny takes more than a minute; pass --label-model tiny" in refused.why
    assert model_margins("tiny", labels, unit).name == "frozen tiny"


def test_texts_are_cut_to_what_a_minute_allows(pairs):
    model = label_model.open_frozen("tiny")
    whole = label_model.encode(model, load(pairs).records, 320)
    tokens = sum(len(text.ids) for one in whole for text in one.texts())
    assert label_model.affordable(whole, 1e18, per_token=1.0) == label_model.LONGEST
    length = label_model.affordable(whole, 0.75 * tokens, per_token=1.0)
    cut = label_model.encode(model, load(pairs).records, length)
    assert 0.4 * tokens < sum(len(text.ids) for one in cut for text in one.texts()) <= 0.75 * tokens


def test_no_label_is_judged_by_itself(pairs):
    """A label turned round turns the sign of its margin, as by a head that has never seen it; nothing else."""
    records = load(pairs).records
    labels = list(labels_of(records, TRAIN))
    rng = np.random.default_rng(0)
    rows = {(TRAIN, n): rng.normal(size=(2, 8)).astype(np.float32) for n in range(len(records))}
    unit = units_of(labels)
    before = head_margins({TRAIN: labels}, rows, unit)[TRAIN]
    turned = list(labels)
    record = records[0].__class__(**{**vars_of(records[0]), "comparisons": (flipped(records[0]),)})
    turned[0] = DecidedLabel(record, 0, 0, TRAIN)
    after = head_margins({TRAIN: turned}, rows, unit)[TRAIN]
    assert after[0] == pytest.approx(-before[0], abs=0.05 * np.abs(before).max())


def vars_of(record):
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def flipped(record):
    from rewardsmith.quality.labels.changes import turned

    return turned(record.comparisons[0])


def test_the_same_two_responses_again_are_one_unit(tmp_path):
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": "b", "rejected": "a"}]
    rows.append({"prompt": "q", "chosen": "a", "rejected": "c"})
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    unit = units_of(list(labels_of(load(path).records, TRAIN)))
    assert unit[0] == unit[1] != unit[2]


def test_a_model_with_a_trained_head_is_for_margins(pairs, tmp_path):
    tiny().save(tmp_path / "trained")
    with pytest.raises(UsageError, match="it and pass the file as --margins"):
        prepared(pairs, tmp_path, label_model=str(tmp_path / "trained"))


@pytest.mark.parametrize("name", ["minilm-l6", "nothing", "./no/such/folder"])
def test_a_model_that_is_not_there_is_refused_before_any_row_is_read(tmp_path, name):
    with pytest.raises(ModelError, match=r"not installed|no such folder"):
        run(Config(sources=("absent.jsonl",), output=tmp_path / "out", label_noise="report", label_model=name))


def test_a_model_without_a_judgement_to_make_is_refused(pairs, tmp_path):
    with pytest.raises(UsageError, match="label_model needs label_noise"):
        run(Config(sources=(str(pairs),), output=tmp_path / "out", label_model="tiny"))


def test_where_no_wrong_labels_are_shown_no_share_is_printed(pairs, tmp_path, capsys):
    words = ["prepare", str(pairs), "-o", str(tmp_path / "out"), "--label-noise", "report", "--label-model", "off"]
    assert cli.main(words) == 0
    told = capsys.readouterr().out
    stored = json.loads((tmp_path / "out/quality.json").read_text())["label_noise"]
    assert (stored["shown"], stored["rate"], stored["expected_auc"]) == (False, None, None)
    page = (tmp_path / "out/quality.html").read_text()
    assert "share of wrong labels" not in page.replace("no evidence", "")
    assert "ROC-AUC" not in page
    assert "not as evidence that they are wrong" in page
    assert "not as evidence that they are wrong" in told
    lines = [orjson.loads(line) for line in (tmp_path / "out/label_noise.jsonl").read_bytes().splitlines()]
    assert all("no evidence of wrong labels; if" in line["reason"] for line in lines)
    assert 0 < stored["assumed_rate"] < 0.4


def test_probabilities_are_not_zero_where_a_third_of_labels_is_wrong(tmp_path):
    """Weak detectors, 30 % turned: each P(wrong) is about what a label's own margin leaves of the usual share."""
    rng, rows = np.random.default_rng(1), []
    vocabulary = [f"word{n}" for n in range(40)]
    for n in range(300):
        good = " ".join(rng.choice(vocabulary, 12))
        bad = " ".join(rng.choice(vocabulary, 12))
        rows.append({"prompt": f"q{n}", "chosen": good, "rejected": bad})
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    noise = judge_labels({TRAIN: load(path).records}, {}).noise
    assert not noise.model.shown
    assert 0.1 < noise.wrong.mean() < 0.45
    assert noise.wrong.min() > 0
    assert np.corrcoef(noise.wrong, -noise.combined)[0, 1] > 0.9
