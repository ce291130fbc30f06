"""Keeps libraries from printing what our own messages say already, or what nobody asked for; never their errors."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any


def quiet_bitsandbytes() -> None:
    """No warnings: on every forward pass, that inputs are rounded; on import, of kernels that it does without."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no list of new weights while a model is opened or saved; both are as before afterwards."""
    from transformers.utils import logging as transformers_logging

    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with deepspeed_unopened():
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


@contextlib.contextmanager
def deepspeed_unopened() -> Iterator[None]:
    """While a model is saved, deepspeed counts as installed only where this process has opened it.

    accelerate opens it to ask whether the model is one of its engines, which without it no model can be. That takes
    longer than to open torch (it brings MLflow where that is installed), and its log goes to standard output.
    """
    other: Any = sys.modules.get("accelerate.utils.other")  # transformers has opened it where it is installed
    asked = getattr(other, "is_deepspeed_available", None)
    if asked is None:
        yield
        return
    other.is_deepspeed_available = lambda: "deepspeed" in sys.modules
    try:
        yield
    finally:
        other.is_deepspeed_available = asked
