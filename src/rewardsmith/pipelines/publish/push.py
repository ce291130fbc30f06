"""A model folder with its card → the Hugging Face hub, privately unless asked otherwise."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError, OutputError
from rewardsmith.language import current
from rewardsmith.pipelines.publish import card
from rewardsmith.progress import SILENT, Progress

REPORTS = ("report.html", "report.md")
LOGIN = "set HF_TOKEN or run `hf auth login`"
MESSAGE = "Upload a reward model"


@dataclass(frozen=True)
class Uploaded:
    """Where the model lies now, which commit that was, and what was uploaded."""

    url: str
    commit: str
    files: tuple[str, ...]
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """`url`, `commit`, `files`, `bytes`."""
        return {"url": self.url, "commit": self.commit, "files": list(self.files), "bytes": self.bytes}

    def to_text(self) -> str:
        """One line."""
        return f"uploaded {len(self.files)} files ({self.bytes / 1e6:,.1f} MB) to {self.url}"


def push(
    model: Path,
    name: str,
    *,
    public: bool = False,
    report: bool = False,
    message: str = MESSAGE,
    progress: Progress = SILENT,
) -> Uploaded:
    """Upload the model's folder; OutputError in one line where the hub does not take it, and nothing here is changed.

    The token comes from the environment or the login of `hf`, never from a flag.
    """
    from rewardsmith.model.checkpoint.intact import check_model
    from rewardsmith.report.card.page import render_card

    folder = card.model_folder(model)
    if folder is None:
        raise ModelError(
            f"{model} contains no rewardsmith model (no reward.json); pass a run folder of train, or its model/"
        )
    check_model(folder)
    if not (folder / card.CARD).exists():
        card.write_to(folder / card.CARD, render_card(card.gather(folder), lang=current()))
    files = files_of(folder)
    if report:
        files |= reports_of(folder.parent)
    size = sum(path.stat().st_size for path in files.values())
    progress.note(f"uploading {len(files)} files ({size / 1e6:,.1f} MB) to {name}")
    try:
        url, commit = upload(name, files, public=public, message=message)
    except Exception as error:  # the hub's client raises many kinds, and each means the same to the user
        raise OutputError(
            f"{folder} was not uploaded to {name}: {cause_of(error)}; the local files are unchanged; try again with: "
            f"rewardsmith push {model} {name}{' --public' if public else ''}"
        ) from error
    return Uploaded(url, commit, tuple(sorted(files)), size)


def push_run(output: Path, name: str, *, public: bool, progress: Progress = SILENT) -> str:
    """Upload a run that has just been finished; returns the address, OutputError says that the run itself is whole."""
    try:
        result = push(output, name, public=public, progress=progress)
    except OutputError as error:
        raise OutputError(f"the run is complete and saved in {output}, but {error}") from error
    progress.note(result.to_text())
    return result.url


def warn_early(name: str, progress: Progress) -> None:
    """Say before hours of training that the upload at its end would fail; a token may still come meanwhile."""
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        progress.note(f"--push-to-hub {name}: HF_HUB_OFFLINE is set, so the upload at the end will fail")
    elif get_token() is None:
        progress.note(f"--push-to-hub {name}: no Hub access token is set; {LOGIN} before training ends")


def files_of(folder: Path) -> dict[str, Path]:
    """Every file of the model by its place in the repository; hidden and temporary ones stay here."""
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        place.as_posix(): path
        for place, path in found.items()
        if not any(part.startswith(".") for part in place.parts) and not place.name.endswith(".tmp")
    }


def reports_of(run_folder: Path) -> dict[str, Path]:
    """The report of the run; OutputError where there is none."""
    found = {name: run_folder / name for name in REPORTS if (run_folder / name).is_file()}
    if not found:
        raise OutputError(f"{run_folder} has no report to upload; run: rewardsmith diagnose {run_folder}")
    return found


def upload(name: str, files: dict[str, Path], *, public: bool, message: str) -> tuple[str, str]:
    """Make the repository if need be and put the files there in one commit; returns its address and the commit."""
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    from rewardsmith.files.reading import read_text
    from rewardsmith.report.card.code import on_hub

    if get_token() is None:
        raise PermissionError(f"no Hub access token is set; {LOGIN}")
    api = HfApi(library_name="rewardsmith")
    repository = api.create_repo(name, private=not public, exist_ok=True)
    if not public and not api.model_info(name).private:
        raise PermissionError("the repository already exists and is public; pass --public to upload to it")
    operations = []
    for place, path in files.items():
        content: Any = path
        if place == card.CARD:
            content = on_hub(read_text(path), name).encode()
        operations.append(CommitOperationAdd(place, content))
    done = api.create_commit(name, operations, commit_message=message)
    return str(repository), str(done.oid)


def cause_of(error: BaseException) -> str:
    """Why the hub did not take it, in one line."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 401:
        return f"the Hub rejected the token (401); {LOGIN}"
    if status == 403:
        message = " ".join(str(getattr(error, "server_message", None) or "no write permission").split())
        return f"the Hub denied access (403: {message[:200]})"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = (lines[0] if lines else type(error).__name__)[:200].rstrip(".;")
    if type(error).__module__.partition(".")[0].startswith("httpx"):
        return f"{hub_address()} cannot be reached ({told})"
    inner = error.__cause__
    return f"{told} ({cause_of(inner)})" if isinstance(error, RuntimeError) and inner is not None else told


def hub_address() -> str:
    """Which hub is meant: huggingface.co, or what HF_ENDPOINT names."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)
