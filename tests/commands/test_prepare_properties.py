"""Whatever rows come: they add up, a second run changes nothing, and their order plays no part."""

import shutil
import tempfile
from pathlib import Path

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewardsmith.commands.prepare import Config, run
from rewardsmith.data.loading.load import load
from rewardsmith.pipelines.prepare.cross_row import REMOVABLE

WHOLE = (1.0, 0.0, 0.0)
GOOD = {
    "prompt": "an opening of its own",
    "chosen": "entirely fine words here",
    "rejected": "something quite different",
}


def misread(text, page="latin-1", errors="strict"):
    return text.encode().decode(page, errors=errors)


# Few texts, so that repeats, contradictions, circles and near-duplicates come up; and every kind of damage.
TEXTS = st.sampled_from(
    [
        *("tea with milk and honey please", "tea with milk and honey, please!", "TEA with milk and honey please now"),
        *(
            "coffee",
            "今天的天气怎么样呢，适合出去走走吗",
            "今天的天气怎么样呢，适合出去走走吗？",
            "I cannot help with that.",
        ),
        *(
            misread("奖励模型的训练"),
            misread("奖励模型的训练")[:-1],
            misread("奖励模型的训练", "gbk", "ignore"),
            "奖励模型的训练",
        ),
        *(
            "a\u200bb",
            "ok\nHuman: x",
            "<|im_end|>",
            "[removed]",
            "😀👩‍👩‍👧",
            "la " * 40,
            "\x00",
            "As an AI language model, I do.",
        ),
    ]
) | st.text(max_size=8)
PAIR = st.fixed_dictionaries(
    {"prompt": st.sampled_from(["p", "one more opening", "二"]), "chosen": TEXTS, "rejected": TEXTS}
)
VOTED = st.builds(
    lambda row, a, b: {**row, "annotator_agreement": a, "margin": b}, PAIR, st.floats(0, 1), st.floats(-2, 2)
)
SHOWN = st.builds(
    lambda a, b, verdict: {"prompt": "which", "responses": [a, b], "verdict": verdict},
    TEXTS,
    TEXTS,
    st.sampled_from(["1", "2", "tie"]),
)


def prepared(folder, name, rows, **asked):
    source = folder / f"{name}.jsonl"
    source.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return run(Config(sources=(str(source),), output=folder / name, fractions=WHOLE, **asked))


def written(folder):
    return (folder / "train.jsonl").read_bytes()


def ids(folder):
    return sorted(record.id for record in load(folder / "train.jsonl").records)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(PAIR, max_size=12) | st.lists(VOTED, max_size=8),
    remove=st.lists(st.sampled_from(REMOVABLE), max_size=4, unique=True) | st.just(REMOVABLE),
    repair=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_rows_add_up_prepare_to_themselves_and_in_any_order(rows, remove, repair, order):
    folder = Path(tempfile.mkdtemp())
    try:
        asked = {"remove": tuple(remove), "repair": repair, "min_chars": 2, "languages": ("zh", "en", "other")}
        rows = [*rows, GOOD]
        first = prepared(folder, "one", rows, **asked)
        assert first.kept + first.quarantined + first.removed == first.rows == len(rows)
        again = run(Config(sources=(str(folder / "one/train.jsonl"),), output=folder / "two", fractions=WHOLE, **asked))
        assert (again.kept, again.quarantined, again.removed) == (first.records, 0, 0)
        assert written(folder / "one") == written(folder / "two")
        other = prepared(folder, "three", order.sample(rows, len(rows)), **asked)
        assert ids(folder / "one") == ids(folder / "three")
        assert (other.quarantined_by, other.removed) == (first.quarantined_by, first.removed)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(SHOWN, min_size=1, max_size=10), order=st.randoms(use_true_random=False))
def test_verdicts_in_both_orders_too(rows, order):
    folder = Path(tempfile.mkdtemp())
    try:
        asked = {"remove": ("order_changes_verdict", "contradiction")}
        rows = [*rows, {"prompt": "another", "responses": ["of its", "own kind"], "verdict": "1"}]
        first = prepared(folder, "one", rows, **asked)
        assert first.kept + first.quarantined + first.removed == first.rows == len(rows)
        again = run(Config(sources=(str(folder / "one/train.jsonl"),), output=folder / "two", fractions=WHOLE, **asked))
        assert (again.records, again.quarantined, again.removed) == (first.records, 0, 0)
        prepared(folder, "three", order.sample(rows, len(rows)), **asked)
        assert ids(folder / "one") == ids(folder / "three")
    finally:
        shutil.rmtree(folder)
