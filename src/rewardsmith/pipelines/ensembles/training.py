"""`train --members N`: the runs of the members one after the other, then the ensemble, judged as one model.

Each member is a run of its own in `members/NN`, with its own seed, data order and checkpoints, so a killed ensemble goes on
where the member that was at work stood; those that were finished are not touched again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewardsmith.data.splits.sources import Splits, input_files
from rewardsmith.errors import OutputError, TrainingError, UsageError
from rewardsmith.files import check_output, claimed, hash_text, prepare_output, refuse_inside, write_json, write_text
from rewardsmith.files.kinds import ENSEMBLE_RUN
from rewardsmith.files.manifest import MANIFEST, seal
from rewardsmith.files.reading import read_object
from rewardsmith.launch.place import place
from rewardsmith.pipelines.ensembles.held_out import fitted_ensemble
from rewardsmith.pipelines.ensembles.joining import ensemble_of
from rewardsmith.pipelines.ensembles.lora_training import train_sets
from rewardsmith.pipelines.publish.hub_names import origin_of
from rewardsmith.pipelines.train.config import Config
from rewardsmith.pipelines.train.members import MembersSettings
from rewardsmith.pipelines.train.pipeline import Result, train
from rewardsmith.pipelines.train.setup import load_data
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings import to_yaml
from rewardsmith.version import VERSION

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel

MARKER = "members.json"
SEEDS = 2**31


@dataclass(frozen=True)
class MembersResult(Result):
    """What training an ensemble came to: `summary` is what `members.json` holds (output, kind, members, model_folder,
    evaluation, …); there is no verdict.
    """

    def to_text(self) -> str:
        """The members, and how the ensemble does."""
        from rewardsmith.report.figures import table

        s = self.summary
        lines = [f"trained an ensemble of {len(s['members'])} members ({s['kind']})", f"model: {s['model_folder']}"]
        return "\n".join([*lines, *(table(s["evaluation"]) if s["evaluation"] else [])])


def train_members(config: Config, progress: Progress = SILENT) -> MembersResult:
    """Train the members of an ensemble, join and evaluate them.

    UsageError under several processes: members are trained one after the other.
    """
    refuse_processes(config)
    with claimed(config.output, ENSEMBLE_RUN):
        check_begin(config)
        members = [settings_of_member(config, number) for number in range(1, config.members.count + 1)]
        splits = load_data(config, progress)
        begin(config)
        if config.member_kind == "lora":
            model = train_sets(config, members, splits, progress)
        else:
            model = joined_runs(members, progress)
        return finish(config, model, members, splits, progress)


def refuse_processes(config: Config) -> None:
    """UsageError where several processes were started."""
    if place() is not None:
        raise UsageError(
            f"--members {config.members.count}: members are trained one after the other in one process; start without "
            "torchrun, or use --members.kind heads"
        )


def settings_of_member(config: Config, number: int) -> Config:
    """The settings of the run of one member: its own seed, the data of all; resumed where it was begun."""
    output = config.output / "members" / f"{number:02d}"
    return replace(
        config,
        members=MembersSettings(),
        seed=seed_of_member(config.seed, number),
        split_seed=config.split_rule.seed,
        output=output,
        run_name=f"{config.run_name or config.output.name}-{number:02d}" if config.track else None,
        report=False,
        resume=config.resume and (output / "settings.json").is_file(),
        overwrite=False,
    )


def seed_of_member(seed: int, number: int) -> int:
    """The seed of a member, counted from 1; no other ensemble's seed gives the same ones."""
    return int(hash_text(f"{seed}:ensemble:{number}")[:15], 16) % SEEDS


def check_begin(config: Config) -> None:
    """Refuse an output that cannot be written, or one to resume that began with other settings; changes nothing."""
    from rewardsmith.train.losses import choose

    choose(config.loss.name, config.loss.options)
    if not config.resume:
        data = input_files([*config.dataset, *config.validation, *config.test])
        refuse_inside(config.output, [config.model, str(Path(config.model) / "model"), *data])
        check_output(config.output, ENSEMBLE_RUN, overwrite=config.overwrite)
        return
    stored = config.output / "config.yaml"
    if not (config.output / MARKER).is_file():
        raise OutputError(f"{config.output} contains no ensemble to resume; start without --resume")
    if not stored.is_file() or stored.read_text("utf-8") != settings_in_yaml(config):
        raise TrainingError(
            f"this ensemble cannot be resumed because its settings changed; those that it began with are in {stored}"
        )


def begin(config: Config) -> None:
    """Make the folder of the ensemble; one to resume is no longer finished."""
    if not config.resume:
        prepare_output(config.output, ENSEMBLE_RUN, overwrite=config.overwrite)
        write_text(config.output / "config.yaml", settings_in_yaml(config))
    (config.output / MANIFEST).unlink(missing_ok=True)
    write_json(config.output / MARKER, summary_of(config))


def settings_in_yaml(config: Config) -> str:
    """`config.yaml`: what the ensemble is trained with."""
    return to_yaml(replace(config, resume=False, overwrite=False))


def summary_of(config: Config) -> dict[str, Any]:
    """What is known of an ensemble before it is trained."""
    return {
        "rewardsmith": VERSION,
        "output": str(config.output),
        "kind": config.member_kind,
        "members": [
            {"path": f"members/{number:02d}", "seed": seed_of_member(config.seed, number)}
            for number in range(1, config.members.count + 1)
        ],
        "model_folder": str(config.output / "model"),
        "finished": False,
        "evaluation": None,
    }


def joined_runs(members: Sequence[Config], progress: Progress) -> "RewardModel":
    """Train every member that is not finished, then open all of them as one."""
    from rewardsmith.model.ensembles.combination import Combiner
    from rewardsmith.model.reward_model import RewardModel

    for number, member in enumerate(members, start=1):
        if is_finished(member.output):
            progress.note(f"member {number} of {len(members)} is already trained")
            continue
        progress.note(f"member {number} of {len(members)}, seed {member.seed}")
        train(member, progress)
    names = [str(member.output / "model") for member in members]
    models = [RewardModel.load(name, device=member.device) for name, member in zip(names, members, strict=True)]
    return ensemble_of(models, names, Combiner())


def is_finished(run: Path) -> bool:
    """Whether a member's run came to its end."""
    return bool(read_object(run / "train.json").get("finished"))


def finish(
    config: Config, model: "RewardModel", members: Sequence[Config], splits: Splits, progress: Progress
) -> MembersResult:
    """Put the members on one scale, write the model, evaluate it on the test split, and seal the folder."""
    from rewardsmith.model.ensembles.combination import Combiner

    if splits.validation:
        model = fitted_ensemble(model, splits.validation, Combiner(), progress)
    model.save(config.output / "model", overwrite=True, training=origin_of(config.model, config.dataset))
    summary = {**summary_of(config), "finished": True}
    if config.report and (splits.test or splits.validation):
        summary["evaluation"] = evaluated(config, model, splits, progress)
    write_json(config.output / MARKER, summary)
    seal(config.output, [config.output / name for name in (MARKER, "config.yaml")])
    return MembersResult(summary, "")


def evaluated(config: Config, model: "RewardModel", splits: Splits, progress: Progress) -> dict[str, Any]:
    """The evaluation on the test split (validation where there is none), written into the folder."""
    from rewardsmith.pipelines.evaluate.evaluation import evaluate_records, score_all

    name = "test" if splits.test else "validation"
    held = score_all(model, splits.validation, progress) if splits.test and splits.validation else None
    found = evaluate_records(
        model, getattr(splits, name), validation=held, train=splits.train, split=name, progress=progress
    )
    found.save(config.output)
    return dict(found.summary)
