"""Preference data and a model in, a reward model with an honest evaluation out: the steps of a run, in order."""

import contextlib
import gc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import Splits, input_files
from rewardsmith.errors import OutputError, TrainingError, UsageError
from rewardsmith.files import check_output, claimed, refuse_inside, write_json
from rewardsmith.files.kinds import RUN
from rewardsmith.pipelines.critique.settings import CLOUD
from rewardsmith.pipelines.publish import card, push
from rewardsmith.pipelines.publish.hub_names import origin_of
from rewardsmith.pipelines.run_data import identity_of
from rewardsmith.pipelines.train.attribute_weights import settle_head
from rewardsmith.pipelines.train.augment import AugmentKind, augmented
from rewardsmith.pipelines.train.config import Config, check_engine
from rewardsmith.pipelines.train.fitting import fit, fit_settings, refuse_peer, used
from rewardsmith.pipelines.train.frozen_cache import cached_outputs, done_in_words, heads_in_words
from rewardsmith.pipelines.train.head import PROCESS, attribute_plan
from rewardsmith.pipelines.train.loss import ON_RATINGS, check_labels
from rewardsmith.pipelines.train.run_folder import (
    begin_run,
    fingerprint_of,
    save_augmented,
    save_settings,
    seal_run,
    stored_settings,
    summarize_run,
    telling_why,
)
from rewardsmith.pipelines.train.setup import (
    Start,
    load_data,
    open_model,
    sampled,
    start_date,
)
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.scoring.contract import contract_in_short
from rewardsmith.track.following import following
from rewardsmith.track.trackers import Job, require

if TYPE_CHECKING:
    from rewardsmith.critique.model import CritiqueModel
    from rewardsmith.model.heads.attributes import AttributePlan
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.model.runtime.processes import Team
    from rewardsmith.pipelines.evaluate.evaluation import Scored
    from rewardsmith.scoring.left_out import LeftOut
    from rewardsmith.train.examples import Encoding
    from rewardsmith.train.held_out import Watch
    from rewardsmith.train.loop import FitState


PEAKS = {"peak_process_bytes": "memory of the process", "peak_gpu_bytes": "GPU memory"}
"""What `train.json` calls a peak of memory, and what a person reads."""


@dataclass(frozen=True)
class Result:
    """What a training run came to: `summary` is what `train.json` holds, `verdict_text` what the diagnosis says.

    `verdict_text` is empty where nothing was evaluated: without test and validation records, or with `report=False`.
    """

    summary: Mapping[str, Any]
    verdict_text: str

    def to_json(self) -> dict[str, Any]:
        """Keys of the summary: output, steps, pairs, train_loss, eval, left_out, pairs_per_second, tokens_per_second, …"""
        return dict(self.summary)

    def to_text(self) -> str:
        """What a person reads at the end of training."""
        from rewardsmith.scoring.left_out import left_out_from

        s = self.summary
        peaks = [f"peak {words}: {s[key] / 2**30:.2f} GiB" for key, words in PEAKS.items() if key in s]
        lines = [
            done_in_words(s),
            "; ".join([f"trained {s['trainable_parameters']:,} of {s['parameters']:,} parameters", *peaks]),
            *heads_in_words(s),
            f"model: {s['model_folder']}",
        ]
        if self.verdict_text:  # which tells what was left out too
            return "\n".join([*lines, self.verdict_text])
        accounts = (left_out_from(s.get(f"left_out{part}")) for part in ("", "_validation"))
        return "\n".join([*lines, *left_out_in_words(*accounts)])

    def to_coloured_text(self) -> str:
        """The same, the severity of each finding in its colour."""
        from rewardsmith.report.text import coloured_severities

        return coloured_severities(self.to_text())


def train(config: Config, progress: Progress = SILENT, *, watch: "Watch | None" = None) -> Result:
    """Train, evaluate on the test split, diagnose; returns what `train.json` holds.

    `watch` hears of every validation pass, in the first process; what it raises ends the training.
    Started by torchrun or accelerate, all processes train and score together; the first alone writes and tells.
    """
    from rewardsmith.model.runtime.processes import joined

    with joined(config.device) as (team, device), contextlib.ExitStack() as stack:
        progress = progress if team.leads else SILENT
        if team.leads:
            stack.enter_context(claimed(config.output, RUN))
            check_run(config, processes=team.size)
            if config.push_to_hub is not None:
                push.warn_early(config.push_to_hub, progress)
        team.wait()
        result = run_together(as_before(config), team, device, progress, watch if team.leads else None)
    summary = dict(result.summary)
    if team.leads:
        share(config, summary, progress)
        summary["finished"] = True
        write_json(config.output / "train.json", summary)
        seal_run(config.output)
    return replace(result, summary=summary)


def run_together(config: Config, team: "Team", device: str, progress: Progress, watch: "Watch | None" = None) -> Result:
    """The run from data to report, each process with its part."""
    from rewardsmith.model.runtime.devices import begin_peak_memory
    from rewardsmith.train.optimizer import count_parameters

    splits = load_data(config, progress)
    plan = attribute_plan(config.head, config.attribute, splits, progress)
    start = open_model(config, device=device, date=team.from_lead(lambda: start_date(config)), plan=plan)
    model = start.model
    refuse_peer(config, start)
    for sentence in start.summary():
        progress.note(sentence)
    parameters = count_parameters(model.network)
    begin_peak_memory(model.network.device)
    made = augmented_data(config, splits, progress)
    train, validation = encode_splits(config, splits, made, model, plan, progress)
    train = sampled(config, train, progress)
    settings = fit_settings(config, start, train, team, progress)
    fingerprint = fingerprint_of(config, settings, model, train, splits)
    team.agree(fingerprint)
    if team.leads:
        begin_run(config, fingerprint, processes=team.size, progress=progress)
        save_settings(config, splits, train, validation)
        save_augmented(config, made)
    with following(tracking_jobs(config) if team.leads else [], progress):
        with (
            telling_why(config.output if team.leads else None, lr=settings.lr, parameters=parameters.all),
            cached_outputs(start, train, validation, settings, progress, team),
        ):
            fitted = fit(config, settings, start, splits, train, validation, fingerprint, team, progress, watch)
        model = trained_model(config, start, fitted.state, team, plan)
        settle_head(config, model, fitted, train.examples, validation.examples, team, progress)
        finished, held = finish_model(config, model, splits, team, progress)
        precision = fingerprint["dtype"]
        summary = summarize_run(
            config, settings, model, train, fitted, parameters, dtype=precision, processes=team.size
        )
        summary |= data_in_summary(train, validation, made) | {"scored_as": contract_in_short(model.contract)}
        if team.leads:
            write_json(config.output / "train.json", summary)
        result = Result(summary, "")
        if config.report:
            learned = used(splits.train, train)
            result = evaluate_and_report(config, finished, splits, held, learned, summary, team, progress)
    return team.from_lead(lambda: result)


def share(config: Config, summary: dict[str, Any], progress: Progress) -> None:
    """Make sure that the model has its card, and upload it where that was asked for."""
    if not (config.output / "model" / card.CARD).is_file():  # the diagnosis writes it, where there is one
        card.refresh(config.output, progress=progress)
    if config.push_to_hub is not None:
        summary["hub"] = push.push_run(config.output, config.push_to_hub, public=config.push_public, progress=progress)


def check_run(config: Config, *, processes: int) -> None:
    """Refuse what can be refused before any data is read; nothing is written yet, so a wrong word costs nothing."""
    from rewardsmith.model.heads import check_head
    from rewardsmith.train.losses import choose

    check_engine(config, processes)
    if processes > 1 and config.head.name == CLOUD:
        raise UsageError(f"--head {CLOUD} is trained in one process; start without torchrun")
    choose(config.loss.name, config.loss.options, members=config.stepped_heads)
    check_head(config.head.name, config.head.options)
    require(config.track)
    if config.resume:
        if not (config.output / "settings.json").is_file():
            raise OutputError(f"{config.output} contains no run to resume; start without --resume")
        return
    inner = str(Path(config.model) / "model")  # where a run folder has its model
    data = input_files([*config.dataset, *config.validation, *config.test])
    refuse_inside(config.output, [config.model, inner, *data])
    check_output(config.output, RUN, overwrite=config.overwrite, edited=card.edited)


def tracking_jobs(config: Config) -> list[Job]:
    """What each tracker of the run has to know."""
    project, name = config.track_project or "", config.run_name or ""
    return [Job(tracker, config.output, project, name, config.track_uri) for tracker in config.track]


def as_before(config: Config) -> Config:
    """On resume, what the first run found out by itself (threads, token budget, precision) is used again."""
    if not config.resume:
        return config
    stored = stored_settings(config.output)
    return replace(
        config,
        threads=config.threads or stored.get("threads"),
        tokens_per_microbatch=config.tokens_per_microbatch or stored.get("tokens_per_microbatch"),
        dtype=stored.get("dtype", "auto") if config.dtype == "auto" else config.dtype,
    )


def data_in_summary(
    train: "Encoding", validation: "Encoding", made: Mapping[AugmentKind, Sequence[Record]]
) -> dict[str, Any]:
    """What of the data was not used whole, and how much was added to it."""
    return {
        "left_out": train.left_out.to_json(),
        "left_out_validation": validation.left_out.to_json(),
        **({"augmented": {kind: len(records) for kind, records in made.items()}} if made else {}),
    }


def augmented_data(config: Config, splits: Splits, progress: Progress) -> dict[AugmentKind, list[Record]]:
    """The comparisons that --augment adds to training, by kind; how many is noted."""
    if not config.augment:
        return {}
    made = augmented(splits.train, config.augment, weight=config.augment_weight, seed=config.seed)
    counts = ", ".join(f"{kind} {len(records)}" for kind, records in made.items())
    progress.note(f"{sum(map(len, made.values()))} synthetic comparisons added to the training data: {counts}")
    return made


def encode_splits(
    config: Config,
    splits: Splits,
    made: Mapping[AugmentKind, Sequence[Record]],
    model: "RewardModel",
    plan: "AttributePlan | None",
    progress: Progress,
) -> "tuple[Encoding, Encoding]":
    """Training and validation records as examples; what of them is not used whole is noted."""
    from rewardsmith.train.examples import encode_examples, take_share
    from rewardsmith.train.losses import choose

    share, loss = model.network.packed, choose(config.loss.name, config.loss.options, members=config.stepped_heads)
    rated = config.loss.name in ON_RATINGS
    records = [splits.judged.get(name) or getattr(splits, name) for name in ("train", "validation")]
    added = [record for some in made.values() for record in some]
    encoder = model.encoder if loss.text is None else model.answering
    train = encode_examples([*records[0], *added], encoder, share=share, progress=progress, rated=rated, plan=plan)
    validation = encode_examples(records[1], encoder, share=share, rated=rated, plan=plan)
    for encoding, name in ((train, "train"), (validation, "validation")):
        encoding.left_out.read(*splits.read.get(name, (0, ())))
    if not train.examples:
        raise TrainingError(f"no training data: {train.left_out.in_one_line()}")
    train.examples = take_share(train.examples, config.frac, seed=config.seed)
    for line in left_out_in_words(train.left_out, validation.left_out):
        progress.note(line)
    check_labels(loss, config.loss.name, train.examples, progress)
    return train, validation


def left_out_in_words(train: "LeftOut", validation: "LeftOut") -> list[str]:
    """What of the data was not used whole; nothing where all was."""
    return [*train.lines("training data"), *validation.lines("validation data")]


def trained_model(
    config: Config, start: Start, state: "FitState", team: "Team", plan: "AttributePlan | None"
) -> "RewardModel":
    """The model with its trained weights, whole in every process: sharded, it is opened again and takes them from disk."""
    from rewardsmith.train.resume import final_weights, load_weights

    if team.size == 1 or config.engine == "ddp":
        return start.model
    device, date = start.model.network.device.type, start.date
    del start.model.network  # makes room
    gc.collect()
    model = open_model(config, device=device, date=date, plan=plan).model
    checkpoints = config.output / "checkpoints"
    load_weights(model.network, final_weights(checkpoints, best_step=state.best_step, last_step=state.step))
    return model


def finish_model(
    config: Config, model: "RewardModel", splits: Splits, team: "Team", progress: Progress
) -> "tuple[RewardModel | CritiqueModel, Scored]":
    """Merge an adapter, fit normaliser and temperature, write `model/`; returns the model, and validation with rewards."""
    from rewardsmith.pipelines.calibrate.reward_scale import with_scale
    from rewardsmith.pipelines.critique.evaluating import scored_by

    model.network.autocast = None
    model.network.eval()
    if model.adapter is not None:
        changed = model.merge_adapter()
        progress.note(
            "adapter merged in fp32: the rewards of the probes (conversations stored with the model to check it) "
            f"changed by at most {changed:.1e}"
        )
    finished = critiqued_model(config, model)
    held = scored_by(finished, splits.validation, progress, team=team)
    if held.records:
        model.sidecar = with_scale(model.sidecar, held)
    if team.leads:
        origin = {**origin_of(config.model, config.dataset), "run": identity_of(config.output)}
        finished.save(config.output / "model", overwrite=True, training=origin)
    return finished, held


def critiqued_model(config: Config, model: "RewardModel") -> "RewardModel | CritiqueModel":
    """The model as it is used: `--head cloud` writes critiques first."""
    if config.head.name != CLOUD:
        return model
    from rewardsmith.critique.model import CritiqueModel
    from rewardsmith.pipelines.critique.training import critique_settings

    return CritiqueModel(model, critique_settings(config.critique, config.seed))


def evaluate_and_report(
    config: Config,
    model: "RewardModel | CritiqueModel",
    splits: Splits,
    held: "Scored",
    learned: Sequence[Record],
    summary: dict[str, Any],
    team: "Team",
    progress: Progress,
) -> Result:
    """Evaluate on the test split (validation where there is none), write the verdict and the report.

    All processes score, the first alone judges.
    """
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.pipelines.critique.evaluating import evaluated_by, scored_by
    from rewardsmith.pipelines.diagnose.pipeline import diagnose
    from rewardsmith.pipelines.evaluate.steps import evaluate_steps, save_in_run
    from rewardsmith.scoring.left_out import LeftOut

    name = "test" if splits.test else "validation"
    records = getattr(splits, name)
    if not records:
        progress.note("no test or validation records, so the quality of the model cannot be measured")
        return Result(summary, "")
    if not team.leads:
        scored_by(model, records, team=team)
        return Result(summary, "")
    read = LeftOut()
    if name == "test":
        read.read(*splits.read.get(name, (0, ())))
    if config.head.name == PROCESS:
        assert isinstance(model, RewardModel)
        found = evaluate_steps(model, records, split=name, read=read, progress=progress, team=team)
        return Result(summary, save_in_run(found, config.output, summary))
    held_out = held if name == "test" else None
    about: dict[str, Any] = {"read": read, "validation": held_out, "train": learned, "split": name}
    judged = splits.judged.get(name, ())
    evaluation = evaluated_by(model, records, judged=judged, progress=progress, team=team, **about)
    evaluation.save(config.output)
    summary["eval"] = evaluation.headline()
    write_json(config.output / "train.json", summary)
    verdict = diagnose(config.output, overwrite=True, running=True)
    return Result(summary, verdict.to_text())
