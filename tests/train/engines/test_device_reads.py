"""A step looks at the device once: the host must not wait for every micro-batch."""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from builders import pair, tiny
from rewardsmith.errors import TrainingError
from rewardsmith.model.forward.batches import pad_rows
from rewardsmith.model.runtime.processes import ALONE
from rewardsmith.train import step
from rewardsmith.train.engines.engine import Engine, gradient_norm
from rewardsmith.train.examples import encode_examples
from rewardsmith.train.losses import LOSSES
from rewardsmith.train.optimizer import make_optimizer

READS = (
    torch.Tensor.cpu,
    torch.Tensor.item,
    torch.Tensor.tolist,
    torch.Tensor.numpy,
    torch.Tensor.__bool__,
    torch.Tensor.__int__,
    torch.Tensor.__float__,
)


class Calls(TorchFunctionMode):
    """Counts calls that bring a tensor's values to Python; on the CPU a copy to it shows nowhere else."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += function in READS
        return function(*args, **(kwargs or {}))


class Scalars(TorchDispatchMode):
    """Counts what the library itself reads."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += "_local_scalar_dense" in str(function) or "nonzero" in str(function)
        return function(*args, **(kwargs or {}))


def reads(work):
    with Calls() as calls, Scalars() as scalars:
        result = work()
    return calls.count + scalars.count, result


def rows(count=8):
    return [pair(f"Is {k} or {k + 3} larger?", f"It is {k + 3}.", f"It is {k}.").at("made", k) for k in range(count)]


def gradient(model, budget, *, dropout=0.0):
    examples = encode_examples(rows(), model.encoder, share=model.network.packed).examples
    engine = Engine(model.network)
    groups = step.passes_of(model.network, examples, budget, ALONE)[0]

    def work():
        seen = step.add_gradient(
            model.network,
            examples,
            LOSSES["bradley-terry"],
            dropout=step.Dropout(dropout, 0, 0),
            budget=budget,
            scale=step.unscaled,
            engine=engine,
        )
        return seen, gradient_norm(model.network, 1.0)

    return work, len(groups)


@pytest.mark.parametrize("budget", [1, 10**6])
def test_gradient_and_clipping_read_nothing(budget):
    """Packed trees; of padded rows transformers itself looks at the mask."""
    work, passes = gradient(tiny(), budget, dropout=0.2)
    assert passes == (8 if budget == 1 else 1)
    count, _ = reads(work)
    assert count == 0


class Copies(TorchFunctionMode):
    """Notes the sizes of what is copied to the host."""

    def __init__(self):
        self.sizes = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.Tensor.cpu:
            self.sizes.append(args[0].numel())
        return function(*args, **(kwargs or {}))


def reading(budget):
    """How a step that is cut at `budget` is read: copies, all reads, figures."""
    work, passes = gradient(tiny(), budget)
    seen, norm = work()
    with Copies() as copies:
        figures, (read,) = seen.read(ALONE, norm)
    assert read == pytest.approx(float(norm))
    assert copies.sizes == [1 + passes + 4 * 8]  # the norm; losses of passes and pairs, margins, rewards of both
    count, _ = reads(lambda: seen.read(ALONE, norm))
    return count, figures


def test_a_step_is_read_with_one_copy_however_it_is_cut():
    (often, cut), (once, whole) = reading(1), reading(10**6)
    assert often == once
    assert cut.comparisons == whole.comparisons == 8
    assert cut.loss == pytest.approx(whole.loss)
    assert cut.tokens == whole.tokens


def test_the_optimizer_reads_no_gradient():
    model = tiny()
    optimizer = make_optimizer(model.network, lr=1e-3, weight_decay=0.01)
    work, _ = gradient(model, 1)
    work()
    optimizer.step()
    work()
    count, _ = reads(optimizer.step)
    assert count == 0


def test_all_rows_without_a_finite_loss_are_named_before_anything_changes():
    model = tiny()
    with torch.no_grad():
        model.network.head.weight.fill_(float("nan"))
    work, _ = gradient(model, 1)
    seen, norm = work()
    with pytest.raises(TrainingError, match=r"not finite on 8 comparisons, first at made:"):
        seen.read(ALONE, norm)


def test_rows_know_their_lengths_without_looking_at_the_mask():
    trees = [example.tree for example in encode_examples(rows(3), tiny().encoder, share=False).examples]
    batch = pad_rows(trees, 0, torch.device("cpu"))
    assert list(batch.lengths) == batch.mask.sum(dim=1).tolist()
    assert [len(batch.row(k).ids[0]) for k in range(6)] == list(batch.lengths)
