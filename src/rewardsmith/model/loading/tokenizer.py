"""The tokenizer beside a model."""

from pathlib import Path
from typing import Any

from rewardsmith.errors import ModelError
from rewardsmith.model.loading.folders import LARGEST_TOKENIZER, tokenizer_files
from rewardsmith.model.loading.locating import unreachable


def load_tokenizer(path: str, *, trust_remote_code: bool) -> Any:
    """The tokenizer in a folder; ModelError where there is none, or none that can be read."""
    from transformers import AutoTokenizer

    files = tokenizer_files(Path(path))
    if not files:
        raise ModelError(
            f"{path} has no tokenizer (tokenizer.json, tokenizer_config.json); copy the tokenizer of its base model"
        )
    for file in files:
        if (size := file.stat().st_size) > LARGEST_TOKENIZER:
            raise ModelError(
                f"{file} has {size} bytes, expected at most {LARGEST_TOKENIZER}; copy or download it again"
            )
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
        if not tokenizer("x", add_special_tokens=False)["input_ids"]:  # some damage shows at the first text
            raise ValueError("its tokenizer produces no tokens")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # of many kinds, all about the files; a panic of the Rust library is no Exception
        raise ModelError(unreachable(path, error)) from error
    if not trust_remote_code:
        tokenizer.init_kwargs.pop("auto_map", None)  # else it would be saved with code that it has nothing of
    return tokenizer
