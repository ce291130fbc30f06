"""What a trained policy does on held-out comparisons, and how far it has moved from its reference."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from rewardsmith.evaluate.inference.clustered import clustered_mean, unbounded_mean
from rewardsmith.evaluate.inference.interval import Interval
from rewardsmith.evaluate.metrics import correctness, decided, over_decided
from rewardsmith.progress import Progress
from rewardsmith.records import Conversation, Message, Record, Response

if TYPE_CHECKING:
    from rewardsmith.align.dpo.opening import OpenedPolicy
    from rewardsmith.generate.candidates import PromptRequest, SampleOutcome
    from rewardsmith.train.examples import Example
    from rewardsmith.train.losses.loss import Loss


def on_comparisons(
    policy: "OpenedPolicy", examples: "Sequence[Example]", loss: "Loss", budget: int
) -> dict[str, Any] | None:
    """Accuracy and margin of the implicit rewards with intervals over prompts, and the log probabilities before and after;
    None without comparisons.

    `accuracy` is the share of comparisons whose preferred response has gained more than the other; `longer` the share whose
    preferred response is the longer one, which a length bias alone would reach.
    """
    from rewardsmith.align.dpo.fit import by_side, log_probs_of
    from rewardsmith.train.held_out import validate

    if not examples:
        return None
    passed = validate(policy.network, examples, budget, loss=loss)
    rows = decided(passed.preference) & (passed.weight > 0)
    reference = policy.network.reference
    assert reference is not None
    prompts = np.unique(passed.prompt_ids, return_inverse=True)[1]
    now = by_side(examples, log_probs_of(policy.network, examples, passed.rewards))
    before = by_side(examples, [np.array(reference.of(example.tree)) for example in examples])
    length = by_side(examples, [example.lengths for example in examples])

    def mean(values: Float[np.ndarray, " C"]) -> float:
        return over_decided(values, passed.preference, passed.weight)

    right = clustered_mean(correctness(passed.margin)[rows], passed.weight[rows], cluster=prompts[rows])
    margin = unbounded_mean(passed.margin[rows], passed.weight[rows], cluster=prompts[rows])
    reward = by_side(examples, passed.rewards)
    return {
        "n": int(rows.sum()),
        "prompts": int(np.unique(prompts[rows]).size),
        "loss": passed.figures["eval_loss"],
        "accuracy": right.value,
        "accuracy_ci": ends(right.interval()),
        "margin": margin.value,
        "margin_ci": ends(margin.interval()),
        "reward_chosen": mean(reward[0]),
        "reward_rejected": mean(reward[1]),
        "log_prob_chosen": mean(now[0]),
        "log_prob_rejected": mean(now[1]),
        "reference_log_prob_chosen": mean(before[0]),
        "reference_log_prob_rejected": mean(before[1]),
        "longer": mean(correctness(length[0] - length[1])),
    }


def ends(interval: Interval) -> list[float | None]:
    """Both ends as JSON keeps them: None where there is no interval."""
    return [None if np.isnan(end) else float(end) for end in (interval.low, interval.high)]


def sampled(
    policy: "OpenedPolicy", prompts: Sequence[Conversation], *, tokens: int, seed: int, progress: Progress
) -> list[Record]:
    """One sample of the policy for each prompt, at temperature 1; prompts to which it says nothing are left out."""
    from rewardsmith.align.dpo.encoding import FINISHED
    from rewardsmith.generate.candidates import Candidate, PromptRequest, Sampling
    from rewardsmith.generate.local.generator import LocalGenerator

    found: dict[int, Candidate] = {}

    with progress.task("sampling", len(prompts), "prompts") as task:

        def finished(request: "PromptRequest", sample: int, outcome: "SampleOutcome") -> None:
            if isinstance(outcome, Candidate) and (outcome.text.strip() or outcome.reasoning):
                found[request.number] = outcome
            task.advance()

        requests = [PromptRequest(number, prompt, (0,)) for number, prompt in enumerate(prompts)]
        sampling = Sampling(n=1, max_tokens=tokens, seed=seed, thinking=policy.encoder.thinking)
        LocalGenerator(policy.generating(), "policy", 32).generate(requests, sampling, finished)
    return [
        Record(
            prompts[number],
            (Response((Message("assistant", each.text, each.reasoning),)),),
            fields={FINISHED: [each.finish]},
            line=number + 1,
        )
        for number, each in sorted(found.items())
    ]


def sample_log_probs(
    policy: "OpenedPolicy", records: Sequence[Record], budget: int | None = None
) -> list[tuple[float, int]]:
    """log p of each record's only response, and how many tokens it has."""
    from rewardsmith.align.dpo.log_probs import log_probs
    from rewardsmith.model.scorer import sequences_of

    encoded = [policy.encoder.encode(record) for record in records]
    sequences = [sequences_of(record, one) for record, one in zip(records, encoded, strict=True)]
    policy.network.use_attention()
    found = log_probs(policy.network, sequences, budget=budget)
    return [(float(values[0]), one.answers[0]) for values, one in zip(found, encoded, strict=True)]


def divergence(now: Sequence[tuple[float, int]], before: Sequence[tuple[float, int]]) -> dict[str, Any] | None:
    """KL(policy, reference) in nats per response, from log p of samples of the policy under both: the mean of the
    difference, with its interval; None without samples.

    The mean is unbiased for samples at temperature 1; those that end at the limit of tokens count as they are.
    """
    if not now:
        return None
    ratio = np.array([one[0] - other[0] for one, other in zip(now, before, strict=True)])
    found = unbounded_mean(ratio, np.ones(len(ratio)), cluster=np.arange(len(ratio)))
    tokens = sum(count for _, count in now)
    return {
        "samples": len(now),
        "tokens": tokens,
        "kl": found.value,
        "kl_ci": ends(found.interval()),
        "kl_per_token": float(ratio.sum()) / tokens,
    }
