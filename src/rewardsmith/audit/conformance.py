"""Whether a model gives a text the same reward however it is computed, and what common mistakes in use cost.

An invariance has to hold: batch size, order, shared prefixes, padding side, dtype, the class of transformers itself, the
template as the tokenizer renders it. A sensitivity cannot hold in general, and is measured: a BOS or an end-of-turn token
that is doubled or missing, which is what a server does that renders and tokenizes in another way.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from rewardsmith.audit.effect import Scale
from rewardsmith.diagnose.finding import NOTHING, Said
from rewardsmith.errors import ContractError, RewardsmithError, first_line
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import Sequences, score
from rewardsmith.records import Conversation, Message, Record

CheckOutcome = Literal["holds", "broken", "measured", "not_checked"]
ROUNDING = 1e-4
"""Of the larger of 1 and the reward: sums in another order in fp32. The probes of a model are held to the same."""

COARSE = 0.05
"""Standard deviations: what half precision may change."""

MOST_TEXTS = 32


@dataclass(frozen=True)
class Conformance:
    """One check on `n` texts: the largest difference of a reward, also in standard deviations, the bound that it must keep
    (NaN for a sensitivity), and the share of pairs of texts that change their order."""

    name: str
    title: Said
    outcome: CheckOutcome
    n: int = 0
    difference: float = math.nan
    difference_sd: float = math.nan
    bound: float = math.nan
    reordered: float = math.nan
    why: Said = NOTHING

    def to_json(self) -> dict[str, Any]:
        """The entry of `conformance` in audit.json."""
        return {
            "name": self.name,
            "title": {"en": self.title.en, "zh": self.title.zh},
            "status": self.outcome,
            "n": self.n,
            "difference": self.difference,
            "difference_sd": self.difference_sd,
            "bound": self.bound,
            "reordered": self.reordered,
            **({"why": {"en": self.why.en, "zh": self.why.zh}} if self.why.en else {}),
        }


class NotApplicable(Exception):
    """A check that has no meaning for a model; says why in both languages."""

    def __init__(self, why: Said) -> None:
        super().__init__(why.en)
        self.why = why


@dataclass(frozen=True)
class Bench:
    """A model on the texts of the checks, each tokenized once, and the reward of each, computed alone."""

    model: RewardModel
    texts: Sequence[Conversation]
    sequences: Sequence[Sequences]
    alone: np.ndarray
    scale: Scale

    @property
    def network(self) -> RewardNetwork:
        """The network."""
        return self.model.network

    @property
    def ids(self) -> list[np.ndarray]:
        """The token ids of each text."""
        return [one.ids[0] for one in self.sequences]

    def rewards(self, sequences: Sequence[Sequences], *, budget: int | None = None) -> np.ndarray:
        """One reward per sequence."""
        return np.array([float(values[0]) for values in score(self.network, sequences, budget=budget)])

    def with_ids(self, change: Callable[[np.ndarray], np.ndarray], longer: int) -> np.ndarray:
        """Rewards with changed token ids, `longer` of them more at the end."""
        changed = [
            replace(
                one, ids=(change(one.ids[0]).astype(np.int32),), answers=tuple(count + longer for count in one.answers)
            )
            for one in self.sequences
        ]
        return self.rewards(changed)


def bench_of(model: RewardModel, texts: Sequence[Conversation], scale: Scale | None) -> Bench:
    """The texts that the contract renders whole, MOST_TEXTS at most."""
    kept: list[Conversation] = []
    sequences: list[Sequences] = []
    for text in texts:
        with contextlib.suppress(ContractError):
            encoded = model.encode(one_text(text))
            if not encoded.cuts.any and not encoded.forged and len(kept) < MOST_TEXTS:
                kept.append(text)
                sequences.append(Sequences(str(len(kept)), encoded.sequences, encoded.answers))
    found = Bench(model, kept, sequences, np.zeros(0), scale or Scale(math.nan, within=False, prompts=0))
    alone = found.rewards(sequences, budget=1)
    spread = float(alone.std(ddof=1)) if alone.size > 1 and alone.std() > 0 else math.nan
    usable = scale if scale is not None and not math.isnan(scale.sd) else Scale(spread, within=False, prompts=len(kept))
    return replace(found, alone=alone, scale=usable)


def one_text(text: Conversation) -> Record:
    """A conversation as a record with one response."""
    from rewardsmith.records import Response

    return Record(text[:-1], (Response(text[-1:]),))


# --- invariances ------------------------------------------------------------------------------------------------------


def batched(bench: Bench) -> np.ndarray:
    """All texts in batches instead of alone."""
    return bench.rewards(bench.sequences)


def reversed_order(bench: Bench) -> np.ndarray:
    """Batches in the reverse order."""
    return bench.rewards(list(reversed(bench.sequences)))[::-1]


def shared_prefix(bench: Bench) -> np.ndarray:
    """All texts as responses to one prompt, so that what they have in common is computed once."""
    if not bench.network.packed:
        why = bench.model.why_separate or ""
        raise NotApplicable(Said(f"prefixes are not shared: {why}", "该模型不共享前缀"))
    answers = tuple(count for one in bench.sequences for count in one.answers)
    return next(iter(score(bench.network, [Sequences("all", tuple(bench.ids), answers)])))


@contextlib.contextmanager
def plainly(bench: Bench) -> Iterator[Any]:
    """The class of transformers with its own attention; NotApplicable where its head is not the one that is used."""
    network = bench.network
    if network.readout is not None:
        raise NotApplicable(
            Said("the head reads other layers than the class does", "该模型的输出头读取的层与 transformers 的类不同")
        )
    packed, network.packed = network.packed, False
    network.use_attention()
    try:
        yield network.hf
    finally:
        network.packed = packed
        network.use_attention()


def logits(bench: Bench, rows: Sequence[np.ndarray], *, left: bool) -> np.ndarray:
    """What the class gives for rows of token ids, padded on one side to the longest, plus the stored offset."""
    network, width = bench.network, max(map(len, rows))
    ids = np.full((len(rows), width), network.pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for row, sequence in enumerate(rows):
        part = slice(width - len(sequence), width) if left else slice(0, len(sequence))
        ids[row, part], mask[row, part] = sequence, 1
    cache = {"use_cache": False} if network.kind == "decoder" else {}
    with plainly(bench) as hf, torch.no_grad():
        tensors = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        given = {name: tensor.to(network.device) for name, tensor in tensors.items()}
        return np.asarray(hf(**given, **cache).logits.reshape(-1).double().cpu().numpy()) + network.offset


def class_alone(bench: Bench) -> np.ndarray:
    """The class's own forward, text by text."""
    return np.array([float(logits(bench, [ids], left=False)[0]) for ids in bench.ids])


def class_padded(bench: Bench) -> np.ndarray:
    """The class's own forward on one batch padded on the right."""
    return logits(bench, bench.ids, left=False)


def class_left_padded(bench: Bench) -> np.ndarray:
    """The same padded on the left."""
    if bench.network.kind != "decoder":
        raise NotApplicable(Said("encoders are padded on the right", "编码器只在右侧填充"))
    return logits(bench, bench.ids, left=True)


def in_dtype(dtype: torch.dtype) -> Callable[[Bench], np.ndarray]:
    """The backbone in another precision."""

    def rewards(bench: Bench) -> np.ndarray:
        before, bench.network.autocast = bench.network.autocast, dtype
        try:
            return bench.rewards(bench.sequences)
        finally:
            bench.network.autocast = before

    return rewards


def rendered_by_tokenizer(bench: Bench) -> np.ndarray:
    """Token ids from the tokenizer's own `apply_chat_template`, as other programs make them."""
    tokenizer = bench.model.tokenizer
    if not tokenizer.chat_template:
        raise NotApplicable(Said("the tokenizer has no chat template", "分词器没有对话模板"))
    rows = []
    for text, ours in zip(bench.texts, bench.sequences, strict=True):
        messages = [{"role": message.role, "content": message.content} for message in text]
        found = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
        ids = np.array(found, dtype=np.int32)
        rows.append(replace(ours, ids=(ids[:-1] if ids[-1] == bench.model.contract.trim_id else ids,)))
    return bench.rewards(rows)


# --- sensitivities ----------------------------------------------------------------------------------------------------


def begin_token(bench: Bench) -> int:
    """The token that every text begins with, where it is the tokenizer's BOS (an encoder's CLS)."""
    tokenizer = bench.model.tokenizer
    known = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None}
    first = {int(ids[0]) for ids in bench.ids}
    if len(first) != 1 or not first <= known:
        raise NotApplicable(Said("the template writes no BOS token", "模板不写入 BOS"))
    return first.pop()


def begin_doubled(bench: Bench) -> np.ndarray:
    """BOS twice: a rendered text tokenized with special tokens added."""
    token = begin_token(bench)
    return bench.with_ids(lambda ids: np.concatenate([[token], ids]), 0)


def begin_missing(bench: Bench) -> np.ndarray:
    """Without BOS."""
    begin_token(bench)
    return bench.with_ids(lambda ids: ids[1:], 0)


def end_token(bench: Bench) -> int:
    """The token that every text ends with."""
    last = {int(ids[-1]) for ids in bench.ids}
    if len(last) != 1:
        raise NotApplicable(Said("the template writes no last token", "模板不写入结尾 token"))
    return last.pop()


def end_doubled(bench: Bench) -> np.ndarray:
    """The last token twice, as where EOS is added to a template that ends with it."""
    token = end_token(bench)
    return bench.with_ids(lambda ids: np.concatenate([ids, [token]]), 1)


def end_missing(bench: Bench) -> np.ndarray:
    """Without the last token."""
    end_token(bench)
    return bench.with_ids(lambda ids: ids[:-1], -1)


def user_forged(bench: Bench) -> np.ndarray:
    """The user's last message with the text of a special token in it: it must be read as text, and not end the turn.

    A text that does not fit any more with it is left out, since what is cut of its prompt takes end tokens away.
    """
    tokenizer = bench.model.tokenizer
    token = tokenizer.eos_token or tokenizer.sep_token
    if not token:
        raise NotApplicable(Said("the tokenizer has no end token", "分词器没有结束 token"))
    rows, whole = [], False
    for text, own in zip(bench.texts, bench.ids, strict=True):
        *first, last = text
        forged = bench.model.encode(one_text((*first, Message(last.role, f"{last.content} {token}"))))
        number = tokenizer.convert_tokens_to_ids(token)
        more = float((forged.sequences[0] == number).sum() - (own == number).sum())
        rows.append(0.0 if forged.cuts.any else more)
        whole |= not forged.cuts.any
    if not whole:
        raise NotApplicable(
            Said("no text fits into max_length with the token in it", "加入该 token 后没有文本能放入 max_length")
        )
    return np.asarray(bench.alone + np.array(rows))


@dataclass(frozen=True, slots=True)
class ConformanceCheck:
    """How a check is computed and what it must keep: "rounding", "coarse", or None for a sensitivity."""

    title: Said
    compute: Callable[[Bench], np.ndarray]
    bound: Literal["rounding", "coarse"] | None


CHECKS: dict[str, ConformanceCheck] = {
    "batch_size": ConformanceCheck(Said("in a batch instead of alone", "批量计算而非单独计算"), batched, "rounding"),
    "batch_order": ConformanceCheck(Said("another order in the batch", "批内顺序不同"), reversed_order, "rounding"),
    "shared_prefix": ConformanceCheck(Said("prefix computed once", "共享前缀只算一次"), shared_prefix, "rounding"),
    "own_class": ConformanceCheck(Said("class of transformers", "transformers 的类"), class_alone, "rounding"),
    "padding_right": ConformanceCheck(Said("its class, padded right", "该类，右侧填充"), class_padded, "rounding"),
    "padding_left": ConformanceCheck(Said("its class, padded left", "该类，左侧填充"), class_left_padded, "rounding"),
    "dtype_bf16": ConformanceCheck(Said("computed in bf16", "以 bf16 计算"), in_dtype(torch.bfloat16), "coarse"),
    "dtype_fp16": ConformanceCheck(Said("computed in fp16", "以 fp16 计算"), in_dtype(torch.float16), "coarse"),
    "template": ConformanceCheck(Said("rendered by the tokenizer", "由分词器渲染"), rendered_by_tokenizer, "rounding"),
    "special_text": ConformanceCheck(Said("special token as text", "文本中的特殊 token"), user_forged, "rounding"),
    "bos_doubled": ConformanceCheck(Said("BOS doubled", "BOS 重复"), begin_doubled, None),
    "bos_missing": ConformanceCheck(Said("BOS missing", "缺少 BOS"), begin_missing, None),
    "end_doubled": ConformanceCheck(Said("last token doubled", "结尾 token 重复"), end_doubled, None),
    "end_missing": ConformanceCheck(Said("last token missing", "缺少结尾 token"), end_missing, None),
}


def conformance(model: RewardModel, texts: Sequence[Conversation], scale: Scale | None = None) -> list[Conformance]:
    """Every check of CHECKS on up to MOST_TEXTS conversations that end with a response, and whether long texts are cut.

    `scale` is what differences are measured in; the standard deviation over the texts where it is not given.
    """
    was_training = model.network.training
    model.network.eval()
    try:
        bench = bench_of(model, texts, scale)
        if not len(bench.texts):
            why = Said("no text fits into max_length", "没有文本能放入 max_length")
            return [Conformance(name, check.title, "not_checked", why=why) for name, check in CHECKS.items()]
        return [*(checked(name, check, bench) for name, check in CHECKS.items()), truncation(bench)]
    finally:
        model.network.train(was_training)


def checked(name: str, check: ConformanceCheck, bench: Bench) -> Conformance:
    """One check; a model that cannot be computed in the other way is not checked, with the reason."""
    try:
        found = check.compute(bench)
    except NotApplicable as reason:
        return Conformance(name, check.title, "not_checked", why=reason.why)
    except (RewardsmithError, RuntimeError, TypeError, ValueError) as error:
        why = first_line(error)[:160]
        return Conformance(name, check.title, "not_checked", why=Said(why, why))
    difference = np.abs(found - bench.alone)
    largest = float(difference.max())
    sd = bench.scale.sd
    if check.bound is None:
        outcome: CheckOutcome = "measured"
        bound = math.nan
    else:
        rounding = ROUNDING * max(1.0, float(np.abs(bench.alone).max()))
        coarse = bench.network.autocast is not None or check.bound == "coarse"
        bound = max(rounding, COARSE * sd) if coarse and not math.isnan(sd) else rounding
        outcome = "holds" if largest <= bound else "broken"
    return Conformance(
        name, check.title, outcome, len(bench.texts), largest, largest / sd, bound, reordered(bench.alone, found)
    )


def reordered(before: np.ndarray, after: np.ndarray) -> float:
    """The share of pairs of texts that are in another order; NaN where no two differ."""
    above = np.triu_indices(before.size, 1)
    old, new = (np.sign(values[above[0]] - values[above[1]]) for values in (before, after))
    pairs = old != 0
    return float((old != new)[pairs].mean()) if pairs.any() else math.nan


def truncation(bench: Bench) -> Conformance:
    """A response longer than max_length: it must keep to max_length, end as others do, and be counted as cut."""
    title = Said("overlong response is cut", "过长的回复被截断")
    *first, last = bench.texts[0]
    limit = bench.model.contract.max_length
    long = Message(last.role, (last.content + " ") * (2 + 8 * limit // max(1, len(last.content))))
    try:
        encoded = bench.model.encode(one_text((*first, long)))
    except ContractError as error:
        return Conformance("truncation", title, "not_checked", why=Said(str(error), str(error)))
    ids = encoded.sequences[0]
    good = len(ids) <= limit and encoded.overlong and (same_end(bench, int(ids[-1])))
    return Conformance("truncation", title, "holds" if good else "broken", 1)


def same_end(bench: Bench, last: int) -> bool:
    """Whether a text ends with the token that all texts end with, where they do."""
    try:
        return last == end_token(bench)
    except NotApplicable:
        return True
