"""Which models may share prefixes: decided from the config first, then checked on a random tree."""

from typing import Any

import numpy as np
import torch

from rewardsmith.errors import RewardsmithError, first_line
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.scoring.trees import build_tree

TOLERANCE = 2e-4  # relative to the spread of the rewards' features; a wrong mask is off by orders of magnitude more
ENOUGH = 256
"""Tokens of the tree that is checked where nothing in the model depends on the length: a wrong mask shows in any tree."""
STEADY = {"default", "linear", "llama3", "yarn"}
"""Rotary positions whose angles depend on a token's position alone, not on how long the text is."""
COARSE = 0.1  # with activations rounded to 8 bits, where a difference in the last place becomes one of 1 in 127


def why_not(hf: Any, kind: str, length: int) -> str | None:
    """Why this architecture cannot share prefixes at sequences of `length` tokens, or None where nothing forbids it."""
    config = hf.config.get_text_config()
    if kind != "decoder":
        return "it is an encoder or pools like one, so prefixes cannot be shared"
    if not getattr(hf, "_supports_attention_backend", False):
        return f"{type(hf).__name__} does not use the attention interface of transformers"
    window = getattr(config, "sliding_window", None)
    if window is not None and getattr(config, "use_sliding_window", True) and window < length:
        return f"its sliding window of {window} tokens is shorter than max_length {length}"
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if kinds:
        return f"it has layers without full attention ({', '.join(sorted(kinds))})"
    return None


def why_alone(hf: Any, length: int) -> str | None:
    """Why a text must be computed without others beside it at sequences of `length` tokens, or None.

    Phi-3's long rotary positions turn on for the whole batch as soon as one of its texts is long.
    """
    config = hf.config.get_text_config()
    for kind in rotary_kinds(config):
        original = kind.get("original_max_position_embeddings") or config.max_position_embeddings
        if kind.get("rope_type") == "longrope" and length > original:
            return (
                f"its rotary embeddings change for texts longer than {original} tokens, so texts are processed one "
                "at a time"
            )
    return None


def rotary_kinds(config: Any) -> list[dict[str, Any]]:
    """The parameters of rotary positions: one set, or one for each kind of layer; empty where there are none."""
    parameters = getattr(config, "rope_parameters", None) or {}
    return [parameters] if "rope_type" in parameters else [v for v in parameters.values() if isinstance(v, dict)]


def telling_length(hf: Any, length: int) -> int:
    """How long a tree has to be for the self-check to tell of trees of `length` tokens.

    The whole length where something may change with it: windows, rotary positions that do, and code that is not
    transformers' own; the check would otherwise be the longest part of opening a model.
    """
    config = hf.config.get_text_config()
    known = type(hf).__module__.startswith("transformers.") and getattr(config, "sliding_window", None) is None
    steady = all(kind.get("rope_type", "default") in STEADY for kind in rotary_kinds(config))
    return min(length, ENOUGH) if known and steady else length


def self_check(network: RewardNetwork, length: int, *, seed: int = 0, coarse: bool = False) -> str | None:
    """Score a random tree of up to `length` tokens packed and as separate rows; None where they agree, else what differs."""
    length = telling_length(network.hf, length)
    rng = np.random.default_rng(seed)
    size = network.hf.config.get_text_config().vocab_size
    prefix = rng.integers(0, size, max(1, length // 2)).astype(np.int32)
    branches = [rng.integers(0, size, n).astype(np.int32) for n in (length - len(prefix), max(1, length // 4), 1)]
    answers = [len(branch) + len(prefix) // 3 for branch in branches]  # one may begin in the prefix
    tree = build_tree([np.concatenate([prefix, branch]) for branch in branches], answers=answers)
    was_packed, was_training, autocast = network.packed, network.training, network.autocast
    results = {}
    try:
        network.eval()
        network.autocast = None
        for packed in (True, False):
            network.packed = packed
            network.use_attention()
            with torch.no_grad():
                results[packed] = network.features(network.collate([tree])).float()
    except (RewardsmithError, RuntimeError, TypeError, ValueError) as error:
        return f"its attention does not support prefix trees ({first_line(error)})"
    finally:
        network.packed, network.autocast = was_packed, autocast
        network.use_attention()
        network.train(was_training)
    difference = (results[True] - results[False]).abs().max().item()
    scale = results[False].abs().max().item()
    if not difference <= (COARSE if coarse else TOLERANCE) * max(scale, 1.0):
        return (
            f"the rewards of a random prefix tree of {length} tokens differ by {difference:.2g} from those of "
            "separate sequences"
        )
    return None
