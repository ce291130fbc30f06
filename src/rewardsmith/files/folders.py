"""Folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rewardsmith.files.atomic import explained, sync

T = TypeVar("T")


def write_folder(path: Path, fill: Callable[[Path], T]) -> T:
    """Let `fill` write into a temporary folder, then rename it to `path`; nobody ever sees a half-filled folder."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            result = fill(temporary)
            for file in temporary.rglob("*"):
                sync(file)
            sync(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync(path.parent)
        return result
