"""What share of the machine's matrix speed training and scoring reach: measured beside it, in turns.

The floor is the time that the needed products alone would take at the measured peak: 6 x parameters in the layers x tokens
for training (2 x for scoring; Kaplan et al. 2020, table 1), and the attention over the pairs of tokens that see each other.
Tokens are those of the prefix trees, each once. Embeddings, norms, the optimizer and everything else count nothing in the
floor, and all of it in what is measured.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from rewardsmith.bench.timing import Timing, interleaved
from rewardsmith.bench.workload import wait_for
from rewardsmith.model.forward.batches import cost
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.runtime.allocator import kept_memory
from rewardsmith.model.runtime.devices import dtype_name, peak_memory
from rewardsmith.model.scorer import score
from rewardsmith.progress import Progress
from rewardsmith.scoring.trees import TokenTree, build_tree
from rewardsmith.train.budget import calibrate
from rewardsmith.train.examples import Example
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.masks import Dropout
from rewardsmith.train.optimizer import make_optimizer
from rewardsmith.train.step import accumulate

SIDE = 2048  # of the square matrices whose product is timed
COPIED = 2**28  # bytes read and written again: more than any cache holds
LENGTHS = (80, 320)  # of prompts, and again of responses, in tokens; pairs of HH have 120 and 120 in the mean
PAIRS = 16


@dataclass(frozen=True)
class Floor:
    """Operations that a step cannot do without, in FLOP."""

    training: float
    scoring: float


@dataclass(frozen=True)
class Share:
    """What was reached with one model; rates per second, FLOP/s for peaks, bytes per second for the bandwidth.

    `*_of_peak` is the floor's time over the measured one; `useful_tokens` the part of computed tokens that are in trees.
    """

    model: str
    dtype: str
    layer_parameters: int
    tokens: int
    pairs: int
    budget: int
    matmul_peak: float
    bandwidth: float
    training_of_peak: float
    scoring_of_peak: float
    training_tokens_per_second: float
    training_pairs_per_second: float
    scoring_tokens_per_second: float
    useful_tokens: float
    tokens_saved_by_sharing: float
    seconds: Mapping[str, Any]
    memory: Mapping[str, int]


def trees_of(network: RewardNetwork, *, longest: int, count: int = PAIRS) -> list[TokenTree]:
    """Pairs of random tokens, prompts and responses of many lengths, none longer than the model reads."""
    draw = np.random.default_rng(0)
    size = network.hf.config.get_text_config().vocab_size
    low, high = (min(length, max(2, longest // 2)) for length in LENGTHS)
    made = []
    for _ in range(count):
        prompt, *answers = (draw.integers(0, size, draw.integers(low, high + 1)).astype(np.int32) for _ in range(3))
        made.append(build_tree([np.concatenate([prompt, answer]) for answer in answers], share=network.packed))
    return made


def example_of(number: int, tree: TokenTree) -> Example:
    """A pair whose first response is preferred."""
    one, name = np.ones(1, dtype=np.float32), str(number)
    nothing = np.full((5, 1), np.nan, dtype=np.float32)
    return Example(
        *(name, name, name, tree, np.array([0]), np.array([1]), one, one),
        margin=nothing[0],
        votes=nothing[:3].T,
        ratings=nothing[3:, 0],
    )


def floor_of(network: RewardNetwork, trees: list[TokenTree]) -> Floor:
    """The operations of the layers' products and of attention."""
    config = network.hf.config.get_text_config()
    layers = layer_stack(network.hf.base_model)
    weights = layer_parameters(network)
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    tokens = sum(tree.tokens for tree in trees)
    forward = 2 * weights * tokens + 4 * width * len(layers) * sum(map(seen_pairs, trees))
    return Floor(training=3 * forward, scoring=forward)


def layer_parameters(network: RewardNetwork) -> int:
    """Weights of the layers' matrices."""
    stack = layer_stack(network.hf.base_model)
    return sum(p.numel() for layer in stack for p in layer.parameters() if p.ndim == 2)


def seen_pairs(tree: TokenTree) -> int:
    """Pairs (token, token that it sees) of a tree."""
    prefix = len(tree.prefix)
    own = [len(branch) for branch in tree.branches]
    return triangle(prefix) + sum(triangle(length) + prefix * length for length in own)


def triangle(length: int) -> int:
    """Pairs of a causal sequence."""
    return length * (length + 1) // 2


def measure_share(model: RewardModel, name: str, *, repetitions: int, limit: float, progress: Progress) -> Share:
    """Time products, copies, training steps and scoring in turn, and set them in proportion."""
    network = model.network
    network.train()
    trees = trees_of(network, longest=model.contract.max_length)
    examples = [example_of(number, tree) for number, tree in enumerate(trees)]
    progress.note("searching for the best number of tokens per forward pass")
    budget = calibrate(network, examples).tokens
    dtype = network.autocast or torch.float32
    jobs: dict[str, Callable[[], object]] = {
        "matmul": matmul_job(network.device, dtype),
        "copy": copy_job(network.device),
        "training": training_job(network, examples, budget),
        "scoring": scoring_job(network, examples, budget),
    }
    with kept_memory(network.device.type):  # as it is while `train` runs
        found = interleaved(
            [{key: job} for key, job in jobs.items()], repetitions=repetitions, limit=limit, progress=progress
        )
    timed: dict[str, Timing] = {str(key): timing for key, timing in found.by_job.items()}
    peak, floor = 2 * SIDE**3 / timed["matmul"].median, floor_of(network, trees)
    tokens, training, scoring = sum(tree.tokens for tree in trees), timed["training"].median, timed["scoring"].median
    return Share(
        model=name,
        dtype=dtype_name(network.autocast),
        layer_parameters=layer_parameters(network),
        tokens=tokens,
        pairs=len(trees),
        budget=budget,
        matmul_peak=peak,
        bandwidth=2 * COPIED / timed["copy"].median,
        training_of_peak=floor.training / peak / training,
        scoring_of_peak=floor.scoring / peak / scoring,
        training_tokens_per_second=tokens / training,
        training_pairs_per_second=len(trees) / training,
        scoring_tokens_per_second=tokens / scoring,
        useful_tokens=tokens / sum(cost(tree, packed=network.packed) for tree in trees),
        tokens_saved_by_sharing=1 - tokens / sum(len(ids) for tree in trees for ids in tree.sequences),
        seconds={key: asdict(timing) for key, timing in timed.items()},
        memory=peak_memory(network.device),
    )


def matmul_job(device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """A product of two square matrices, as a linear layer computes it."""
    rows, weights = (torch.randn(SIDE, SIDE, device=device, dtype=dtype) for _ in range(2))

    def job() -> None:
        torch.nn.functional.linear(rows, weights)
        wait_for(device)

    return job


def copy_job(device: torch.device) -> Callable[[], object]:
    """A copy of memory."""
    source = torch.ones(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def job() -> None:
        target.copy_(source)
        wait_for(device)

    return job


def training_job(network: RewardNetwork, examples: list[Example], budget: int) -> Callable[[], object]:
    """A whole optimizer step: gradient, clipping, AdamW."""
    optimizer = make_optimizer(network, lr=1e-5, weight_decay=0.01)

    def job() -> None:
        network.train()
        accumulate(network, examples, LOSSES["bradley-terry"], dropout=Dropout(0.0, 0, 0), budget=budget)
        torch.nn.utils.clip_grad_norm_(network.hf.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait_for(network.device)

    return job


def scoring_job(network: RewardNetwork, examples: list[Example], budget: int) -> Callable[[], object]:
    """The rewards of all responses, from token ids."""
    sequences = [example.sequences for example in examples]
    return lambda: list(score(network, sequences, budget=budget))
