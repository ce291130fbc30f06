"""A run or a model → which of its parts still hold: files, data, settings, versions, probes."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewardsmith.errors import ModelError, RewardsmithError, UsageError
from rewardsmith.files import sha256
from rewardsmith.files.manifest import ABSENT, MANIFEST, Fault, faults_of, read_manifest
from rewardsmith.language import padded, say

Folder = Literal["run", "model", "evaluation"]
PARTS = ("files", "data", "settings", "versions", "probes")
OF_RUNS = ("data", "settings", "versions")
"""Parts that a model alone has not."""
RUN_FILES = ("settings.json", "config.yaml", "checkpoints")
"""What shows that a folder is a run, each where the others are lost."""
AS_GIVEN = (
    *("model", "layers", "freeze_layers", "loss", "epochs", "batch", "weight_decay", "warmup", "clip"),
    *("dropout", "seed", "patience", "quantize", "gradient_checkpointing", "activation_offload"),
)
"""Settings that a run takes as they were given."""
FOUND_OUT = ("lr", "tokens_per_microbatch", "threads")
"""Settings that a run finds out by itself where none is given."""


@dataclass(frozen=True)
class Part:
    """What was found about one part: `holds` is None where nothing could be checked."""

    name: str
    holds: bool | None
    said: str
    faults: tuple[Fault, ...] = ()

    @property
    def state(self) -> str:
        """`holds` in words."""
        return "not checked" if self.holds is None else ("passed" if self.holds else "failed")


@dataclass(frozen=True)
class Verification:
    """What was found in `place`, one of `parts` for each that was checked.

    `holds` is False where one of them does not hold; the command then ends with `exit_code` 1.
    """

    place: str
    parts: tuple[Part, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found that failed."""
        return all(part.holds is not False for part in self.parts)

    @property
    def exit_code(self) -> int:
        """0 or 1."""
        return 0 if self.holds else 1

    def to_json(self) -> dict[str, Any]:
        """`holds`, `place`, `parts` by name {holds, said}, and `broken` [{part, file, what}]."""
        return {
            "holds": self.holds,
            "place": self.place,
            "parts": {part.name: {"holds": part.holds, "said": part.said} for part in self.parts},
            "broken": [
                {"part": part.name, "file": fault.file, "what": fault.what}
                for part in self.parts
                for fault in part.faults
            ],
        }

    def to_text(self) -> str:
        """A line a part, and below it what is wrong."""
        lines = []
        for part in self.parts:
            lines.append(f"{padded(say(part.name), 9)} {padded(say(part.state), 14)} {say(part.said)}".rstrip())
            lines += [f"    {fault.file}: {say(fault.what)}" for fault in part.faults]
        return "\n".join(lines)


def verify(place: Path, *, parts: Collection[str] = (), device: str = "auto") -> Verification:
    """Check the parts (all by default) of a run or a model, one after the other; nothing is changed.

    Of a trained ensemble its model is checked, which names its members with their hashes. ModelError for any other folder.
    """
    place = model_of_ensemble(place)
    kind = recognised(place)
    is_run = kind == "run"
    checks: Mapping[str, Callable[[], Part]] = {
        "files": lambda: check_files(place, kind),
        "data": lambda: check_data(place),
        "settings": lambda: check_settings(place),
        "versions": lambda: check_versions(place),
        "probes": lambda: check_probes(place / "model" if is_run else place, place, device),
    }
    found: dict[str, Part] = {}
    for name in parts or PARTS:
        if (name in OF_RUNS and not is_run) or (name != "files" and kind == "evaluation"):
            continue
        damaged = name == "probes" and model_is_damaged(found.get("files"), is_run=is_run)
        found[name] = Part(name, None, "the model's files are damaged") if damaged else checks[name]()
    return Verification(str(place), tuple(found.values()))


def model_of_ensemble(place: Path) -> Path:
    """The model of a trained ensemble; any other folder as it is."""
    return place / "model" if (place / "members.json").is_file() else place


def model_is_damaged(files: Part | None, *, is_run: bool) -> bool:
    """Whether files of the model were found damaged, so that there is nothing to score with."""
    return files is not None and any(file_of_model(fault, is_run=is_run) for fault in files.faults)


def recognised(place: Path) -> Folder:
    """What a folder is; UsageError or ModelError where it is nothing that could be checked."""
    if not place.is_dir():
        raise UsageError(f"{place} is not a folder; pass a run folder of train or a model folder")
    if any((place / name).exists() for name in RUN_FILES):
        return "run"
    if (place / "comparisons.jsonl").exists() or (place / "evaluation.json").exists():
        return "evaluation"
    if not any((place / name).is_file() for name in ("reward.json", MANIFEST)):
        raise ModelError(
            f"{place} is neither a rewardsmith run (no settings.json) nor a rewardsmith model (no reward.json); pass "
            "the folder of a run or a model"
        )
    return "model"


def file_of_model(fault: Fault, *, is_run: bool) -> bool:
    """Whether a fault is one of the model's own files."""
    return not is_run or fault.file.startswith("model/")


def check_files(place: Path, kind: Folder) -> Part:
    """Whether all files that a manifest lists are as they were written."""
    faults, count = [], 0
    for folder, found in MANIFESTS[kind](place):
        count += len(read_manifest(folder) or ())
        prefix = "" if folder == place else f"{folder.relative_to(place).as_posix()}/"
        faults += [Fault(prefix + fault.file, fault.what) for fault in found]
    if faults:
        return Part("files", False, f"faults: {len(faults)}; files listed: {count}", tuple(faults))
    if not count:
        return Part("files", None, "no manifest.json, as for models of older versions")
    return Part("files", True, f"unchanged since they were written: {count}")


def manifests_of_model(folder: Path) -> Iterator[tuple[Path, list[Fault]]]:
    """A model folder with a manifest, and its faults."""
    from rewardsmith.model.checkpoint.intact import model_faults

    if (folder / MANIFEST).exists():
        yield folder, model_faults(folder)


def manifest_of_figures(folder: Path) -> Iterator[tuple[Path, list[Fault]]]:
    """A run or an evaluation with a manifest of what it measured, or that has to have one, and its faults."""
    if (folder / MANIFEST).exists() or (object_in(folder / "train.json") or {}).get("finished") is True:
        yield folder, faults_of(folder, counts=lambda name: False)


def manifests_of_run(folder: Path) -> Iterator[tuple[Path, list[Fault]]]:
    """The run folder itself, its model and its checkpoints, as far as they are there, and the faults of each."""
    from rewardsmith.train.resume import BEST, checkpoint_faults

    yield from manifest_of_figures(folder)
    model = folder / "model"
    if model.is_dir():
        yield from manifests_of_model(model)
    elif (folder / "train.json").exists():  # written after the model
        yield model, [Fault("reward.json", ABSENT)]
    checkpoints = folder / "checkpoints"
    for path in (*sorted(checkpoints.glob("step-*")), checkpoints / BEST):
        if path.is_dir():
            yield path, checkpoint_faults(path)


MANIFESTS: Mapping[Folder, Callable[[Path], Iterator[tuple[Path, list[Fault]]]]] = {
    "run": manifests_of_run,
    "model": manifests_of_model,
    "evaluation": manifest_of_figures,
}


def check_data(place: Path) -> Part:
    """Whether the files that the run read still hold the same bytes; those that are gone are counted."""
    recorded = object_in(place / "data" / "data.json")
    listed = None if recorded is None else recorded.get("files")
    if not isinstance(listed, list) or not all(is_file_entry(entry) for entry in listed):
        return Part("data", None, "data/data.json records no files")
    if not listed:
        return Part("data", None, "the data was not read from files")
    there = [entry for entry in listed if Path(entry["file"]).is_file()]
    faults = tuple(changed_data(there))
    if faults:
        return Part("data", False, f"changed: {len(faults)} of {len(there)}", faults)
    gone = len(listed) - len(there)
    said = [f"unchanged since they were read: {len(there)}", f"missing: {gone}"]
    return Part("data", True if there else None, "; ".join(said[not there : 2 if gone else 1]))


def changed_data(entries: Iterable[Mapping[str, str]]) -> Iterator[Fault]:
    """The files that hold other bytes than when they were read."""
    for entry in entries:
        if sha256(Path(entry["file"])) != entry["sha256"]:
            yield Fault(entry["file"], "changed since it was read")


def is_file_entry(entry: object) -> bool:
    """Whether this is what `data.json` says about a file."""
    return isinstance(entry, Mapping) and all(isinstance(entry.get(name), str) for name in ("file", "sha256"))


def check_settings(place: Path) -> Part:
    """Whether all that tells how the run was made tells the same."""
    stored = object_in(place / "settings.json")
    if stored is None:
        return Part("settings", False, "no files were recorded", (Fault("settings.json", "cannot be read"),))
    faults = [*differing_config(place, stored), *differing_checkpoints(place, stored), *differing_data(place, stored)]
    if faults:
        return Part("settings", False, "files of the run are inconsistent", tuple(faults))
    return Part("settings", True, "config.yaml, settings.json and checkpoints agree")


def differing_config(place: Path, stored: Mapping[str, Any]) -> Iterator[Fault]:
    """Settings as given that are not those that the run used."""
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.settings import build, read_yaml

    try:
        given = build(Config, read_yaml(place / "config.yaml", Config))
    except UsageError as error:
        yield Fault("config.yaml", str(error))
        return
    used = {**{name: getattr(given, name) for name in (*AS_GIVEN, *FOUND_OUT)}, "loss": given.loss.name}
    used["loss_options"] = given.loss.options
    used["heads"] = given.fitted_heads
    used["head"] = {"name": given.head.name, **(given.head.options or {})}
    for name, value in used.items():
        if name in stored and stored[name] != value and not (name in FOUND_OUT and value is None):
            yield Fault("config.yaml", f"{name} is {value!r}, but {stored[name]!r} in settings.json")


def differing_checkpoints(place: Path, stored: Mapping[str, Any]) -> Iterator[Fault]:
    """Checkpoints that were made with other settings; damaged ones are the part of another check."""
    from rewardsmith.pipelines.train.run_folder import SURROUNDINGS
    from rewardsmith.train.resume import STATE, is_whole

    used = {name: value for name, value in stored.items() if name not in SURROUNDINGS}
    for path in sorted((place / "checkpoints").glob("step-*")):
        if not is_whole(path):
            continue
        made_with = (object_in(path / STATE) or {}).get("fingerprint") or {}
        odd = sorted(name for name in used.keys() | made_with.keys() if used.get(name) != made_with.get(name))
        if odd:
            name = path.relative_to(place).as_posix()
            yield Fault(
                f"{name}/{STATE}", f"written with settings that differ from settings.json ({', '.join(odd[:3])})"
            )


def differing_data(place: Path, stored: Mapping[str, Any]) -> Iterator[Fault]:
    """Splits whose records are not those that the run was trained on."""
    hashes = (object_in(place / "data" / "data.json") or {}).get("hashes") or {}
    for split, digest in hashes.items():
        if stored.get(f"data_{split}") != digest:
            yield Fault("data/data.json", f"the {split} records differ from settings.json")


def check_versions(place: Path) -> Part:
    """Whether the run would be resumed here: under the versions that it began with."""
    from rewardsmith.bench.environment import versions

    stored = object_in(place / "settings.json") or {}
    now = versions()
    known = [name for name in now if name in stored]
    if not known:
        return Part("versions", None, "settings.json records none")
    faults = [
        Fault(name, f"{stored[name]} when the run began, {now[name]} now")
        for name in known
        if stored[name] != now[name]
    ]
    if faults:
        return Part("versions", False, "changed since the run began", tuple(faults))
    return Part("versions", True, "unchanged since the run began")


def check_probes(model: Path, place: Path, device: str) -> Part:
    """Whether the model opens, with the tokenizer of its contract, and gives its probes the stored rewards."""
    if not (model / "reward.json").is_file():
        return Part("probes", None, "no finished model (no reward.json)")
    from rewardsmith.pipelines.critique.evaluating import reward_network_of
    from rewardsmith.scoring.contract import tokenizer_hash

    prefix = "" if model == place else f"{model.name}/"
    try:
        opened = reward_network_of(str(model), device=device)
    except RewardsmithError as error:
        return Part("probes", False, "the model cannot be opened", (Fault(f"{prefix}reward.json", str(error)),))
    if tokenizer_hash(opened.tokenizer) != opened.contract.tokenizer_hash:
        fault = Fault(
            f"{prefix}tokenizer.json", "the tokenizer differs from that of the scoring contract in reward.json"
        )
        return Part("probes", False, "the tokenizer changed", (fault,))
    return Part("probes", True, f"{len(opened.sidecar.probes)} probes reproduce the stored tokens and rewards")


def object_in(path: Path) -> dict[str, Any] | None:
    """The JSON object of a file; None where it holds none."""
    import orjson

    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None
