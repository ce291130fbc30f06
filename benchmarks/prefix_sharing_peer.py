"""The peer of gpu.py that shares prefixes too: flash-pref, in an environment of its own (it needs transformers below 4.52).

    pip install flash-pref flash-attn 'transformers<4.52'             # with torch for CUDA, in an environment of its own
    python benchmarks/gpu.py --flash-pref THAT_ENVIRONMENT/bin/python

`FlashPref` starts this file with that python and has it train segment by segment. The worker trains
`Qwen3ForSequenceClassification` of the same shape on the same token ids in `flash_pref.shared_prefix`: chosen, rejected,
padded on the right; bf16 autocast with fp32 weights, FlashAttention-2, fused AdamW, the largest micro-batch
that fits. Without CUDA it takes torch's own attention, under which flash-pref shares all but the attention.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MICRO = (8, 4, 2, 1)
LINE = "result "  # what the worker tells; everything else on its output is the libraries'


class FlashPref:
    """A worker that trains on demand; `why_not` says why there is none."""

    def __init__(self, python: str | None, task: Mapping[str, Any], folder: Path) -> None:
        self.why_not = "" if python else "skipped: name a python that has flash-pref with --flash-pref"
        self.facts: dict[str, Any] = {}
        if self.why_not:
            return
        path = folder / "task.json"
        path.write_text(json.dumps(task))
        self.process = subprocess.Popen(
            [str(python), __file__, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self._answer()
        self.why_not = self.facts.get("skipped", "")

    def segment(self, steps: int) -> float:
        """Train for so many optimizer steps; returns the seconds by the worker's clock."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self._answer()["seconds"])

    def end(self) -> None:
        """Let the worker end."""
        if hasattr(self, "process"):
            self.process.stdin.close()
            self.process.wait()

    def _answer(self) -> dict[str, Any]:
        for line in self.process.stdout:
            if line.startswith(LINE):
                return json.loads(line.removeprefix(LINE))
        raise SystemExit("flash-pref's worker ended; see its traceback above")


class Worker:
    """The model in flash-pref's environment, and where it stands in the pairs."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, Qwen3Config

        torch.manual_seed(0)
        self.task, self.at = task, 0
        self.device = torch.device(task["device"])
        flash = self.device.type == "cuda"
        config = Qwen3Config(
            **task["shape"],
            num_labels=1,
            pad_token_id=task["pad"],
            use_cache=False,
            max_position_embeddings=task["length"],
        )
        config._attn_implementation = "flash_attention_2" if flash else "sdpa"
        self.model = AutoModelForSequenceClassification.from_config(config).to(self.device).train()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=task["lr"], betas=(0.9, 0.98), weight_decay=task["decay"], fused=True
        )
        self.micro = 0

    def learn(self, pairs: Sequence[tuple[list[int], list[int]]], share: float) -> None:
        """Forward and backward pass over some pairs of a step, `share` of its loss for each."""
        import torch
        from flash_pref import shared_prefix

        rows = [torch.tensor(ids) for pair in pairs for ids in pair]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.task["pad"]).to(self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = (torch.arange(ids.shape[1], device=self.device) < lengths[:, None]).long()
        half = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.task["bf16"])
        with shared_prefix(self.model, input_ids=ids, attention_mask=mask, group_size=2, interleaved=False):
            with half:
                rewards = self.model(input_ids=ids, attention_mask=mask).logits.float().squeeze(-1)
            (-torch.nn.functional.logsigmoid(rewards[0::2] - rewards[1::2]).sum() * share).backward()

    def step(self) -> None:
        """One optimizer step over a batch of pairs, in micro-batches."""
        import torch

        batch = [self.task["pairs"][(self.at + k) % len(self.task["pairs"])] for k in range(self.task["batch"])]
        self.at += len(batch)
        for start in range(0, len(batch), self.micro):
            self.learn(batch[start : start + self.micro], 1 / len(batch))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.task["clip"])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def settle(self) -> None:
        """Find the largest micro-batch that gets through two steps."""
        import torch

        for self.micro in MICRO:
            try:
                self.step()
                self.step()
                self.at = 0
                return
            except torch.OutOfMemoryError:
                self.optimizer.zero_grad(set_to_none=True)
                torch.cuda.empty_cache()
        raise MemoryError("not even one pair fits")

    def segment(self, steps: int) -> float:
        """Seconds of so many steps; afterwards memory that is not in use is given back to the others."""
        import torch

        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return seconds


def missing(device: str) -> str:
    """Why flash-pref cannot run here, or nothing."""
    try:
        import flash_pref  # noqa: F401
        import torch

        if device == "cuda":
            if not torch.cuda.is_available():
                return "skipped: no CUDA in flash-pref's environment"
            import flash_attn  # noqa: F401
    except ImportError as error:
        return f"skipped: {error}"
    return ""


def main() -> None:
    """The worker: a task by its file, then a line for every segment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", type=Path)
    task = json.loads(parser.parse_args().task.read_text())

    def tell(answer: Mapping[str, Any]) -> None:
        print(LINE + json.dumps(answer), flush=True)

    if why := missing(task["device"]):
        tell({"skipped": why})
        return
    import torch
    import transformers

    worker = Worker(task)
    worker.settle()
    if worker.device.type == "cuda":
        torch.cuda.empty_cache()
    tell({"micro_batch": worker.micro, "torch": torch.__version__, "transformers": transformers.__version__})
    for line in sys.stdin:
        tell({"seconds": worker.segment(int(line))})


if __name__ == "__main__":
    main()
