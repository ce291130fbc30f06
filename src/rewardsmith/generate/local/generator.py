"""The local generator: prompts of similar length into batches, as fixed by the run and not by what is left of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.errors import ContractError
from rewardsmith.generate.candidates import (
    LENGTH,
    Candidate,
    Failed,
    Finished,
    PromptRequest,
    Sampling,
    digest_of,
    seed_of,
)
from rewardsmith.generate.local.choosing import Draws
from rewardsmith.generate.local.decoding import GrowingSample, decode
from rewardsmith.generate.local.model import LanguageModel
from rewardsmith.generate.local.prompts import Prompts, RenderedPrompt

Rendered = tuple[PromptRequest, RenderedPrompt]


@dataclass
class LocalGenerator:
    """A causal language model that answers `batch` samples at a time; the samples of a prompt share its keys and values."""

    model: LanguageModel
    name: str
    batch: int = 32

    def made_by(self, sampling: Sampling) -> str:
        """Files, precision and device, and the size of a batch, since sums of another order round otherwise."""
        hf = self.model.hf
        return digest_of(self.model.files, str(hf.dtype), hf.device.type, self.batch, sampling.n)

    def generate(self, requests: Sequence[PromptRequest], sampling: Sampling, finished: Finished) -> None:
        """Answer the requests, the shortest prompts first.

        Batches hold all samples of their prompts, wanted or not, so that a resumed run computes what an uninterrupted one
        does; a batch of which none is wanted is passed over.
        """
        prompts = Prompts(self.model.tokenizer, sampling)
        rendered: list[Rendered] = []
        for request in requests:
            try:
                one = prompts.render(request.prompt)
                self._check_room(one, sampling)
            except ContractError as error:
                for sample in request.samples:
                    finished(request, sample, Failed(str(error)))
                continue
            rendered.append((request, one))
        rendered.sort(key=lambda pair: len(pair[1].ids))
        for group in groups(rendered, max(1, self.batch // sampling.n)):
            if any(request.samples for request, _ in group):
                self._answer(group, prompts, sampling, finished)

    def _answer(self, group: Sequence[Rendered], prompts: Prompts, sampling: Sampling, finished: Finished) -> None:
        """Generate for some prompts; where one has more samples than a batch takes, in several batches."""
        wanted = frozenset[int]().union(*(request.samples for request, _ in group))
        for numbers in groups(range(sampling.n), self.batch):
            if wanted.isdisjoint(numbers):
                continue
            computed = [0] if sampling.greedy else numbers  # greedy samples are all the same
            rows = [[started(request, sample, sampling) for sample in computed] for request, _ in group]
            decode(self.model.hf, [one.ids for _, one in group], rows, sampling, ends=self.model.ends)
            for (request, one), made in zip(group, rows, strict=True):
                candidates = [candidate_of(row, one, prompts) for row in made] * (len(numbers) // len(made))
                deliver(request, dict(zip(numbers, candidates, strict=True)), finished)

    def _check_room(self, prompt: RenderedPrompt, sampling: Sampling) -> None:
        longest = self.model.longest
        if longest is not None and len(prompt.ids) + sampling.max_tokens > longest:
            raise ContractError(
                f"the prompt has {len(prompt.ids)} tokens, and with {sampling.max_tokens} generated ones it exceeds the "
                f"{longest} of the model; shorten it or lower --max-tokens"
            )


def deliver(request: PromptRequest, made: Mapping[int, Candidate], finished: Finished) -> None:
    """Give away the samples that are wanted."""
    for sample, candidate in made.items():
        if sample in request.samples:
            finished(request, sample, candidate)


def started(request: PromptRequest, sample: int, sampling: Sampling) -> GrowingSample:
    """A row of no tokens yet, with the draws of its prompt and number."""
    return GrowingSample(None if sampling.greedy else Draws(seed_of(sampling.seed, request.prompt, sample)))


def candidate_of(row: GrowingSample, prompt: RenderedPrompt, prompts: Prompts) -> Candidate:
    """What a finished row says."""
    said = prompts.text(row.tokens, prompt.awaited)
    text = said.text.rstrip("\ufffd") if row.finish == LENGTH else said.text  # half a character at the limit
    return Candidate(text, row.finish, said.reasoning, len(row.tokens), row.logprob, len(prompt.ids))


def groups(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Items in stretches of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
