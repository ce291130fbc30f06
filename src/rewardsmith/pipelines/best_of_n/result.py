"""What `best-of-n` says of what it did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`summary` is what best_of_n.json holds: counts, the curve over n, and the account of gold ratings or None."""

    summary: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The summary."""
        return self.summary

    def to_text(self) -> str:
        """How many were chosen, what that gains, and what was left out."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        found = self.summary
        yield f"chose {found['chosen']} of {found['responses']} responses to {found['prompts']} prompts → {found['output']}"
        yield from self._gain()
        yield from self._curve()
        yield f"rows for SFT: {found['sft']}; for KTO: {found['kto']}"
        if found["without_choice"]:
            yield f"{found['without_choice']} prompts have a single response, among which nothing is chosen"
        if found["none_chosen"]:
            threshold = found["settings"]["threshold"]
            yield f"{found['none_chosen']} prompts have no response with a reward of {threshold} or more"
        if found["left_out"]["fewer_than_n"]:
            yield f"{found['left_out']['fewer_than_n']} prompts have fewer than {found['settings']['n']} responses"
        counts = found["left_out"]
        if counts["not_scored"]:
            yield f"{counts['not_scored']} rows could not be scored"
        if counts["without_reward"]:
            yield f"{counts['without_reward']} responses have no reward"
        if counts["repeated"]:
            yield f"{counts['repeated']} responses repeat another one of their prompt and count once"
        if counts["beyond_n"]:
            yield f"{counts['beyond_n']} responses come after the first {found['settings']['n']} of their prompt"

    def _gain(self) -> Iterator[str]:
        """Nothing where nothing was chosen; a single prompt has no interval."""
        value, (low, high) = self.summary["gain"]["value"], self.summary["gain"]["ci"]
        if self.summary["gain"]["prompts"] > 1:
            yield f"reward of the chosen less the mean of their prompt: {value:+.3f} [{low:+.3f}, {high:+.3f}]"
        elif self.summary["gain"]["prompts"]:
            yield f"reward of the chosen less the mean of their prompt: {value:+.3f}"

    def _curve(self) -> Iterator[str]:
        gold = self.summary["gold"]
        for point in self.summary["curve"] if gold is None else gold["curve"]:
            n, kl, reward = point["n"], point["kl"], point["reward"]
            if gold is None:
                yield f"n = {n}: reward {reward:+.3f}, KL at most {kl:.3f} nats"
            else:
                yield f"n = {n}: reward {reward:+.3f}, gold {point['gold']:+.3f}, KL at most {kl:.3f} nats"
        if gold is None:
            return
        best = gold["recommended"]
        yield f"smallest n that is not shown to be worse than the best by gold: {best['n']}"
        if gold["over_optimised"] == "found":
            low, high = gold["fall"]["ci"]
            yield f"over-optimised: gold falls by {gold['fall']['value']:.3f} [{low:.3f}, {high:.3f}] behind its peak"
