"""The remote generator: one request per sample, several at a time; a failure is the outcome of its sample alone."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from rewardsmith.generate.candidates import (
    Candidate,
    Failed,
    Finished,
    PromptRequest,
    SampleOutcome,
    Sampling,
    digest_of,
)
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.generate.remote.sending import Hopeless, Refused, Sender
from rewardsmith.generate.remote.wire import body_of

AHEAD = 2
"""Requests that wait for each that is under way; bounds memory."""
Asked = tuple[PromptRequest, int]


@dataclass
class RemoteGenerator:
    """A model behind an API. Its seeds are sent along; whether the same seed gives the same text is up to the server.

    `retried` counts requests that were sent again.
    """

    endpoint: Endpoint
    retried: int = 0

    @property
    def name(self) -> str:
        """The model's name in the API."""
        return self.endpoint.model

    def made_by(self, sampling: Sampling) -> str:
        """The address and the model, and whether log-probabilities are asked for; neither the key nor the pace."""
        return digest_of(self.endpoint.address, self.endpoint.model, self.endpoint.logprobs)

    def generate(self, requests: Sequence[PromptRequest], sampling: Sampling, finished: Finished) -> None:
        """Ask for every wanted sample; Hopeless where the API refuses what it would refuse every time."""
        wanted = iter([(request, sample) for request in requests for sample in request.samples])
        sender = Sender(self.endpoint)
        pool = ThreadPoolExecutor(self.endpoint.concurrency, thread_name_prefix="generate")
        try:
            for (request, sample), outcome in answered(pool, sender, wanted, sampling):
                finished(request, sample, outcome)
        finally:
            sender.close()
            pool.shutdown(wait=True, cancel_futures=True)
            self.retried += sender.retried


def answered(
    pool: ThreadPoolExecutor, sender: Sender, wanted: Iterator[Asked], sampling: Sampling
) -> Iterator[tuple[Asked, SampleOutcome]]:
    """Every sample with what came of it, as it comes."""

    def start(asked: Asked) -> "tuple[Future[Candidate], Asked]":
        request, sample = asked
        return pool.submit(sender.ask, body_of(sender.endpoint, sampling, request.prompt, sample)), asked

    waiting = dict(map(start, islice(wanted, AHEAD * sender.endpoint.concurrency)))
    while waiting:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            asked = waiting.pop(future)
            waiting.update(map(start, islice(wanted, 1)))
            yield asked, outcome_of(future)


def outcome_of(future: "Future[Candidate]") -> SampleOutcome:
    """The candidate, or why there is none; what ends the whole run is raised."""
    try:
        return future.result()
    except Hopeless:
        raise
    except Refused as error:
        return Failed(str(error))
