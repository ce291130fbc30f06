"""Flipped bits, cuts, zeroed pages and missing files in checkpoints, `best/` and finished models: each has to be refused.

The damage is that of tests/damage.py; whether it is refused is asked of what a resume and what opening a model ask.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from outcome import Outcome
from small_run import fresh, ready, whole_run

from damage import trial

FLIPS, CUTS, PAGES = 1000, 200, 200


def outcomes(scale: float, seed: int) -> list[Outcome]:
    """A line for each kind of folder."""
    ready()
    root = fresh("rot")
    try:
        run = whole_run(root / "run", root / "log")
        checkpoint = max((run / "checkpoints").glob("step-*"))
        return [
            damaged(root, "a checkpoint", checkpoint, lambda: not whole_checkpoint(checkpoint), (), scale, seed),
            damaged(root, "best/", checkpoint.parent / "best", lambda: best_refused(checkpoint.parent), (), scale, seed),
            damaged(
                root, "a finished model", run / "model", lambda: model_refused(run / "model"),
                ("manifest.json", "README.md"), scale, seed,
            ),
        ]  # fmt: skip
    finally:
        shutil.rmtree(root)


def damaged(
    root: Path, what: str, folder: Path, refuses: Callable[[], bool], may_go: tuple[str, ...], scale: float, seed: int
) -> Outcome:
    """Damage the files of one folder in turn; the card of a model may be edited, so it is left alone."""
    found = Outcome(f"flipped bits, cuts, zeroed pages, missing files in {what}", "refused, naming the folder")
    began = time.monotonic()
    counts = {"flips": FLIPS, "cuts": CUTS, "pages": PAGES}
    scaled = {name: max(1, round(count * scale)) for name, count in counts.items()}
    report = trial(folder, root=root, refuses=refuses, seed=seed, spare=("README.md",), may_go=may_go, **scaled)
    found.add_report(sum(report.tried.values()), report.missed)
    found.seconds = time.monotonic() - began
    found.measured = dict(report.tried)
    return found


def whole_checkpoint(folder: Path) -> bool:
    """What a resume asks of a checkpoint before it reads it."""
    from rewardsmith.train import resume

    return resume.is_whole(folder)


def best_refused(checkpoints: Path) -> bool:
    """Whether a resume finds fault with `best/`."""
    from rewardsmith.train import resume

    return bool(resume.checkpoint_faults(checkpoints / resume.BEST))


def model_refused(folder: Path) -> bool:
    """Whether opening the model says in one line that it is damaged."""
    from rewardsmith.errors import ModelError
    from rewardsmith.model.reward_model import RewardModel

    try:
        RewardModel.load(folder, device="cpu")
    except ModelError as error:
        return str(error).startswith(f"{folder} is damaged: ") and "\n" not in str(error)
    return False
