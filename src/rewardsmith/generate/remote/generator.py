"""The remote generator: one request per sample, several at a time; a failure is the outcome of its sample alone."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from rewardsmith.generate.candidates import (
    Candidate,
    Failed,
    Finished,
    PromptRequest,
    Sampling,
    digest_of,
)
from rewardsmith.generate.remote.endpoint import Endpoint
from rewardsmith.generate.remote.many import answered
from rewardsmith.generate.remote.sending import Refused, Sender
from rewardsmith.generate.remote.wire import body_of

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
        wanted = [(request, sample) for request in requests for sample in request.samples]
        sender = Sender(self.endpoint)

        def ask(asked: Asked) -> Candidate:
            request, sample = asked
            return sender.ask(body_of(self.endpoint, sampling, request.prompt, sample))

        with contextlib.closing(answered(sender, wanted, ask)) as found, contextlib.ExitStack() as stack:
            stack.callback(self._count, sender)
            for (request, sample), outcome in found:
                finished(request, sample, Failed(str(outcome)) if isinstance(outcome, Refused) else outcome)

    def _count(self, sender: Sender) -> None:
        self.retried += sender.retried
