"""What a DPO run came to, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewardsmith.report.figures import number
from rewardsmith.scoring.left_out import left_out_from


@dataclass(frozen=True)
class Result:
    """`summary` is what `dpo.json` holds."""

    summary: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Keys of the summary: output, model_folder, steps, pairs, train_loss, eval, kl, left_out, …"""
        return dict(self.summary)

    def to_text(self) -> str:
        """What a person reads at the end."""
        s = self.summary
        lines = [
            f"{s['steps']} steps on {s['pairs']} comparisons, loss {number(s['train_loss'])}",
            *(["stopped early, since the validation loss did not fall any more"] if s["stopped_early"] else []),
            f"trained {s['trainable_parameters']:,} of {s['parameters']:,} parameters",
            *measured_lines(s["eval"]),
            *kl_lines(s["kl"]),
            f"model: {s['model_folder']}",
            f"report: {s['report']}",
        ]
        for part, name in (("left_out", "training data"), ("left_out_validation", "validation data")):
            lines += left_out_from(s.get(part)).lines(name)
        return "\n".join(lines)


def measured_lines(found: Mapping[str, Any] | None) -> list[str]:
    """Accuracy, margin and log probabilities on held-out comparisons."""
    if found is None:
        return ["not measured: no validation data"]
    right, margin = (interval_of(found[f"{name}_ci"]) for name in ("accuracy", "margin"))
    return [
        f"validation: accuracy {number(found['accuracy'])} {right} of the implicit reward, margin "
        f"{number(found['margin'])} {margin}, n = {found['n']} comparisons of {found['prompts']} prompts",
        f"log probability of chosen responses {found['reference_log_prob_chosen']:.2f} → {found['log_prob_chosen']:.2f}, of "
        f"rejected ones {found['reference_log_prob_rejected']:.2f} → {found['log_prob_rejected']:.2f}",
        f"the preferred response is the longer one in {found['longer']:.1%} of these comparisons",
    ]


def kl_lines(found: Mapping[str, Any] | None) -> list[str]:
    """How far the model has moved."""
    if found is None:
        return []
    return [
        f"KL from the reference {found['kl']:.3f} {interval_of(found['kl_ci'])} nats per response, from {found['samples']} "
        f"samples of {found['tokens']} tokens"
    ]


def interval_of(ends: Any) -> str:
    """`[0.61, 0.69]`; a dash where there is no interval."""
    return "[–]" if None in ends else f"[{ends[0]:.3f}, {ends[1]:.3f}]"
