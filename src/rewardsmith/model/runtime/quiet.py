"""Keeps libraries from printing what our own messages say already, or what nobody asked for; never their errors."""

import contextlib
import logging
from collections.abc import Iterator


def quiet_bitsandbytes() -> None:
    """No warnings: on every forward pass, that inputs are rounded; on import, of kernels that it does without."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No bars and no list of new weights while a model is opened or saved; both are as before afterwards.

    To save a model transformers opens accelerate, and that opens deepspeed where it is installed, used or not.
    """
    from transformers.utils import logging as transformers_logging

    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with quiet_deepspeed():
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


@contextlib.contextmanager
def quiet_deepspeed() -> Iterator[None]:
    """Errors only from deepspeed's log, which it sets up and writes to as soon as it is imported."""
    log = logging.getLogger("DeepSpeed")
    log.addFilter(is_error)  # a level would be set anew by the import
    try:
        yield
    finally:
        log.removeFilter(is_error)


def is_error(entry: logging.LogRecord) -> bool:
    """Whether an entry of a log tells of an error."""
    return entry.levelno >= logging.ERROR
