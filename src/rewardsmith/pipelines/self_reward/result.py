"""What a self-rewarding loop came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """`summary` is what `self_reward.json` holds, `rows` what `ledger.jsonl` does."""

    summary: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """`iterations` (the ledger), `chosen, model_folder, stop, base`, …"""
        return {**self.summary, "iterations": list(self.rows)}

    def to_text(self) -> str:
        """A line or two per iteration, why the loop ended, and where the model lies."""
        lines = [line for row in self.rows for line in iteration_lines(row)]
        if self.summary["stop"] is not None:
            lines.append(f"stopped: {self.summary['stop']}")
        if self.summary["chosen"] is None:
            lines.append("no iteration gave a model to keep")
        else:
            lines.append(f"model of iteration {self.summary['chosen']}: {self.summary['model_folder']}")
        if self.summary["independent"] is None:
            lines.append(
                "whether the models became better was not measured: that needs a reward that does not train; add "
                "--independent"
            )
        return "\n".join(lines)


def iteration_lines(row: Mapping[str, Any]) -> list[str]:
    """What an iteration did and came to."""
    rewards, pairs = row["rewards"], row["pairs"]
    lines = [
        f"iteration {row['iteration']}: {rewards['parsable']:.1%} of {rewards['candidates']} candidates have a reward, "
        f"{pairs['pairs']} pairs, {pairs['unused'].get('ties', 0)} ties"
    ]
    measured = row["measured"]
    if measured is None:
        return lines
    if (found := measured["independent"]) is not None:
        lines.append(
            f"  win rate over the first model {with_ends(found['win_rate'])}, difference in reward "
            f"{with_ends(found['difference'])}, n = {found['n']}"
        )
    if (kl := measured["kl"]) is not None:
        lines.append(f"  KL from the first model {with_ends({'value': kl['kl'], 'ci': kl['kl_ci']})} nats per response")
    if (judge := measured["judge"]) is not None:
        told = with_ends({"value": judge["accuracy"], "ci": judge["accuracy_ci"]})
        lines.append(f"  accuracy of the rewards on the labelled data {told}, n = {judge['n']}")
    return lines


def with_ends(found: Mapping[str, Any]) -> str:
    """`0.531 [0.470, 0.591]`, a dash for what is not known."""
    if found["value"] is None:
        return "–"
    low, high = found["ci"]
    interval = "[–]" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
    return f"{found['value']:.3f} {interval}"
