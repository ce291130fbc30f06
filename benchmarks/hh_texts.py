"""What several small encoders and a language model see of Anthropic HH's pairs, computed once and kept for `hh_stack.py`.

    REWARDSMITH_DATA=… python benchmarks/hh_texts.py --cache FOLDER

multilingual-e5-small: embeddings of the response alone, of the last turn of the prompt with the response, and of the prompt.
With --states also SmolLM2-135M in bf16 (an hour and more on two cores): hidden states of every third layer at the last token
and as a mean over the response, the mean over the prompt, and the log-probability of the response's tokens.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import rewardsmith as rs
from hh_features import BUDGET, EVERY, HH, hidden_states, open_backbone
from rewardsmith.model.forward.batches import PackedTrees, micro_batches
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.progress import Progress
from rewardsmith.records import Record
from rewardsmith.terminal import progress_for
from rewardsmith.train.examples import Example, encode_examples

LAYERS = tuple(range(EVERY, 31, EVERY))
PROMPT_LAYER = LAYERS.index(18)
ENCODED = 256
"""Tokens of a text that the encoder reads at most."""


@dataclass(frozen=True)
class Texts:
    """Decided comparisons of one file: per side what models see, and per prompt what is shared."""

    embedded: tuple[np.ndarray, np.ndarray]
    """Of the preferred and the other, (N, 2, E): the response alone, and with the last turn of the prompt before it."""
    prompt: np.ndarray
    """(N, E), with states (N, E + H): the prompt as the encoder sees it, and the language model."""
    prompts: np.ndarray
    texts: tuple[list[str], list[str]]
    states: tuple[np.ndarray, np.ndarray] | None = None
    """(N, layers, 2, H), last token and mean."""
    likelihood: tuple[np.ndarray, np.ndarray] | None = None
    """(N, 2): the sum of the response's log-probabilities, and the number of its tokens."""


def log_probabilities(hidden: torch.Tensor, embedding: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """(T,) of the tokens `ids`, each from the state before it."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = F.linear(hidden, embedding)
    return -F.cross_entropy(logits.float(), ids, reduction="none")


def seen(model: RewardModel, batch: PackedTrees, examples: Sequence[Example]) -> Iterator[dict[str, np.ndarray]]:
    """What the language model gives for each example of a batch."""
    states = hidden_states(model, batch, LAYERS)
    embedding, start = model.network.hf.base_model.embed_tokens.weight, 0
    for example in examples:
        prefix = slice(start, start + len(example.tree.prefix))
        start += len(example.tree.prefix)
        rows, told = [], []
        for branch in example.tree.branches:
            span = slice(start, start + len(branch))
            rows.append(torch.stack([torch.stack([s[span][-1], s[span].mean(0)]) for s in states]))
            before = torch.cat([states[-1][prefix][-1:], states[-1][span][:-1]])
            ids = torch.from_numpy(np.asarray(branch)).long()
            told.append([float(log_probabilities(before, embedding, ids).sum()), float(len(branch))])
            start += len(branch)
        yield {
            "states": torch.stack(rows).float().numpy().astype(np.float16),
            "likelihood": np.array(told),
            "prompt": states[PROMPT_LAYER][prefix].mean(0).float().numpy(),
        }


def by_language_model(model: RewardModel, examples: Sequence[Example], progress: Progress) -> list[Any]:
    """`seen` of every example, in order."""
    found: list[Any] = [None] * len(examples)
    with progress.task("language model", len(examples), "records") as task, torch.inference_mode():
        for group in micro_batches([e.tree for e in examples], BUDGET, packed=True):
            chosen = [examples[index] for index in group]
            batch = model.network.collate([e.tree for e in chosen])
            assert isinstance(batch, PackedTrees)
            for index, values in zip(group, seen(model, batch, chosen), strict=True):
                found[index] = values
            task.advance(len(group))
    return found


def embeddings(texts: Sequence[str], progress: Progress) -> np.ndarray:
    """Mean-pooled states of multilingual-e5-small, (N, E), of length 1."""
    from transformers import AutoModel, AutoTokenizer

    from rewardsmith.files.places import models_folder

    folder = models_folder() / "e5-multilingual"
    tokenizer, encoder = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
    found = np.zeros((len(texts), encoder.config.hidden_size), dtype=np.float32)
    with progress.task("encoder", len(texts), "texts") as task, torch.inference_mode():
        for begin in range(0, len(order), 32):
            group = order[begin : begin + 32]
            rows = tokenizer(
                [f"query: {texts[k]}" for k in group],
                truncation=True,
                max_length=ENCODED,
                padding=True,
                return_tensors="pt",
            )
            states, mask = encoder(**rows).last_hidden_state, rows["attention_mask"][..., None]
            found[group] = F.normalize((states * mask).sum(1) / mask.sum(1), dim=1).numpy()
            task.advance(len(group))
    return found


def decided(records: Sequence[Record], examples: Sequence[Example]) -> list[tuple[Example, Record, int, int]]:
    """The decided comparisons: example, record, preferred, other."""
    by_place = {record.place: record for record in records}
    return [
        (example, by_place[example.place], int(i), int(j))
        for example in examples
        for i, j, p in zip(example.preferred, example.other, example.preference, strict=True)
        if p != 0.5
    ]


def by_encoder(rows: Sequence[tuple[Example, Record, int, int]], progress: Progress) -> dict[str, np.ndarray]:
    """The embeddings of all comparisons, with the number of each one's prompt."""
    sides = sides_of(rows)
    asked = [record.prompt[-1].content if record.prompt else "" for _, record, *_ in rows]
    whole = ["\n".join(turn.content for turn in record.prompt[-3:]) for _, record, *_ in rows]
    together = [f"{a}\n{text}" for side in sides for a, text in zip(asked, side, strict=True)]
    encoded = embeddings([*sides[0], *sides[1], *together, *whole], progress)
    parts = np.split(encoded, [len(rows) * k for k in range(1, 5)])
    return {
        "prompt": parts[4],
        "embedded0": np.stack([parts[0], parts[2]], axis=1),
        "embedded1": np.stack([parts[1], parts[3]], axis=1),
    }


def by_states(
    model: RewardModel,
    examples: Sequence[Example],
    rows: Sequence[tuple[Example, Record, int, int]],
    progress: Progress,
) -> dict[str, np.ndarray]:
    """What the language model gives for all comparisons."""
    by_model = dict(zip(map(id, examples), by_language_model(model, examples, progress), strict=True))
    taken = [by_model[id(example)] for example, *_ in rows]
    arrays = {"prompt": np.stack([each["prompt"] for each in taken])}
    for side in (0, 1):
        for key in ("states", "likelihood"):
            arrays[f"{key}{side}"] = np.stack([each[key][row[2 + side]] for each, row in zip(taken, rows, strict=True)])
    return arrays


def sides_of(rows: Sequence[tuple[Example, Record, int, int]]) -> tuple[list[str], list[str]]:
    """The texts of the preferred responses, and of the others."""
    return tuple([record.responses[k[side]].text for _, record, *k in rows] for side in (0, 1))  # type: ignore[return-value]


def kept(path: Path, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from a file, which is written whole where it is not there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, **compute())
        part.replace(path)
    with np.load(path) as stored:
        return dict(stored)


def cached(name: str, data: Path, cache: Path, *, states: bool) -> Texts:
    """Everything of one file, from the cache where it is there."""
    progress, stem = progress_for(sys.stderr), name.replace("/", "-")
    records = list(rs.load(str(data / name)).records)
    model = open_backbone("smollm2-135m")
    examples = encode_examples(records, model.encoder, share=True).examples
    rows = decided(records, examples)
    prompts = np.array([int(example.prompt_id[:12], 16) for example, *_ in rows])
    seen = kept(cache / f"{stem}.e5.npz", lambda: by_encoder(rows, progress))
    embedded = (seen["embedded0"], seen["embedded1"])
    if not states:
        return Texts(embedded, seen["prompt"], prompts, sides_of(rows))
    more = kept(cache / f"{stem}.states.npz", lambda: by_states(model, examples, rows, progress))
    prompt = np.concatenate([seen["prompt"], more["prompt"]], axis=1)
    two = {key: (more[f"{key}0"], more[f"{key}1"]) for key in ("states", "likelihood")}
    return Texts(embedded, prompt, prompts, sides_of(rows), **two)


def main() -> None:
    """Fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--states", action="store_true", help="also the language model's states")
    arguments = parser.parse_args()
    if not (folder := os.environ.get("REWARDSMITH_DATA")):
        sys.exit("set REWARDSMITH_DATA to the folder that holds hh-rlhf/")
    for name in HH:
        print(name, len(cached(name, Path(folder), arguments.cache, states=arguments.states).prompts))


if __name__ == "__main__":
    main()
