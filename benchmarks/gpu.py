"""Training on a GPU: model-FLOP utilisation, and pairs per second beside TRL; random weights, multi-turn lengths.

    python benchmarks/gpu.py                                    # 0.6B and 1.5B shapes, 1k to 8k tokens, on CUDA
    python benchmarks/gpu.py --flash-pref ENVIRONMENT/bin/python  # also beside flash-pref (see prefix_sharing_peer.py)
    python benchmarks/gpu.py --smoke                            # tiny shapes on this machine's CPU: does it run at all

Pairs of random tokens whose prompt is --shared of the longer sequence, as in dialogues of several turns. Ours is the loop
that `train` runs, with the budget that its calibration picks; TRL gets the largest micro-batch that fits into memory. Both
in bf16 autocast with fp32 weights, fused AdamW, batch 8, no gradient checkpointing, in turns. Utilisation: the floor of
`rewardsmith bench` (each token of the trees once, attention over pairs that see each other) over time and peak, the
optimizer included; the peak is a measured product of square matrices, or --peak in TFLOP/s.
"""

import argparse
import datetime
import os
import statistics
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prefix_sharing_peer import FlashPref
from taking_turns import Turns, compared, table
from train_vs_trl import BATCH, CLIP, DECAY, LR, Task, our_trainer, trl_trainer

RESULT = Path(__file__).parent / "results" / "gpu.json"
SHAPES = {
    "qwen3-0.6b": {
        "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    },
    "qwen3-1.5b": {
        "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
        "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 151936,
    },
    "smoke": {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 512,
    },
}  # fmt: skip
MFU_GOAL, RATIO_GOAL = 0.45, 2.5
EQUAL = 1.0  # against flash-pref, which shares prefixes as well: no slower


def model_of(shape: str, length: int, device: str, dtype: str) -> Any:
    """A reward model of that shape with random weights; the byte tokenizer, whose ids the shape's vocabulary holds."""
    from transformers import AutoModelForSequenceClassification, Qwen3Config

    from rewardsmith.model.loading.backbones import Backbone
    from rewardsmith.model.loading.tiny import byte_tokenizer
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.scoring.contract import make_contract

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = Qwen3Config(
        **SHAPES[shape], num_labels=1, pad_token_id=tokenizer.pad_token_id, max_position_embeddings=length,
        problem_type="regression",
    )  # fmt: skip
    hf = AutoModelForSequenceClassification.from_config(config)
    contract = make_contract(tokenizer, "decoder", max_length=length, date=datetime.date(2025, 1, 1))
    return RewardModel.build(Backbone(hf, tokenizer, "decoder", True, None), contract, device=device, dtype=dtype)


def pairs(count: int, length: int, shared: float, size: int) -> list[Any]:
    """Pairs between half and all of `length` long, the prompt `shared` of it."""
    from rewardsmith.bench.share import example_of
    from rewardsmith.scoring.trees import build_tree

    draw = np.random.default_rng(0)
    made = []
    for number in range(count):
        longest = int(draw.integers(length // 2, length + 1))
        prompt = int(shared * longest)
        rest = [longest - prompt, max(1, int((longest - prompt) * draw.uniform(0.4, 1)))]
        start, *answers = (draw.integers(1, size, n).astype(np.int32) for n in (prompt, *rest))
        made.append(example_of(number, build_tree([np.concatenate([start, answer]) for answer in answers])))
    return made


def fitting_micro(task: Task, folder: Path) -> int:
    """The largest micro-batch of TRL that gets through two steps."""
    for micro in (8, 4, 2, 1):
        try:
            small = Task(task.model, task.examples[: 2 * BATCH], [], [])
            trl_trainer(small, folder, grouped=False, turns=None, name="trl", micro=micro).train()
            return micro
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
    raise SystemExit("TRL does not fit into this GPU's memory even one pair at a time; choose a smaller --lengths")


def flash_pref(arguments: argparse.Namespace, task: Task, shape: str, length: int, folder: Path) -> FlashPref:
    """flash-pref's worker on the same pairs."""
    pairs = [tuple(e.tree.sequences[k].tolist() for k in (e.preferred[0], e.other[0])) for e in task.examples]
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "shape": SHAPES[shape], "length": length, "pad": task.model.tokenizer.pad_token_id, "device": arguments.device,
        "bf16": task.model.network.autocast is torch.bfloat16, "pairs": pairs, "batch": BATCH, "lr": LR, "decay": DECAY,
        "clip": CLIP,
    }  # fmt: skip
    return FlashPref(arguments.flash_pref, about, folder)


def take_turns(
    task: Task, folder: Path, steps: int, micro: int, budget: int, peer: FlashPref
) -> dict[str, list[float]]:
    """Seconds of the segments of all, after the first one, which compiles and warms up."""
    others = ["trl"] if peer.why_not else ["trl", "flash-pref"]
    turns = Turns((*others, "ours"), steps)
    trainer = trl_trainer(task, folder / "trl", grouped=False, turns=turns, name="trl", micro=micro)
    clock: list[float] = []

    def work_with_peer() -> None:
        turns.begin("flash-pref")
        for _ in range(len(task.examples) // BATCH // steps):
            clock.append(peer.segment(steps))
            for _ in range(steps):
                turns.step("flash-pref")

    def work(name: str) -> None:
        try:
            trainer.train() if name == "trl" else work_with_peer()
        finally:
            turns.leave(name)

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in others]
    for thread in threads:
        thread.start()
    turns.begin("ours")
    our_trainer(task, folder / "ours", turns=turns, name="ours", budget=budget).run()
    turns.leave("ours")
    for thread in threads:
        thread.join()
    peer.end()
    return {name: times[1:] for name, times in {**turns.seconds, "flash-pref": clock}.items()}


def measure(arguments: argparse.Namespace, shape: str, length: int, folder: Path) -> tuple[list[Any], dict[str, Any]]:
    """Ours, TRL and flash-pref in turn on one shape and length."""
    from rewardsmith.bench.share import floor_of, matmul_job
    from rewardsmith.bench.timing import interleaved
    from rewardsmith.train.budget import calibrate

    model = model_of(shape, length, arguments.device, arguments.dtype)
    network = model.network
    size = SHAPES[shape]["vocab_size"]
    examples = pairs(BATCH * arguments.steps * (arguments.segments + 1), length, arguments.shared, size)
    task = Task(model, examples, [], [])
    peer = flash_pref(arguments, task, shape, length, folder / "flash-pref")
    micro = fitting_micro(task, folder / "try") if network.device.type == "cuda" else BATCH
    budget = calibrate(network, examples[:BATCH]).tokens
    seconds = take_turns(task, folder, arguments.steps, micro, budget, peer)
    dtype = network.autocast or torch.float32
    timing = interleaved([{"peak": matmul_job(network.device, dtype)}], repetitions=5, limit=60).by_job["peak"]
    peak = arguments.peak * 1e12 if arguments.peak else 2 * 2048**3 / timing.median
    flops = floor_of(network, [example.tree for example in examples]).training / (arguments.segments + 1)
    used = flops / statistics.median(seconds["ours"]) / peak
    units = BATCH * arguments.steps
    name = f"{shape}, {length} tokens"
    rows = [
        compared(f"train {name}, against {who}", seconds["ours"], seconds[key], units=units, goal=goal)
        for who, key, goal in (("TRL", "trl", RATIO_GOAL), ("flash-pref", "flash-pref", EQUAL))
        if seconds[key]
    ]
    share = {
        "name": f"model-FLOP utilisation, {name}", "ours": used, "peer": 1.0, "ratio": used, "goal": MFU_GOAL,
        "met": used >= MFU_GOAL, "n": arguments.segments,
    }  # fmt: skip
    facts = {"budget": budget, "trl_micro_batch": micro, "peak_tflops": peak / 1e12}
    return [*rows, share], {**facts, "flash_pref": peer.why_not or peer.facts}


def main() -> None:
    """Measure, print, keep."""
    from rewardsmith.bench.environment import describe_machine, version_of
    from rewardsmith.files import write_json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["qwen3-0.6b", "qwen3-1.5b"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--shared", type=float, default=0.75, help="share of the longer sequence that is prompt")
    parser.add_argument("--segments", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="optimizer steps of a segment")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--peak", type=float, help="the GPU's peak in TFLOP/s (default: measured)")
    parser.add_argument(
        "--flash-pref", metavar="PYTHON", help="of an environment that has flash-pref (default: skipped)"
    )
    parser.add_argument("--smoke", action="store_true", help="tiny shapes on the CPU; its figures mean nothing")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.shapes, arguments.lengths, arguments.device = ["smoke"], [64], "cpu"
        arguments.segments = arguments.steps = 2
        if arguments.output == RESULT:
            arguments.output = Path(tempfile.gettempdir()) / "gpu-smoke.json"
    rows, facts = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for shape in arguments.shapes:
            for length in arguments.lengths:
                found, facts[f"{shape} {length}"] = measure(
                    arguments, shape, length, Path(folder) / f"{shape}-{length}"
                )
                rows += found
    print(table(rows, "pairs per second; utilisation as a share"))
    for name, part in facts.items():
        if isinstance(part["flash_pref"], str):
            print(f"flash-pref, {name}: {part['flash_pref']}")
    versions = {name: version_of(name) for name in ("trl", "transformers", "torch")}
    write_json(
        arguments.output,
        {
            "comparisons": rows,
            "runs": facts,
            "versions": versions,
            "machine": describe_machine(),
            "load_average": os.getloadavg(),
        },
    )


if __name__ == "__main__":
    main()
