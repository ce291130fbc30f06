"""What becomes of a conversation that is longer than the contract allows: first its prompt is cut, then its last answer.

Which conversations have their prompt cut is the contract's rule, by its version:

| version | the prompt of a record is cut to `prompt_budget` |
|---|---|
| 1 | where it is longer than that, whether or not prompt and response would fit together |
| 2 | for the responses with which it does not fit into `max_length`; everything before the last message is the prompt |

Under both a conversation is cut by itself: what stands beside it in a record changes nothing.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rewardsmith.errors import ContractError
from rewardsmith.records import Conversation
from rewardsmith.scoring.contract import ScoringContract


@dataclass(frozen=True)
class Cuts:
    """What of each of a record's K conversations did not fit.

    Turns dropped and tokens cut from its prompt, tokens cut from the end of its response: one number per response each.
    """

    prompt_turns: tuple[int, ...]
    prompt_tokens: tuple[int, ...]
    response_tokens: tuple[int, ...]

    @property
    def prompts(self) -> int:
        """How many responses stand behind a shortened prompt."""
        return sum(bool(turns or tokens) for turns, tokens in zip(self.prompt_turns, self.prompt_tokens, strict=True))

    @property
    def responses(self) -> int:
        """How many responses lost their end."""
        return sum(map(bool, self.response_tokens))

    @property
    def hit(self) -> int:
        """How many responses are not whole: their prompt or their end was cut."""
        return sum(map(any, zip(self.prompt_turns, self.prompt_tokens, self.response_tokens, strict=True)))

    @property
    def any(self) -> bool:
        """Whether anything at all was cut."""
        return self.hit > 0

    @property
    def different_context(self) -> bool:
        """Whether siblings stand behind different parts of their prompt."""
        return len({*zip(self.prompt_turns, self.prompt_tokens, strict=True)}) > 1


@dataclass(frozen=True)
class CutPrompt:
    """A prompt as it is kept, the turns dropped and the tokens cut from it."""

    kept: Conversation
    turns: int = 0
    tokens: int = 0


class Truncation:
    """Cuts conversations to what a contract allows.

    `length` gives the tokens of a conversation, `starts` the places in a text where a cut may be made.
    """

    def __init__(
        self, contract: ScoringContract, length: Callable[[Conversation], int], starts: Callable[[str], list[int]]
    ) -> None:
        self.contract = contract
        self.length = length
        self.starts = starts

    def cut_prompts(
        self, prompt: Conversation, responses: Sequence[Conversation], lengths: Sequence[int]
    ) -> list[tuple[Conversation, CutPrompt]]:
        """Each response behind as much of the prompt as the rule leaves it; `lengths` are those of the whole conversations.

        Raises ContractError where the system prompt alone is too long.
        """
        whole = CutPrompt(prompt)
        if self.contract.version == 1:
            cut = self.cut_prompt(prompt) if min(lengths) > self.contract.prompt_budget else whole
            return [(cut.kept + response, cut) for response in responses]
        known: dict[Conversation, CutPrompt] = {}
        result = []
        for response, length in zip(responses, lengths, strict=True):
            if length <= self.contract.max_length:
                result.append((prompt + response, whole))
                continue
            *before, last = prompt + response
            shown = tuple(before)
            if shown not in known:
                known[shown] = self.cut_prompt(shown)
            result.append(((*known[shown].kept, last), known[shown]))
        return result

    def cut_prompt(self, prompt: Conversation) -> CutPrompt:
        """Oldest turns go first, then the left of the last user text; the system turn and the last user turn stay."""
        budget = self.contract.prompt_budget
        before = length = self.length(prompt)
        system = prompt[:1] if prompt and prompt[0].role == "system" else ()
        turns = prompt[len(system) :]
        dropped = 0
        if length > budget and (starts := user_turns(turns)):
            # A search by halves: 10,000 turns are tokenized about twice, not once per turn.
            found = bisect_left(starts, -budget, key=lambda start: -self.length(system + turns[start:]))
            dropped = starts[min(found, len(starts) - 1)]
            turns = turns[dropped:]
            length = self.length(system + turns)
        if length > budget:
            turns = self._cut_left(system, turns, budget)
            length = self.length(system + turns)
        return CutPrompt(system + turns, dropped, before - length)

    def _cut_left(self, system: Conversation, turns: Conversation, budget: int) -> Conversation:
        index = max((k for k, turn in enumerate(turns) if turn.role == "user"), default=len(turns) - 1)
        if index < 0:
            raise ContractError(
                f"the system prompt alone has {self.length(system)} tokens, but max_length leaves {budget} for the "
                "prompt"
            )

        def shortened(count: int, text: str, starts: list[int]) -> Conversation:
            rest = text[starts[count] :] if count < len(starts) else ""
            return (*turns[:index], replace(turns[index], content=rest), *turns[index + 1 :])

        text = turns[index].content
        return self._shorten(lambda n, starts: system + shortened(n, text, starts), text, budget)[len(system) :]

    def cut_response(self, conversation: Conversation) -> Conversation:
        """The last message loses its end, so that the template's suffix is still what is pooled."""
        *first, last = conversation
        text = last.content

        def shortened(count: int, starts: list[int]) -> Conversation:
            keep = text[: starts[len(starts) - count]] if count < len(starts) else ""
            return (*first, replace(last, content=keep))

        return self._shorten(shortened, text, self.contract.max_length)

    def _shorten(self, build: Callable[[int, list[int]], Conversation], text: str, budget: int) -> Conversation:
        """The longest conversation `build(n, starts)` within `budget`, n = tokens taken off `text`."""
        starts = self.starts(text)
        low, high = 1, len(starts)
        if not starts or self.length(build(high, starts)) > budget:
            raise ContractError(f"a conversation does not fit into {budget} tokens even without its last text")
        while low < high:
            middle = (low + high) // 2
            if self.length(build(middle, starts)) <= budget:
                high = middle
            else:
                low = middle + 1
        return build(low, starts)


def user_turns(turns: Conversation) -> list[int]:
    """Where user turns begin after the first turn: what may stand first once older turns are dropped."""
    return [index for index in range(1, len(turns)) if turns[index].role == "user"]
