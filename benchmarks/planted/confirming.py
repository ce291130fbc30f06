"""Checks, fixed beforehand in `expected.yaml`, that confirm a warning on a sound project from data or fresh comparisons."""

import contextlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from planted import edits
from planted.governing import Margins, accuracy, fresh, loss_of, margins
from planted.project import NOISE
from rewardsmith.commands import train
from rewardsmith.data.formats.native import from_row
from rewardsmith.data.synthetic.generate import generate
from rewardsmith.files import write_json
from rewardsmith.files.reading import read_object
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.records import Record
from rewardsmith.settings.yaml_file import plain_values

LN_2 = float(np.log(2))
FOLDED = re.compile(r"[\W_]+")


class Sound:
    """A sound project as the checks read it."""

    def __init__(self, folder: Path, entry: dict[str, Any]) -> None:
        self.folder, self.entry = folder, entry
        self.real = str(entry["dose"]).startswith("real")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """evaluation.json of what was judged."""
        return read_object(self.folder / self.entry["argv"][0] / "evaluation.json")

    @cached_property
    def model(self) -> RewardModel:
        """The trained model."""
        return RewardModel.load(self.folder / "run")

    @cached_property
    def fresh_margins(self) -> Margins:
        """Margins on fresh comparisons like those that it was trained on (built-in data only)."""
        settings = {"english": {"language": "en"}, "chinese": {"language": "zh"}, "noisier": {"noise": 1.0}}
        return margins(self.model, fresh(self.entry["seed"], **settings.get(self.entry["dose"], {})))

    @property
    def accuracy(self) -> float:
        """On fresh comparisons, on real data the reported one."""
        return float(self.summary["accuracy"]) if self.real else accuracy(self.fresh_margins)

    @property
    def loss(self) -> float:
        """On fresh comparisons, on real data the reported one."""
        return float(self.summary["nll"]) if self.real else loss_of(self.fresh_margins)

    @property
    def interval(self) -> tuple[float, float]:
        """Of the reported accuracy."""
        low, high = self.summary["accuracy_ci"]
        return float(low), float(high)

    def records(self, name: str) -> list[Record]:
        """The records of a data file in the package's own format; none where it is a real set or absent."""
        path = self.folder / name
        if self.real or not path.is_file():
            return []
        return [from_row(json.loads(line)) for line in path.read_text("utf-8").splitlines()]

    def baseline(self, name: str) -> dict[str, Any]:
        """A baseline of the evaluation."""
        return dict((self.summary.get("baselines") or {}).get(name) or {})

    def baselines(self) -> Iterable[float]:
        """Accuracies of all baselines but the constant."""
        for name, one in (self.summary.get("baselines") or {}).items():
            if name != "constant" and one.get("accuracy") is not None:
                yield float(one["accuracy"])


def longer_training_helps(sound: Sound) -> bool:
    """The same run with twice the epochs has a test loss that is at least 0.02 lower."""
    written = sound.folder / "run" / "config.yaml"
    stored = plain_values(written.read_bytes(), written)
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(sound.folder):
        config = train.Config(
            model=str(stored["model"]),
            dataset=("data.jsonl",),
            test=tuple(stored["test"]),
            output=Path(scratch) / "run",
            epochs=2 * int(stored["epochs"]),
            batch=int(stored["batch"]),
            lr=float(stored["lr"]),
            seed=int(stored["seed"]),
            threads=1,
            **{
                name: stored[name]
                for name in ("max_length", "freeze_layers", "head_start")
                if stored.get(name) is not None
            },
        )
        longer = train.run(config).to_json()["eval"]["nll"]
    before = read_object(sound.folder / "run" / "evaluation.json")["nll"]
    return bool(before - longer >= 0.02)


def temperature_is_off(sound: Sound) -> bool:
    """On fresh comparisons the best temperature is outside [0.8, 1.25] and saves 0.005 nats."""
    margin = read_margins(sound) if sound.real else sound.fresh_margins
    best = minimize_scalar(lambda log_t: loss_of(margin / np.exp(log_t)), bounds=(-6, 6), method="bounded")
    return bool(not 0.8 <= np.exp(best.x) <= 1.25 and loss_of(margin) - best.fun >= 0.005)


def read_margins(sound: Sound) -> Margins:
    """The margins that the evaluation kept."""
    lines = (sound.folder / sound.entry["argv"][0] / "comparisons.jsonl").read_text("utf-8").splitlines()
    return np.array([json.loads(line)["margin"] for line in lines])


def learned_by_heart(sound: Sound) -> bool:
    """Accuracy on the training pairs is at least ten points above that on fresh (or test) ones."""
    if sound.real:
        figures = read_object(sound.folder / "run" / "train.json")
        return bool(figures["train_loss"] < sound.loss - 0.1)
    return accuracy(margins(sound.model, sound.records("data.jsonl"))) - sound.accuracy >= 0.1


def loss_rose(sound: Sound) -> bool:
    """The best validation loss lies before the last pass and is at least 0.02 lower."""
    rows = map(json.loads, (sound.folder / "run" / "metrics.jsonl").read_text().splitlines())
    losses = [row["eval_loss"] for row in rows if "eval_loss" in row]
    return bool(losses and losses[-1] - min(losses) >= 0.02)


def padding_wins(sound: Sound) -> bool:
    """With padding on the worse answer it wins in a share that is 0.2 above that without."""
    if sound.real:
        return simple_rule_works(sound)
    pairs = edits.as_pairs(fresh(sound.entry["seed"], noise=0.0), sound.entry["seed"])
    padded = [edits.marked_against(pair, lambda text: f"{text} {text}") for pair in pairs]
    return accuracy(margins(sound.model, pairs)) - accuracy(margins(sound.model, padded)) >= 0.2


def labels_are_noisy(sound: Sound) -> bool:
    """At least a tenth of the training labels is against the gold order; of real sets this is documented."""
    if sound.real:
        return "hh-rlhf" in sound.entry["dose"]  # its annotators agree in about 63 % (Bai et al. 2022)
    noise = 1.0 if sound.entry["dose"] == "noisier" else NOISE
    made = generate(300, responses_per_prompt=4, seed=sound.entry["seed"], noise=noise)
    wrong = [row[c.i] < row[c.j] for row, one in zip(made.gold, made.records, strict=True) for c in one.comparisons]
    return float(np.mean(wrong)) >= 0.1


def much_left_out(sound: Sound) -> bool:
    """A count shows at least 5 % refused or cut."""
    accounts = [sound.summary.get("left_out"), read_object(sound.folder / "run" / "train.json").get("left_out")]
    return any(
        part["of"] and part["count"] / part["of"] >= 0.05
        for account in accounts
        if account
        for part in account.values()
    )


def folded(record: Record) -> str:
    """The prompt without case, punctuation and spaces."""
    return FOLDED.sub("", " ".join(turn.content for turn in record.prompt).casefold())


def overlap(sound: Sound) -> float:
    """The share of test prompts that equal a training prompt after folding."""
    known = {folded(one) for one in sound.records("data.jsonl")}
    tested = [folded(one) for name in ("test.jsonl", "more.jsonl") for one in sound.records(name)]
    return sum(prompt in known for prompt in tested) / len(tested) if tested else 0.0


def rows_repeat(sound: Sound) -> bool:
    """At least 5 % of the training rows occur twice."""
    counts = Counter((sound.folder / "data.jsonl").read_text("utf-8").splitlines())
    return sum(n - 1 for n in counts.values()) / sum(counts.values()) >= 0.05


def simple_rule_works(sound: Sound) -> bool:
    """Length or TF-IDF alone has a held-out accuracy whose interval excludes 0.5 by five points (real data only)."""
    if not sound.real:
        return False
    bounds = [sound.baseline(name).get("accuracy_ci") or (0.0, 1.0) for name in ("length", "tfidf")]
    return any(low >= 0.55 or high <= 0.45 for low, high in bounds)


CHECKS: dict[str, Callable[[Sound], bool]] = {
    "few_prompts": lambda sound: (sound.summary.get("clusters") or 0) < 30,
    "few_pairs": lambda sound: sound.interval[1] - sound.interval[0] > 0.1,
    "learning_unclear": lambda sound: sound.interval[0] <= 0.5 <= sound.interval[1],
    "nothing_learned": lambda sound: sound.interval[0] <= 0.5 <= sound.interval[1],
    "no_better_than_baseline": lambda sound: max(sound.baselines(), default=0.0) >= sound.summary["accuracy"],
    "baselines_open": lambda sound: max(sound.baselines(), default=0.0) >= sound.interval[0],
    "weak_signal": lambda sound: sound.accuracy < 0.65,
    "worse_than_constant": lambda sound: sound.loss > LN_2,
    "miscalibrated": temperature_is_off,
    "calibration_unknown": lambda sound: sound.summary["n"] < 200,
    "underfit": longer_training_helps,
    "too_few_steps": longer_training_helps,
    "memorised": learned_by_heart,
    "overfit": loss_rose,
    "length_bias": padding_wins,
    "label_noise": labels_are_noisy,
    "left_out": much_left_out,
    "rows_quarantined": lambda sound: (sound.folder / "run" / "data" / "quarantine.jsonl").stat().st_size > 0,
    "test_in_training": lambda sound: overlap(sound) > 0,
    "near_test_in_training": lambda sound: overlap(sound) >= 0.05,
    "duplicates": rows_repeat,
    "label_ties": lambda sound: sound.summary["label_ties"] >= 0.2 * (sound.summary["n"] + sound.summary["label_ties"]),
    "data_findings": lambda sound: sound.real,
    "shortcut_in_data": simple_rule_works,
    "simple_shortcut": simple_rule_works,
    "length_shortcut": simple_rule_works,
}


def unconfirmed(root: Path, entry: dict[str, Any], ids: Iterable[str]) -> list[str]:
    """Those findings that no check confirms: the false alarms. What a check answered is kept, as some train again."""
    kept = root / "confirmed" / f"{entry['name']}.json"
    known: dict[str, bool] = json.loads(kept.read_text()) if kept.is_file() else {}
    sound = Sound(root / entry["half"] / entry["name"], entry)
    for one in ids:
        if one not in known:
            known[one] = one in CHECKS and bool(CHECKS[one](sound))
    kept.parent.mkdir(exist_ok=True)
    write_json(kept, known)
    return [one for one in ids if not known[one]]
