"""A data set by its name on the Hugging Face hub: the only place in data intake that may use the network."""

from typing import Any

from rewardsmith.errors import DataError, MissingExtraError


def open_hub(name: str) -> Any:
    """The split `train` of the data set `name`, streamed; DataError in one line where it cannot be had."""
    try:
        from datasets import load_dataset
    except ImportError:
        raise MissingExtraError(
            f"{name} is not a file or folder here; to read it from the Hugging Face hub: pip install 'rewardsmith[hub]'"
        ) from None
    try:
        return load_dataset(name, split="train", streaming=True)
    except Exception as error:  # the hub's client raises many kinds, and each means the same to the user
        cause = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise DataError(
            f"{name} is neither a file or folder here nor a data set that can be reached on the hub ({cause}); "
            "check the path, or download the data where there is a network and pass the file"
        ) from error
