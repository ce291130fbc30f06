"""Label probabilities: what is asked, what comes back, and the protocol of whatever gets them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rewardsmith.errors import DataError
from rewardsmith.generate.candidates import digest_of, prompt_facts
from rewardsmith.records import Conversation

AMBIGUOUS, LITTLE_MASS, FAILED = "ambiguous_label", "little_mass", "failed"
"""Why a question has no probabilities: an API cannot tell labels apart, the model would answer something else, an error."""


@dataclass(frozen=True)
class LabelQuestion:
    """A prompt, how its answer begins (`cue`), and the labels of which one may follow; by its place among those asked."""

    number: int
    prompt: Conversation
    labels: tuple[str, ...]
    cue: str = ""

    def key(self, made_by: str) -> str:
        """The key under which the answer is kept."""
        return digest_of("labels", made_by, prompt_facts(self.prompt), self.labels, self.cue)


@dataclass(frozen=True)
class LabelMasses:
    """How much probability each label has of being how the answer begins, in the order of the labels; not normalised.

    A label that another one begins with (1 of 10) has what remains without the longer one. Where nothing can be told, no
    masses and a `problem`, with `reason` in a sentence; `tokens` counts those generated, `prompt_tokens` those read.
    """

    masses: tuple[float, ...] = ()
    problem: str = ""
    reason: str = ""
    tokens: int | None = None
    prompt_tokens: int | None = None

    def to_json(self) -> list[Any]:
        """As the store keeps it: what can be asked again is not kept."""
        return [list(self.masses), self.problem, self.tokens, self.prompt_tokens]

    @property
    def lasting(self) -> bool:
        """Whether asking again would give the same."""
        return self.problem != FAILED


MassesFound = Callable[[LabelQuestion, LabelMasses], None]


class LabelScorer(Protocol):
    """Anything that gives the probabilities of labels."""

    def made_by(self) -> str:
        """A name for all that decides them, in hexadecimal."""

    def score(self, questions: Sequence[LabelQuestion], found: MassesFound) -> None:
        """Answer the questions in any order; each goes to `found` once, from the calling thread."""


def failure(reason: object) -> LabelMasses:
    """A question that was not answered, and why."""
    return LabelMasses(problem=FAILED, reason=str(reason))


def masses_from(value: Any) -> LabelMasses:
    """What `to_json` made; DataError for anything else."""
    try:
        masses, problem, tokens, prompt_tokens = value
        found = LabelMasses(tuple(map(float, masses)), str(problem), "", tokens, prompt_tokens)
    except (TypeError, ValueError) as error:
        raise DataError(f"stored label probabilities are damaged: {error}") from error
    if not all(math.isfinite(mass) and mass >= 0 for mass in found.masses):
        raise DataError("stored label probabilities are damaged: expected finite numbers of at least 0")
    return found
