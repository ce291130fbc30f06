"""Training beside TRL's RewardTrainer on the same pairs: pairs per second, final loss, activation memory.

    python benchmarks/train_vs_trl.py --data ../shared/data                # both data sets and memory
    python benchmarks/train_vs_trl.py --data DIR --sets harmless --segments 5 --steps 20 --no-memory

The same starting weights, token ids, precision (bf16 autocast), AdamW (fused, same betas, decay, clipping), schedule and
batch of 8 pairs for all; gradient checkpointing off. All three runs are alive at once and take turns, segment by segment,
each in one pass. Tokenizing is off the clock for all, collating and logging on it. Ours and TRL's default train on the
same records, each in a random order; length grouping sorts stretches of 50 batches over the whole data set, by the longer
of a pair's two sequences, and a sample of its batches, spread evenly over their lengths and shuffled, is what is run.
Memory is measured in processes of their own (Linux only).
"""

import argparse
import gc
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taking_turns import Turns, compared, table

SETS = {"harmless": "hh-rlhf/harmless-base.jsonl.gz", "ultrafeedback": "ultrafeedback-noise/clean.jsonl.gz"}
GOALS = {"harmless": (3.0, 1.5), "ultrafeedback": (1.8, 1.15)}
MEMORY_GOAL = 0.6
RESULT = Path(__file__).parent / "results" / "train_vs_trl.json"
BATCH, LR, DECAY, WARMUP, CLIP, BETAS = 8, 5e-5, 0.01, 0.05, 1.0, (0.9, 0.98)


@dataclass
class Task:
    """What all train on: an opened model that nobody trains, the examples, and those held out."""

    model: Any
    examples: list[Any]
    grouped: list[Any]
    held: list[Any]


def prepare(arguments: argparse.Namespace, name: str) -> Task:
    """Read, split and tokenize the pairs, open the model."""
    from rewardsmith.pipelines.train.config import Config
    from rewardsmith.pipelines.train.setup import load_data, open_model
    from rewardsmith.progress import SILENT
    from rewardsmith.train.examples import encode_examples, rank_by_hash

    source = str(Path(arguments.data) / SETS[name])
    config = Config(
        model=arguments.model, dataset=(source,), output=Path("none"), batch=BATCH, dtype=arguments.dtype,
        layers=arguments.layers if arguments.model != "tiny" else None, threads=arguments.threads,
    )  # fmt: skip
    splits = load_data(config, SILENT)
    model = open_model(config).model
    train = encode_examples(splits.train, model.encoder, share=model.network.packed).examples
    held = encode_examples([*splits.validation, *splits.test], model.encoder, share=model.network.packed).examples
    order = rank_by_hash((example.id for example in train), salt="benchmark")
    count = BATCH * arguments.steps * arguments.segments
    if len(order) < count:
        raise SystemExit(f"{name} has {len(order)} training pairs, {count} are needed; lower --segments or --steps")
    return Task(
        model, [train[index] for index in order[:count]], grouped(train, count // BATCH), held[: arguments.held]
    )


def longer(example: Any) -> int:
    """Tokens of the longer of a pair's two sequences."""
    return max(map(len, example.tree.sequences))


def grouped(examples: Sequence[Any], batches: int) -> list[Any]:
    """A fair sample of the batches that transformers' length grouping forms of all examples, in random order."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    generator = torch.Generator().manual_seed(0)
    order = get_length_grouped_indices([longer(example) for example in examples], BATCH, generator=generator)
    formed = [order[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]
    formed.sort(key=lambda batch: max(longer(examples[index]) for index in batch))
    spread = [formed[int((k + 0.5) * len(formed) / batches)] for k in range(batches)]
    return [examples[i] for k in torch.randperm(batches, generator=generator).tolist() for i in spread[k]]


def rows_for_trl(examples: Sequence[Any]) -> Any:
    """The same token ids as a data set of TRL."""
    from datasets import Dataset

    pairs = [
        (example.tree.sequences[example.preferred[0]].tolist(), example.tree.sequences[example.other[0]].tolist())
        for example in examples
    ]
    return Dataset.from_dict(
        {
            "chosen_ids": [chosen for chosen, _ in pairs],
            "rejected_ids": [rejected for _, rejected in pairs],
        }
    )


def trl_trainer(
    task: Task, folder: Path, *, grouped: bool, turns: Turns | None, name: str, micro: int = BATCH, epochs: int = 1,
    seed: int = 0, lr: float = LR,
) -> Any:  # fmt: skip
    """TRL's trainer on a copy of the model, with the settings that ours has."""
    import torch
    from transformers import TrainerCallback
    from trl import RewardConfig, RewardTrainer

    from rewardsmith.model.lean.swap import make_plain

    class Segments(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            if turns:
                turns.begin(name)

        def on_step_end(self, *_: Any, **__: Any) -> None:
            if turns:
                turns.step(name)

    hf = deepcopy(task.model.network.hf)
    make_plain(hf)
    hf.set_attn_implementation("sdpa")
    settings = RewardConfig(
        output_dir=str(folder), per_device_train_batch_size=micro, gradient_accumulation_steps=BATCH // micro,
        num_train_epochs=epochs, learning_rate=lr, lr_scheduler_type="cosine", warmup_steps=WARMUP, weight_decay=DECAY,
        adam_beta1=BETAS[0], adam_beta2=BETAS[1], max_grad_norm=CLIP, optim="adamw_torch_fused", seed=seed,
        gradient_checkpointing=False, bf16=task.model.network.autocast is torch.bfloat16,
        use_cpu=task.model.network.device.type == "cpu", max_length=None, save_strategy="no", report_to="none",
        disable_tqdm=True, train_sampling_strategy="sequential" if grouped else "random", dataloader_pin_memory=False,
    )  # fmt: skip
    return RewardTrainer(
        model=hf, args=settings, train_dataset=rows_for_trl(task.grouped if grouped else task.examples),
        processing_class=task.model.tokenizer, callbacks=[Segments()],
    )  # fmt: skip


def our_trainer(
    task: Task, folder: Path, *, turns: Turns | None, name: str, budget: int, epochs: int = 1, seed: int = 0,
    lr: float = LR,
) -> Any:  # fmt: skip
    """Our loop as `train` runs it; checkpoints are left out, as they are on the other side."""
    from rewardsmith.train.loop import Fit, FitSettings

    class Segments(Fit):
        def _one_step(self, *arguments: Any) -> None:
            super()._one_step(*arguments)
            if turns:
                turns.step(name)

        def _checkpoint(self) -> None:
            pass

    settings = FitSettings(
        epochs=epochs, batch=BATCH, lr=lr, weight_decay=DECAY, warmup=WARMUP, clip=CLIP, dropout=0.0, loss="bradley-terry",
        seed=seed, tokens_per_microbatch=budget, eval_every=10**9, patience=0, keep=1,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    return Segments(task.model.network, settings, train=task.examples, validation=[], folder=folder, fingerprint={})


def speed(arguments: argparse.Namespace, name: str, folder: Path) -> dict[str, Any]:
    """Three runs that take turns; comparisons of their speed, and where their losses ended."""
    import torch

    task = prepare(arguments, name)
    budget = arguments.budget or budget_of(task)
    names = ("trl", "trl grouped", "ours")
    turns = Turns(names, arguments.steps)
    peers = {
        peer: trl_trainer(task, folder / peer, grouped=peer == "trl grouped", turns=turns, name=peer)
        for peer in names[:2]
    }

    def work(peer: str) -> None:
        try:
            peers[peer].train()
        finally:
            turns.leave(peer)

    threads = [threading.Thread(target=work, args=(peer,), daemon=True) for peer in peers]
    for thread in threads:
        thread.start()
    mine = our_trainer(task, folder / "ours", turns=turns, name="ours", budget=budget)
    turns.begin("ours")
    mine.run()
    turns.leave("ours")
    for thread in threads:
        thread.join()
    if short := [peer for peer in names if len(turns.seconds[peer]) < arguments.segments]:
        raise SystemExit(f"{', '.join(short)} did not finish; see the traceback above")
    units = BATCH * arguments.steps
    rows = [
        compared(f"train {name}, against TRL{how}", turns.seconds["ours"], turns.seconds[peer], units=units, goal=goal)
        for (peer, how), goal in zip(
            (("trl", ", default batching"), ("trl grouped", ", length grouping")), GOALS[name], strict=True
        )
    ]
    losses = {peer: held_loss(task, trainer.model.state_dict()) for peer, trainer in peers.items()}
    task.model.network.to(torch.device("cpu"))
    losses["ours"] = held_loss(task, None)
    return {"comparisons": rows, "loss": loss_figures(losses), "tokens": token_counts(task), "budget": budget}


def budget_of(task: Task) -> int:
    """The token budget that `train` takes here."""
    from rewardsmith.model.scorer import DEFAULT_BUDGET

    return DEFAULT_BUDGET[task.model.network.device.type]


def held_loss(task: Task, weights: Any) -> np.ndarray:
    """Loss of every held-out pair under these weights (None: ours as they are)."""
    from rewardsmith.model.scorer import Sequences, score

    network = task.model.network
    if weights is not None:
        network = deepcopy(network)
        network.hf.load_state_dict({key: value.cpu() for key, value in weights.items()})
        network.take_head()
    rewards = score(network, [Sequences(example.prompt_id, tuple(example.tree.sequences)) for example in task.held])
    margins = [values[e.preferred[0]] - values[e.other[0]] for values, e in zip(rewards, task.held, strict=True)]
    return np.logaddexp(0, -np.array(margins))


def loss_figures(losses: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean held-out loss of each, and the paired difference to ours with its 95 % interval."""
    figures: dict[str, Any] = {"n": len(losses["ours"])}
    for name, values in losses.items():
        difference = values - losses["ours"]
        half = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
        figures[name] = {
            "held_out_loss": values.mean(),
            "minus_ours": difference.mean(),
            "interval": [difference.mean() - half, difference.mean() + half],
        }
    return figures


def token_counts(task: Task) -> dict[str, float]:
    """Tokens that trees hold, of separate sequences, and of padded batches."""

    def padded(examples: Sequence[Any]) -> int:
        longest = [longer(example) for example in examples]
        return sum(2 * BATCH * max(longest[start : start + BATCH]) for start in range(0, len(longest), BATCH))

    trees = sum(example.tree.tokens for example in task.examples)
    return {
        "trees": trees,
        "separate": sum(len(ids) for example in task.examples for ids in example.tree.sequences),
        "padded": padded(task.examples),
        "padded_grouped": padded(task.grouped),
        "padded_over_trees": padded(task.examples) / trees,
        "padded_grouped_over_trees": padded(task.grouped) / trees,
    }


# Memory


class Watch:
    """Takes the place of `Turns`: adds up what torch allocates and frees during the second step, and keeps the peak.

    Weights and moments are there by then; what comes is the step's gradients and what the backward pass needs. What is
    resident tells less: libraries keep buffers, and malloc keeps what is free.
    """

    def __init__(self) -> None:
        from torch.profiler import ProfilerActivity, profile

        self.profile = profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True)
        self.steps = 0

    def begin(self, name: str) -> None:
        """Nothing to wait for."""

    def step(self, name: str) -> None:
        """After an optimizer step."""
        self.steps += 1
        gc.collect()
        if self.steps == 1:
            self.profile.start()
        elif self.steps == 2:
            self.profile.stop()

    def peak(self) -> int:
        """Bytes at the peak of the second step beyond those at its start."""
        events = self.profile.profiler.kineto_results.events()
        changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
        return int(max(itertools.accumulate(size for _, size in sorted(changes))))


def measure_memory(arguments: argparse.Namespace, who: str, folder: Path) -> dict[str, float]:
    """Peak of a training step without weights, gradients and optimizer, in MB, on the longest pairs."""
    task = prepare(arguments, arguments.sets[0])
    task.examples = sorted(task.examples, key=longer)[-BATCH:]  # one step, done twice
    kind, _, size = who.partition("-")
    watch: Any = Watch()
    if kind == "trl":
        trainer = trl_trainer(task, folder, grouped=False, turns=watch, name=who, micro=int(size), epochs=2)
        model = trainer.model
        trainer.train()
    else:
        budget = int(size or budget_of(task))
        our_trainer(task, folder / "run", turns=watch, name=who, budget=budget, epochs=2).run()
        model = task.model.network.hf
    gradients = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    return {"activation_mb": (watch.peak() - gradients) / 1e6, "gradients_mb": gradients / 1e6}


def memory(arguments: argparse.Namespace, name: str) -> dict[str, Any]:
    """TRL at every accumulation that makes batches of eight, ours at several budgets; each in a new process."""
    kinds = ["trl-1", "trl-2", "ours-1", "ours-2048", "ours"]
    found = {}
    for who in kinds:
        command = [sys.executable, __file__, *arguments.given, "--sets", name, "--worker", who]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found[who] = json.loads(done.stdout.splitlines()[-1])["activation_mb"]
    best = min((who for who in kinds if who.startswith("trl")), key=found.__getitem__)
    rows = [
        {
            "name": f"activation peak {name}, {ours}, against {best}",
            "ours": found[ours],
            "peer": found[best],
            "ratio": found[ours] / found[best],
            "goal": MEMORY_GOAL,
            "met": found[ours] / found[best] <= MEMORY_GOAL,
            "n": 1,
        }
        for ours in kinds
        if ours.startswith("ours")
    ]
    return {"comparisons": rows, "activation_mb": found}


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=os.environ.get("REWARDSMITH_DATA"), help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--segments", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="optimizer steps of a segment")
    parser.add_argument("--held", type=int, default=200, help="held-out pairs for the final loss")
    parser.add_argument("--budget", type=int, help="our tokens per forward pass (default: what train takes)")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.data:
        parser.error("--data: name the folder with hh-rlhf and ultrafeedback-noise, or set REWARDSMITH_DATA")
    arguments.given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if arguments.worker:
            print(json.dumps(measure_memory(arguments, arguments.worker, Path(folder))))
            return
        report(arguments, Path(folder))


def report(arguments: argparse.Namespace, folder: Path) -> None:
    """All that was asked for, as a table and as JSON."""
    import torch

    from rewardsmith.bench.environment import describe_machine, version_of
    from rewardsmith.files import write_json

    speeds = {} if arguments.no_speed else {name: speed(arguments, name, folder) for name in arguments.sets}
    memories = {} if arguments.no_memory else {name: memory(arguments, name) for name in arguments.sets}
    rows = [row for part in (*speeds.values(), *memories.values()) for row in part.pop("comparisons")]
    print(table([row for row in rows if "seconds" in row], "pairs per second"))
    print(table([row for row in rows if "seconds" not in row], "MB"))
    for name, part in speeds.items():
        print(name, json.dumps(part["loss"], default=float))
    write_json(
        arguments.output,
        {
            "comparisons": rows,
            "training": speeds,
            "memory": memories,
            "settings": {
                "model": arguments.model, "layers": arguments.layers, "batch": BATCH, "dtype": arguments.dtype,
                "segments": arguments.segments, "steps_per_segment": arguments.steps, "lr": LR,
                "threads": torch.get_num_threads(), "load_average": os.getloadavg(),
            },
            "versions": {name: version_of(name) for name in ("trl", "transformers", "torch")},
            "machine": describe_machine(),
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
