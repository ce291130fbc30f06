"""What makes an endpoint's rewards differ: every known mistake is computed on the model itself, and the one that gives what
the endpoint gave is named.

A mistake is a change of the tokens (BOS twice, another template, a cut) and one of the value (sigmoid, normalised to length
1); all combinations are tried, the simplest first.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.conformance import (
    Bench,
    NotApplicable,
    begin_doubled,
    begin_missing,
    end_doubled,
    end_missing,
)
from rewardsmith.errors import ContractError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.scoring.templates.rendered import cut_left

EXACT = 1e-3
"""Of the larger of 1 and the reward: fp32 over another library."""
COARSE_SD = 0.1
"""Standard deviations of the rewards: what half precision changes."""
LIMITS = (128, 256, 512, 1024, 2048, 4096, 8192)

Change = Callable[[Bench], np.ndarray]


@dataclass(frozen=True)
class Cause:
    """Why rewards differ, as a sentence; "" where they do not. `fit` is the largest difference that it leaves."""

    sentence: str
    fit: float


def without_template(bench: Bench) -> np.ndarray:
    """Prompt and response behind each other, as if there were no chat template."""
    texts = ["\n".join(turn.content for turn in text) for text in bench.texts]
    return tokenized_anew(bench, texts)


def with_generation_prompt(bench: Bench) -> np.ndarray:
    """The opening of one more turn behind the response (`add_generation_prompt`)."""
    tokenizer = bench.model.tokenizer
    if not tokenizer.chat_template:
        raise not_applicable("no chat template")
    texts = []
    for text in bench.texts:
        messages = [{"role": turn.role, "content": turn.content} for turn in text]
        texts.append(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
    return tokenized_anew(bench, texts)


def tokenized_anew(bench: Bench, texts: Sequence[str]) -> np.ndarray:
    """Rewards of other texts."""
    ids = iter([np.array(bench.model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts])
    return bench.with_ids(lambda _: next(ids), 0)


def not_applicable(why: str) -> NotApplicable:
    """A change that has no meaning for a model."""
    from rewardsmith.diagnose.finding import Said

    return NotApplicable(Said(why, why))


def cut_to(limit: int, *, left: bool) -> Change:
    """Texts cut to so many tokens on one side."""

    def change(bench: Bench) -> np.ndarray:
        if max(map(len, bench.ids)) <= limit:
            raise not_applicable("nothing is cut")
        return bench.with_ids(lambda ids: cut_left(ids, limit, None) if left else ids[:limit], 0)

    return change


CHANGES: dict[str, Change] = {
    "": lambda bench: bench.alone,
    "BOS is there twice (the server adds special tokens to a text that has them)": begin_doubled,
    "BOS is missing": begin_missing,
    "the last token of the template is missing": end_missing,
    "the last token of the template is there twice": end_doubled,
    "the server opens another turn behind the response (add_generation_prompt)": with_generation_prompt,
    "the server uses no chat template": without_template,
    **{f"texts are truncated to {limit} tokens on the right": cut_to(limit, left=False) for limit in LIMITS},
    **{f"texts are truncated to {limit} tokens on the left": cut_to(limit, left=True) for limit in LIMITS},
}
VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda rewards: rewards,
    "sigmoid is applied to the reward": sigmoid,
    "the reward is normalised to length 1 (an embedding of one number: only its sign is left)": np.sign,
    "softmax over a single label: every reward is 1": np.ones_like,
}


def candidates(bench: Bench) -> Iterator[tuple[str, np.ndarray]]:
    """Each combination of mistakes and the rewards that it gives, the simplest first."""
    changed = {}
    for name, change in CHANGES.items():
        with contextlib.suppress(NotApplicable, ContractError, StopIteration):
            changed[name] = change(bench)
    for value, transform in VALUES.items():
        for name, rewards in changed.items():
            yield "; ".join(filter(None, (value, name))), transform(rewards)


def cause_of(bench: Bench, found: np.ndarray, known: Sequence[tuple[str, np.ndarray]]) -> Cause:
    """The first combination that gives what was found up to rounding; else what can be said of the difference."""
    fits = [(float(np.abs(found - rewards).max()), name, rewards) for name, rewards in known]
    for fit, name, rewards in fits:
        if fit <= EXACT * max(1.0, float(np.abs(rewards).max())):
            return Cause(name, fit)
    coarse = COARSE_SD * float(bench.alone.std())
    fit, name, _ = min(fits, key=lambda each: each[0])
    if fit <= coarse:
        rounding = "rounding, as of half precision"
        return Cause("; ".join(filter(None, (name, rounding))), fit)
    return Cause(described(bench.alone, found), fit)


def described(expected: np.ndarray, found: np.ndarray) -> str:
    """A difference without a known cause: scaled and shifted, in the same order, or of another model."""
    if len(found) > 2 and expected.std() > 0 and found.std() > 0:
        slope, offset = np.polyfit(expected, found, 1)
        left = float(np.abs(found - (slope * expected + offset)).max())
        if left <= EXACT * max(1.0, float(np.abs(found).max())):
            return f"rewards are scaled by {slope:.4g} and shifted by {offset:.4g}"
        if (np.argsort(expected, kind="stable") == np.argsort(found, kind="stable")).all():
            return "the order of the rewards is the same, their values are not; another precision, or a curve over them"
    return "no known cause; another model, another version of it, or another template"
