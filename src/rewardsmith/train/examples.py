"""Records as training examples, and the order in which they form optimizer steps."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int64

from rewardsmith.errors import ContractError
from rewardsmith.model.heads.attributes import AttributePlan
from rewardsmith.model.scorer import Sequences
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Comparison, Quarantined, Record
from rewardsmith.scoring.left_out import NOT_COMPARED, LeftOut, told_apart
from rewardsmith.scoring.token_cache import encode_records
from rewardsmith.scoring.tokens import Encoded, Encoder
from rewardsmith.scoring.trees import TokenTree, build_tree
from rewardsmith.train.attributes import AttributeJudgements, judgements_of

NO_VOTES = (np.nan, np.nan, np.nan)
NOT_RATED = "no response of the row has a rating"


@dataclass(frozen=True)
class Example:
    """A record ready for training: its token tree, and its comparisons as arrays of length C.

    The weights of a record's comparisons share 1 (times their own weights), so that a ranking of ten responses counts
    as much as a pair. `margin` and `votes` (for, against, undecided) are NaN where the data have none; of K responses,
    `ratings` are NaN likewise. `judged` is what was said of other attributes, where a loss learns them.
    """

    id: str
    prompt_id: str
    place: str
    tree: TokenTree
    preferred: Int64[np.ndarray, " C"]
    other: Int64[np.ndarray, " C"]
    preference: Float32[np.ndarray, " C"]
    weight: Float32[np.ndarray, " C"]
    margin: Float32[np.ndarray, " C"]
    votes: Float32[np.ndarray, "C 3"]
    ratings: Float32[np.ndarray, " K"]
    judged: AttributeJudgements | None = None

    @property
    def lengths(self) -> Float32[np.ndarray, " K"]:
        """Tokens of each answer; of the sequence where the tree does not know its answers."""
        return np.array(self.tree.answers or [len(ids) for ids in self.tree.sequences], dtype=np.float32)

    @property
    def sequences(self) -> Sequences:
        """What the scorer takes."""
        return Sequences(self.prompt_id, tuple(self.tree.sequences), self.tree.answers, nested=bool(self.tree.ends))

    @property
    def responses(self) -> int:
        """How many responses the tree has."""
        return self.tree.count


@dataclass
class Encoding:
    """What became of the records on their way to tokens: those to train on, those refused, and what was not used whole."""

    examples: list[Example]
    refused: list[Quarantined]
    left_out: LeftOut = field(default_factory=LeftOut)
    tokens_cut: int = 0
    forged: int = 0
    tokens: int = 0

    def to_json(self) -> dict[str, int]:
        """Counts for the run's summary."""
        return {
            "records": len(self.examples),
            "refused": len(self.refused),
            "prompts_cut": self.left_out.reason_count("cut", "prompt"),
            "prompt_tokens_cut": self.tokens_cut,
            "contents_with_special_tokens": self.forged,
            "tokens": self.tokens,
        }


def encode_examples(
    records: Sequence[Record],
    encoder: Encoder,
    *,
    share: bool,
    progress: Progress = SILENT,
    rated: bool = False,
    plan: AttributePlan | None = None,
) -> Encoding:
    """Tokenize the records that hold a comparison; what cannot be trained on is refused with its reason.

    With `rated` (a loss on ratings) the records that hold a rating instead; their comparisons are kept to measure by. With
    a `plan` those that judge one of its attributes or compare by its main one.

    A response longer than the contract allows is refused (cutting it would train on a text nobody wrote), and so is a
    comparison of responses that became the same tokens: its margin is 0 whatever the model learns.
    """
    result = Encoding([], [])

    def heard(record: Record) -> bool:
        if plan is not None:
            return bool(counting(record, plan)) or not judgements_of(record, record.comparisons, plan).empty
        return has_rating(record) if rated else bool(counting(record))

    usable = [heard(record) for record in records]
    asked = [record for record, use in zip(records, usable, strict=True) if use]
    outcomes = encode_records(asked, encoder, note=progress.note)
    with contextlib.closing(outcomes), progress.task("tokenizing", len(records), "records") as task:
        for record, use in zip(records, usable, strict=True):
            task.advance()
            outcome = next(outcomes) if use else None
            reason = why_refused(record, outcome, encoder.contract.max_length, rated=rated, plan=plan)
            if reason is not None:
                result.refused.append(refused(record, reason))
                result.left_out.unused(record, *reason)
            elif isinstance(outcome, Encoded):
                add_example(result, record, outcome, share=share, plan=plan)
    return result


def refused(record: Record, reason: tuple[str, str]) -> Quarantined:
    """A record that cannot be trained on, with (code, reason)."""
    excerpt = " ".join(message.content for message in record.prompt)[:200]
    return Quarantined(record.source, record.line, *reason, excerpt, record.byte)


def counting(record: Record, plan: AttributePlan | None = None) -> list[Comparison]:
    """The comparisons that training hears; with a plan, those of its main attribute."""
    return [c for c in record.comparisons if c.weight > 0 and (plan is None or c.attribute == plan.main)]


def has_rating(record: Record) -> bool:
    """Whether one of the responses is rated, on the attribute that is followed."""
    return any(value is not None for value in record.ratings.get("overall", ()))


def why_refused(
    record: Record,
    outcome: Encoded | ContractError | None,
    limit: int,
    *,
    rated: bool = False,
    plan: AttributePlan | None = None,
) -> tuple[str, str] | None:
    """(code, reason) where a record cannot be trained on; None as outcome: it holds no comparison (rating) that counts."""
    if outcome is None:
        return ("no_rating", NOT_RATED) if rated else ("no_comparison", NOT_COMPARED)
    if isinstance(outcome, ContractError):
        return "not_scorable", str(outcome)
    if outcome.overlong:
        longest = max(map(len, outcome.sequences)) + max(outcome.cuts.response_tokens)
        return "too_long", f"the conversation has {longest} tokens with this response, more than max_length {limit}"
    judged = (
        plan is not None and not judgements_of(record, told_apart(record.comparisons, outcome.sequences), plan).empty
    )
    if not rated and not judged and not told_apart(counting(record, plan), outcome.sequences):
        return "identical_tokens", "the responses have the same tokens, so a model cannot distinguish them"
    return None


def add_example(
    result: Encoding, record: Record, outcome: Encoded, *, share: bool, plan: AttributePlan | None = None
) -> None:
    """Add one record's example to `result`."""
    apart = told_apart(record.comparisons, outcome.sequences)
    comparisons = told_apart(counting(record, plan), outcome.sequences)
    tree = build_tree(outcome.sequences, share=share, answers=outcome.answers, nested=record.by_steps)
    result.left_out.used(record, outcome)
    result.tokens_cut += max(outcome.cuts.prompt_tokens)
    result.forged += outcome.forged
    result.tokens += sum(map(len, outcome.sequences))
    result.examples.append(
        Example(
            id=record.id,
            prompt_id=record.prompt_id,
            place=record.place,
            tree=tree,
            preferred=np.array([c.i for c in comparisons], dtype=np.int64),
            other=np.array([c.j for c in comparisons], dtype=np.int64),
            preference=np.array([c.preference for c in comparisons], dtype=np.float32),
            weight=np.array([c.weight / len(comparisons) for c in comparisons], dtype=np.float32),
            margin=np.array([np.nan if c.margin is None else c.margin for c in comparisons], dtype=np.float32),
            votes=np.array([c.votes or NO_VOTES for c in comparisons], dtype=np.float32).reshape(-1, 3),
            ratings=ratings_of(record),
            judged=None if plan is None else judgements_of(record, apart, plan),
        )
    )


def ratings_of(record: Record) -> Float32[np.ndarray, " K"]:
    """The rating of each response on the attribute that is followed, NaN where there is none."""
    values = record.ratings.get("overall") or (None,) * len(record.responses)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def rank_by_hash(keys: Iterable[str], *, salt: str) -> list[int]:
    """Indices in an order that depends on the keys and the salt only; equal keys keep their order."""
    digests = [hashlib.sha256(f"{salt}:{key}".encode()).digest() for key in keys]
    return sorted(range(len(digests)), key=lambda index: (digests[index], index))


def take_share(examples: Sequence[Example], share: float, *, seed: int) -> list[Example]:
    """The same `share` of the examples on every machine, in their order; at least one."""
    if share >= 1.0:
        return list(examples)
    chosen = rank_by_hash((example.id for example in examples), salt=f"{seed}:frac")
    kept = sorted(chosen[: max(1, round(share * len(examples)))])
    return [examples[index] for index in kept]


def bootstrap(examples: Sequence[Example], *, seed: int) -> list[Example]:
    """The examples of a bootstrap sample of the prompts: Poisson with mean 1 by prompt, the weights times that number.

    The online form of drawing as many prompts as there are (Oza & Russell 2001); what is drawn depends on seed and prompt.
    """
    drawn = []
    for example in examples:
        times = drawn_times(example.prompt_id, seed)
        if times:
            drawn.append(replace(example, weight=example.weight * np.float32(times)))
    return drawn


def drawn_times(prompt: str, seed: int) -> int:
    """How often a prompt is in the sample of this seed."""
    digest = hashlib.sha256(f"{seed}:bootstrap:{prompt}".encode()).digest()
    return int(np.random.default_rng(int.from_bytes(digest[:8], "big")).poisson(1.0))


def steps_of_epoch(examples: Sequence[Example], *, epoch: int, seed: int, batch: int) -> list[list[int]]:
    """Which examples form each optimizer step of an epoch: a shuffle that depends on (seed, epoch, id), cut in batches."""
    seen: Counter[str] = Counter()
    keys = []
    for example in examples:  # equal rows must not always land in one batch, so each counts its occurrence
        keys.append(f"{example.id}:{seen[example.id]}")
        seen[example.id] += 1
    order = rank_by_hash(keys, salt=f"{seed}:{epoch}")
    return [order[start : start + batch] for start in range(0, len(order), batch)]
