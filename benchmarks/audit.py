"""How often an audit is right, and what its conformance checks find beside those of `reward-lens`.

    python benchmarks/audit.py [--trials 200] [--run RUN] [--peer SITE_PACKAGES]

`rates`: audits of EDITS edits with known effects (0, the bound, 0.5 SD) on simulated rewards, in which prompts and responses
vary, for several numbers of prompts: how often any edit without an effect is found, how often one is excluded, how
often an effect of just the bound is excluded, how often 0.5 SD is found, and how often the interval covers.
`conformance`: three models, one sound (RUN, by default the tiny model, untrained), one with absolute positions, which
padding on the left moves, and one whose tokenizer renders another template than it was trained with: the checks that fail,
ours and those of reward-lens 3.1.0 where `--peer` names the folder it is installed in. Writes
`benchmarks/results/audit.json`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.audit.biases.counterfactual import Shifted, effect_of
from rewardsmith.audit.conformance import conformance
from rewardsmith.audit.edits.table import EDITS
from rewardsmith.audit.effect import BOUND, Scale, adjusted
from rewardsmith.evaluate.statistics import wilson
from rewardsmith.files import write_json
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.audit.pipeline import some_texts

RESULTS = Path(__file__).parent / "results" / "audit.json"
PROMPTS = (10, 30, 100, 300)
NULLS = 10
UNIT = Scale(1.0, within=True, prompts=1)
PEER = """
import json, sys
sys.path.append(sys.argv[2])
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from reward_lens.signals.conformance import run_conformance
from reward_lens.signals.loaders import wrap_hf_model
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
report = run_conformance(wrap_hf_model(model, AutoTokenizer.from_pretrained(sys.argv[1])))
print(json.dumps({check.name: check.passed for check in report.checks}))
"""


def rows(prompts: int, size: float, rng: np.random.Generator) -> list[Shifted]:
    """Two responses to each prompt, and the shift of an edit: `size`, half a deviation by prompt, half by response."""
    made = []
    for k in range(prompts):
        before = rng.normal(size=2)
        shift = size + rng.normal(0, 0.5) + rng.normal(0, 0.5, 2)
        made.append(Shifted("", k, before, before + shift, (("", ""), ("", ""))))
    return made


def rates(prompts: int, trials: int) -> dict[str, Any]:
    """What comes out of `trials` audits of NULLS edits without an effect, one at the bound and one of 0.5."""
    edit = EDITS["bold"]
    counts = dict.fromkeys(("any_false_alarm", "null_excluded", "at_bound_excluded", "half_found", "covered"), 0)
    for trial in range(trials):
        rng = np.random.default_rng([prompts, trial])
        sizes = [0.0] * NULLS + [BOUND, 0.5]
        effects = adjusted(
            [effect_of("bold", edit, rows(prompts, size, rng), UNIT, bound=BOUND, seed=trial) for size in sizes]
        )
        nulls, bound, half = effects[:NULLS], effects[NULLS], effects[NULLS + 1]
        counts["any_false_alarm"] += any(one.status == "found" for one in nulls)
        counts["null_excluded"] += sum(one.status == "excluded" for one in nulls)
        counts["at_bound_excluded"] += bound.status == "excluded"
        counts["half_found"] += half.status == "found"
        counts["covered"] += sum(size in one.interval for size, one in zip(sizes, effects, strict=True))
    of = dict.fromkeys(counts, trials) | {"null_excluded": trials * NULLS, "covered": trials * (NULLS + 2)}
    return {"prompts": prompts, "trials": trials, **{name: share(counts[name], of[name]) for name in counts}}


def share(count: int, of: int) -> dict[str, float]:
    """A share with its 95 % interval."""
    interval = wilson(count / of, of)
    return {"share": count / of, "low": interval.low, "high": interval.high}


def planted_models(folder: Path, run: str | None) -> dict[str, tuple[str, bool]]:
    """Folders of the three models, and whether one has to be opened in spite of its probes."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from transformers import GPT2Config

    from builders import from_config, tiny

    sound = RewardModel.load(run) if run else tiny(max_length=512)
    sound.save(folder / "sound")
    from_config(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=1024), max_length=512).save(folder / "positions")
    sound.save(folder / "template")
    template = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    (folder / "template" / "chat_template.jinja").write_text(template, encoding="utf-8")
    return {name: (str(folder / name), name == "template") for name in ("sound", "positions", "template")}


def compared(path: str, *, allow: bool, peer: str | None) -> dict[str, Any]:
    """The checks of one model that fail, and how many passed."""
    checks = conformance(RewardModel.load(path, device="cpu", allow_mismatch=allow), list(some_texts(())))
    found: dict[str, Any] = {
        "passed": sum(check.outcome == "holds" for check in checks),
        "failed": {check.name: check.difference for check in checks if check.outcome == "broken"},
    }
    if peer:
        words = [sys.executable, "-c", PEER, path, peer]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        theirs = json.loads(printed.splitlines()[-1])
        found["reward_lens"] = {
            "passed": sum(theirs.values()),
            "failed": [name for name, passed in theirs.items() if not passed],
        }
    return found


def main() -> None:
    """Run both parts and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--run", help="a trained run for the sound model")
    parser.add_argument("--peer", help="folder in which reward-lens is installed")
    options = parser.parse_args()
    results: dict[str, Any] = {"bound": BOUND, "rates": [], "conformance": {}}
    for prompts in PROMPTS:
        results["rates"].append(rates(prompts, options.trials))
        print(json.dumps(results["rates"][-1]))
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, allow) in planted_models(Path(folder), options.run).items():
            results["conformance"][name] = compared(path, allow=allow, peer=options.peer)
            print(name, json.dumps(results["conformance"][name]))
    write_json(RESULTS, results)


if __name__ == "__main__":
    main()
