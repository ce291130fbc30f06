"""Proof, before anything is scored, that our way through a model gives what the model itself gives.

Two short random texts go through the network and through the class's own forward; then both in one padded batch.
A class that pools in a way of its own is refused, and one whose rewards depend on padding is computed text by text.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import ModelError, first_line
from rewardsmith.model.forward.network import RewardNetwork, last_of_rows, mean_of_rows
from rewardsmith.scoring.trees import TokenTree

LENGTHS = (24, 9)  # tokens; two texts of unlike lengths, so that one of them is padded
TOLERANCE = 1e-3  # of the largest reward or feature; another pooling or a padding that is seen is off by far more


def check_path(network: RewardNetwork, *, seed: int = 0) -> str | None:
    """Set `network.padded` by what the model bears; the reason where texts must be computed one by one, else None.

    ModelError where the network does not give the class's own reward. Call it before prefixes are shared.
    """
    was_training = network.training
    network.eval()
    trees = random_texts(network, seed)
    try:
        network.padded = False
        with torch.no_grad():
            own = logits_of_class(network, trees)
            for pooling in (last_of_rows, mean_of_rows):
                network.late_pooling = pooling
                rewards = network(network.collate(trees)) - network.offset
                if rewards.shape == own.shape and near(rewards, own):
                    break
            else:
                raise ModelError(
                    f"{type(network.hf).__name__} pools or scales its rewards in a non-standard way; it cannot be used "
                    "as a reward model"
                )
            features = network.features(network.collate(trees)).float()
            network.padded = True
            padded = network.features(network.collate(trees)).float()
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError) as error:
        cause = first_line(error)[:160]
        raise ModelError(f"{type(network.hf).__name__} cannot be used as a reward model: {cause}") from error
    finally:
        network.train(was_training)
    if near(padded, features):
        return None
    network.padded = False
    return "its rewards depend on padding, so texts are processed one at a time"


def random_texts(network: RewardNetwork, seed: int) -> list[TokenTree]:
    """Two texts of random tokens, none of them the pad token; all of a text counts as the answer."""
    rng = np.random.default_rng(seed)
    size = network.hf.config.get_text_config().vocab_size
    choices = np.setdiff1d(np.arange(min(size, 1000)), [network.pad_id])
    empty = np.zeros(0, dtype=np.int32)
    return [TokenTree(empty, (rng.choice(choices, length).astype(np.int32),), (length,)) for length in LENGTHS]


def logits_of_class(network: RewardNetwork, trees: list[TokenTree]) -> Float[Tensor, " R"]:
    """What the class's own forward gives for each text alone."""
    own = []
    cache = {"use_cache": False} if network.kind == "decoder" else {}
    for tree in trees:
        ids = torch.from_numpy(tree.sequences[0].astype(np.int64))[None].to(network.device)
        own.append(network.hf(input_ids=ids, attention_mask=torch.ones_like(ids), **cache).logits.reshape(-1))
    return torch.cat(own).float()


def near(found: Tensor, expected: Tensor) -> bool:
    """Whether two tensors agree within the tolerance; NaN agrees with NaN, for damaged weights are told elsewhere."""
    scale = expected.nan_to_num().abs().max().item()
    return torch.allclose(found, expected, rtol=0, atol=TOLERANCE * scale + 1e-9, equal_nan=True)
