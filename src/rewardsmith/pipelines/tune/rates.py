"""`tune --lr-only`: a learning rate from a range test on a few hundred records, on a copy of the model that nobody keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rewardsmith.errors import UsageError
from rewardsmith.files import check_output, claimed, prepare_output, refuse_inside, write_json
from rewardsmith.files.kinds import RATES
from rewardsmith.language import current
from rewardsmith.pipelines.train.config import Config as TrainConfig
from rewardsmith.progress import SILENT, Progress
from rewardsmith.version import VERSION

if TYPE_CHECKING:
    from rewardsmith.train.fitting.range_test import RangeSettings

STEPS = 100
"""Steps of the test, where --max-steps names none."""
FACTOR = 30.0
"""The test goes from the default rate of the kind of training divided by this to that rate times this."""
RULE = "steepest"
"""The rule whose rate is suggested; the others are told beside it."""
LINES, LONGEST = 16, 40
"""Of the curve in text: lines, and characters of the longest bar."""


@dataclass(frozen=True)
class RatesResult:
    """`summary` is what `rates.json` holds; its `suggestion` is None where no rate lowered the loss."""

    summary: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The summary."""
        return dict(self.summary)

    def to_text(self) -> str:
        """The curve, what each rule says, and the command that uses it."""
        s = self.summary
        lines = [*curve_lines(s["rates"], s["smoothed"]), ""]
        if s["suggestion"] is None:
            lines.append(
                f"no learning rate from {s['rates'][0]:.1e} to {s['rates'][-1]:.1e} lowered the loss in {len(s['rates'])} "
                "steps of the test; use more steps (--max-steps 300) or a larger --batch, or check the data with "
                "rewardsmith prepare"
            )
        else:
            found = s["suggestions"]
            lines += [
                f"steepest fall at {found['steepest']:.1e}, middle of the longest fall at {found['valley']:.1e}, a tenth of "
                f"the rate with the lowest loss {found['minimum']:.1e}; default {s['default']:.1e}",
                f"suggested: --lr {s['suggestion']:.1e}",
                "the test is short: check the suggestion with rewardsmith tune, or with two runs and rewardsmith compare",
            ]
        if s.get("from_scratch"):
            lines.append(
                "the model starts from random weights, which learn little in so few steps: the test tends to suggest too "
                f"low a rate for it; try the default {s['default']:.1e} too"
            )
        return "\n".join([*lines, f"→ {s['report']}"])


def curve_lines(rates: list[float], smoothed: list[float]) -> list[str]:
    """The smoothed loss over the rates as bars, at most LINES of them."""
    chosen = sorted({round(k * (len(rates) - 1) / (LINES - 1)) for k in range(LINES)})
    low, high = min(smoothed), max(smoothed[k] for k in chosen)
    room = (high - low) or 1.0
    return [
        f"{rates[k]:.1e}  {smoothed[k]:8.4f}  {'█' * max(1, round(LONGEST * (smoothed[k] - low) / room))}"
        for k in chosen
    ]


def find_rate(config: TrainConfig, progress: Progress = SILENT) -> RatesResult:
    """Run the test and write `rates.json` and `report.html` into the output; the model on disk is only read."""
    from rewardsmith.report.tuning.writing import write_rates

    with claimed(config.output, RATES):
        refuse_inside(config.output, [config.model, *config.dataset])
        check_output(config.output, RATES, overwrite=config.overwrite)
        summary = {**tested(config, progress), "report": str(config.output / "report.html"), "rewardsmith": VERSION}
        prepare_output(config.output, RATES, overwrite=config.overwrite)
        write_json(config.output / "rates.json", summary)
        write_rates(summary, config.output, lang=current())
    return RatesResult(summary)


def tested(config: TrainConfig, progress: Progress) -> dict[str, Any]:
    """The curve and what the rules make of it."""
    from rewardsmith.pipelines.train.head import attribute_plan
    from rewardsmith.pipelines.train.pipeline import augmented_data, encode_splits
    from rewardsmith.pipelines.train.setup import load_data, microbatch_tokens, open_model
    from rewardsmith.train.fitting.range_test import run_range_test
    from rewardsmith.train.losses import choose
    from rewardsmith.train.schedule import LEARNING_RATES

    splits = load_data(config, progress)
    asked = attribute_plan(config.head, config.attribute, splits, progress)
    start = open_model(config, plan=asked)
    made = augmented_data(config, splits, progress)
    if start.exact:
        raise UsageError(
            "--lr-only: --freeze-layers -1 --head-start probe fits the head directly, without a learning rate"
        )
    train, _ = encode_splits(config, splits, made, start.model, asked, progress)
    default = LEARNING_RATES[start.kind]
    plan = range_settings(config, default, microbatch_tokens(config, start, train.examples, progress))
    with progress.task("range test", plan.steps, "steps") as task:
        loss = choose(config.loss.name, config.loss.options, members=config.stepped_heads)
        found = run_range_test(start.model.network, train.examples, loss, plan, task)
    suggestions = found.suggestions()
    return {
        "rates": list(found.rates),
        "losses": list(found.losses),
        "curve": found.curve.tolist(),
        "smoothed": found.smoothed.tolist(),
        "suggestions": suggestions,
        "suggestion": float(f"{suggestions[RULE]:.1e}") if found.learned else None,
        "default": default,
        "from_scratch": start.kind == "tiny",
        "records": min(len(train.examples), config.batch * len(found.rates)),
        "model": config.model,
        "dataset": [str(one) for one in config.dataset],
    }


def range_settings(config: TrainConfig, default: float, tokens: int) -> "RangeSettings":
    """The test from a thirtieth of the default rate to thirty times that, with the settings of training."""
    from rewardsmith.train.fitting.range_test import RangeSettings

    return RangeSettings(
        low=default / FACTOR,
        high=default * FACTOR,
        steps=config.max_steps or STEPS,
        batch=config.batch,
        weight_decay=config.weight_decay,
        clip=config.clip,
        dropout=config.dropout,
        seed=config.seed,
        tokens_per_microbatch=tokens,
    )
