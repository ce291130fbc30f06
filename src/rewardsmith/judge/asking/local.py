"""Label probabilities of a language model here: one pass over the prompt, one token more where labels have several."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch

from rewardsmith.errors import ContractError
from rewardsmith.generate.candidates import Sampling, digest_of
from rewardsmith.generate.local.decoding import DecodingState
from rewardsmith.generate.local.generator import groups
from rewardsmith.generate.local.model import LanguageModel
from rewardsmith.generate.local.prompts import Prompts
from rewardsmith.judge.asking.labels import LabelMasses, LabelQuestion, MassesFound, failure
from rewardsmith.judge.asking.trie import LabelPaths, Path, label_paths

BUDGET = 8192
"""Tokens of the prompts that are read together."""


@dataclass(frozen=True)
class RenderedQuestion:
    """A question in tokens, with the spellings of its labels."""

    question: LabelQuestion
    ids: tuple[int, ...]
    paths: LabelPaths


class QuestionRenderer:
    """Questions → token ids under the chat template of a tokenizer, the cue behind what begins an answer."""

    def __init__(self, tokenizer: object, thinking: bool | None) -> None:
        self.tokenizer = tokenizer
        self.prompts = Prompts(tokenizer, Sampling(thinking=thinking))
        self.known: dict[tuple[str, ...], LabelPaths] = {}

    def render(self, question: LabelQuestion) -> RenderedQuestion:
        """The question in tokens; ContractError where the template begins reasoning, behind which no label can be read."""
        prompt = self.prompts.render(question.prompt)
        if prompt.awaited is not None:
            raise ContractError(
                "the chat template begins with reasoning, so no label can follow the prompt; set thinking: false, or "
                "reading: text"
            )
        if question.labels not in self.known:
            self.known[question.labels] = label_paths(self.tokenizer, question.labels)
        cue = self.prompts.encoder.tokenizer.encode(question.cue, add_special_tokens=False) if question.cue else []
        return RenderedQuestion(question, (*prompt.ids, *map(int, cue)), self.known[question.labels])


@dataclass
class LocalLabels:
    """A causal language model that is asked for `batch` questions at a time."""

    model: LanguageModel
    batch: int = 16
    thinking: bool | None = None
    renderer: QuestionRenderer = field(init=False)

    def __post_init__(self) -> None:
        self.renderer = QuestionRenderer(self.model.tokenizer, self.thinking)

    def made_by(self) -> str:
        """Files, precision, device and template; sums of another order round otherwise, and what is kept stays."""
        hf = self.model.hf
        return digest_of(self.model.files, str(hf.dtype), hf.device.type, self.thinking)

    def score(self, questions: Sequence[LabelQuestion], found: MassesFound) -> None:
        """Answer the questions, the shortest first; one that is too long for the model has no masses."""
        rendered = []
        for question in questions:
            try:
                one = self.renderer.render(question)
                self._check_room(one)
            except ContractError as error:
                found(question, failure(error))
                continue
            rendered.append(one)
        rendered.sort(key=lambda one: (one.question.labels, len(one.ids)))
        for _, alike in groupby(rendered, key=lambda one: one.question.labels):
            for batch in batches(list(alike), self.batch):
                for one, masses in zip(batch, self._masses(batch), strict=True):
                    tokens = len(one.ids)
                    found(one.question, LabelMasses(masses, tokens=0, prompt_tokens=tokens))

    def _check_room(self, one: RenderedQuestion) -> None:
        longest, needed = self.model.longest, len(one.ids) + max(map(len, one.paths.spelt))
        if longest is not None and needed > longest:
            raise ContractError(f"the question has {needed} tokens, more than the {longest} of the model")

    @torch.inference_mode()
    def _masses(self, batch: Sequence[RenderedQuestion]) -> list[tuple[float, ...]]:
        """The masses of some questions with the same labels: the prompts are read once, and each beginning of a label is a
        row of its own on the same keys and values.
        """
        paths = batch[0].paths
        ends, tokens = paths.longest_inner, paths.tokens
        state = DecodingState(self.model.hf, [one.ids for one in batch], max(1, len(ends)))
        known: list[dict[Path, np.ndarray]] = [{(): row} for row in log_probabilities(state.logits, tokens)]
        for depth in range(max(map(len, ends), default=0)):
            steps = torch.tensor([path[min(depth, len(path) - 1)] for path in ends], device=state.mask.device)
            rows = log_probabilities(state.step(steps.repeat(len(batch))), tokens)
            for at, one in enumerate(known):
                own = rows[at * len(ends) : (at + 1) * len(ends)]
                one |= {path[: depth + 1]: row for path, row in zip(ends, own, strict=True) if depth < len(path)}
        return [paths.masses(one) for one in known]


def log_probabilities(logits: torch.Tensor, tokens: Sequence[int]) -> np.ndarray:
    """The log-probabilities (rows, tokens) of some tokens, of the whole vocabulary's softmax in fp32."""
    wide = logits.float()
    chosen = wide[:, torch.tensor(tokens, device=wide.device)] - wide.logsumexp(dim=-1, keepdim=True)
    return chosen.double().cpu().numpy()


def batches(rendered: Sequence[RenderedQuestion], most: int) -> Iterator[Sequence[RenderedQuestion]]:
    """Questions of ascending length in stretches of at most `most`, padded to no more than BUDGET tokens where several."""
    for group in groups(rendered, most):
        size = max(1, BUDGET // len(group[-1].ids))
        yield from groups(group, size)
