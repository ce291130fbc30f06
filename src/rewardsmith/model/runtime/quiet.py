"""Keeps libraries from printing what our own messages say already, or what nobody asked for; never their errors."""

import contextlib
import logging
from collections.abc import Iterator


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
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
