"""Whether and where outputs of frozen layers are kept: what that gains, what it takes, whether it is right."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import transformers
from jaxtyping import Float
from torch import Tensor

from rewardsmith.errors import RewardsmithError, first_line
from rewardsmith.model.forward.lower_layers import LowerLayers
from rewardsmith.model.forward.network import RewardNetwork, layer_stack
from rewardsmith.model.frozen.dropout import rates
from rewardsmith.model.frozen.feature_cache import LIMIT, hash_of, limit_bytes, make_room
from rewardsmith.model.frozen.state_cache import Form, StateStore, plan, states_of_batch
from rewardsmith.model.scorer import Sequences, tree_of
from rewardsmith.scoring.trees import TokenTree

TOLERANCE = 1e-5  # relative to the largest feature: the same kernels on the same batch
READ = 2e-4  # the same, of states that were computed in another packing, in fp32
READ_COARSE = 0.1  # in 16 bits, where a difference in the last place grows from layer to layer
CHECKED = 2
"""Records on which a pass that begins with known states is compared with a whole one."""


class NotKept(Exception):
    """Why the outputs of frozen layers are computed again in every step, as a sentence's end."""


def below(network: RewardNetwork, count: int) -> LowerLayers:
    """The network's first `count` layers; NotKept where their outputs cannot stand for them."""
    stack = layer_stack(network.hf.base_model)
    upper = {id(module) for layer in stack[count:] for module in layer.modules()}
    dropped = [m for m in network.hf.base_model.modules() if id(m) not in upper]
    highest = max((rate for _, _, rate in rates(dropped)), default=0.0)
    if highest:
        raise NotKept(f"the frozen layers use dropout ({highest:g}), which --head-start probe turns off")
    if not network.padded:
        raise NotKept("its texts are processed one at a time")
    return LowerLayers(stack[:count], read=network.readout.layers if network.readout is not None else ())


def checked_form(network: RewardNetwork, records: Sequence[Sequences]) -> Form:
    """The form of a token's states; NotKept where features of these records differ when a pass begins with them."""
    batch = network.texts(trees_of(network, records))
    try:
        states = states_of_batch(network, batch)
    except (RewardsmithError, RuntimeError, TypeError, ValueError, KeyError) as error:
        raise NotKept(f"its layers do not pass on a hidden state ({first_line(error)[:120]})") from error
    compare(network, records, states, TOLERANCE)
    return Form(states.shape[-2], states.shape[-1], states.dtype)


def compare(
    network: RewardNetwork, records: Sequence[Sequences], states: Float[Tensor, "rows tokens S H"], close: float
) -> None:
    """NotKept where the records' features from these states are further than `close` from those of a whole pass."""
    batch = network.texts(trees_of(network, records))
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            whole, begun = (network.features(one).float() for one in (batch, replace(batch, states=states)))
    except (RewardsmithError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise NotKept(f"a forward pass cannot start from them ({first_line(error)[:120]})") from error
    finally:
        network.train(was_training)
    difference = (whole - begun).abs().max().item()
    if not difference <= close * max(whole.abs().max().item(), 1e-6):
        raise NotKept(f"the input of the head would differ by {difference:.2g} from that of a full forward pass")


def trees_of(network: RewardNetwork, records: Sequence[Sequences]) -> list[TokenTree]:
    """The records as trees."""
    return [tree_of(list(record.texts()), share=network.packed) for record in records]


def open_states(
    root: Path, network: RewardNetwork, form: Form, records: Sequence[Sequences], *, budget: int, passes: int
) -> tuple[StateStore, list[TokenTree]]:
    """The store of this network's lower layers under `root`, and the trees that it does not hold yet.

    NotKept where they would be used in one pass only, or do not fit: all stores together hold at most
    REWARDSMITH_FEATURES_GB, and those used longest ago are deleted.
    """
    limit = limit_bytes()
    whole = size_of(plan(network, records, budget), form)
    if whole > limit:
        raise NotKept(f"they need {whole / 1e9:.2g} GB, but {LIMIT} is {limit / 1e9:g}")
    folder = root / state_name(network)
    store = StateStore(folder, form)
    missing = plan(network, records, budget, store)
    needed = size_of(missing, form)
    if needed and passes < 2:
        raise NotKept("every text is used only once")
    if store.bytes + needed > limit:  # other texts of the same layers
        store.clear()
        missing, needed = plan(network, records, budget), whole
    root.mkdir(parents=True, exist_ok=True)
    make_room(root, keep=folder, room=limit - store.bytes - needed)
    if needed > (free := shutil.disk_usage(root).free):
        raise NotKept(f"they need {needed / 1e9:.2g} GB, but only {free / 1e9:.2g} GB are free on the disk")
    return store, missing


def check_reading(store: StateStore, network: RewardNetwork, records: Sequence[Sequences]) -> None:
    """NotKept where features of these records from the store are not those of a whole pass; the store is then deleted."""
    batch = store.batch(network, trees_of(network, records))
    whole = network.autocast is None and store.form.dtype == torch.float32
    try:
        if batch is None or batch.states is None:
            raise NotKept("the stored outputs could not be read back")
        compare(network, records, batch.states, READ if whole else READ_COARSE)
    except NotKept:
        store.clear()
        raise


def size_of(trees: Sequence[TokenTree], form: Form) -> int:
    """Bytes of the states of these trees."""
    return sum(tree.tokens for tree in trees) * form.bytes


def state_name(network: RewardNetwork) -> str:
    """A hash of all that decides the states, to rounding: weights up to the last frozen layer, config, precision."""
    assert network.lower is not None
    base = network.hf.base_model
    count = len(network.lower.layers)
    upper = {id(layer) for layer in layer_stack(base)[count:]}
    left_out = tuple(f"{name}." for name, module in base.named_modules() if id(module) in upper)
    return "states-" + hash_of(network, base, left_out, count, network.lower.kept, transformers.__version__)
