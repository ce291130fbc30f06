"""`rewardsmith inspect`: what exactly will be scored, for one record, token by token."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rewardsmith.data.splits.sources import Intake, read_records
from rewardsmith.errors import DataError, UsageError
from rewardsmith.language import say
from rewardsmith.progress import SILENT, Progress
from rewardsmith.scoring.token_texts import token_texts

if TYPE_CHECKING:
    from rewardsmith.model.reward_model import RewardModel
    from rewardsmith.records import Record


SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith inspect`."""

    source: str
    """File, folder or synthetic:N with the record."""
    model: str
    """Model whose chat template and tokenizer are used."""
    map: tuple[str, ...] = ()
    """Column mapping, for example prompt=instruction or chosen=annotations.best."""
    row: int = 1
    """Number of the record, starting at 1."""
    max_length: int | None = None
    """Maximum length of a conversation in tokens (default: that of the model's scoring contract, which fixes how
    conversations become tokens, or 1024)."""

    def __post_init__(self) -> None:
        for name, lowest in (("row", 1), ("max_length", 16)):
            value = getattr(self, name)
            if value is not None and value < lowest:
                raise UsageError(f"--{name.replace('_', '-')} {value}: expected at least {lowest}")


@dataclass(frozen=True)
class Shown:
    """One response as it is scored: its tokens as text, where the shared prefix ends, which token is pooled.

    `answer_tokens` counts the last ones, over which a head that reads means averages; None for other heads. `tokens_cut`
    are those cut from its end, `prompt_turns_cut` and `prompt_tokens_cut` what was cut from the prompt before it.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    prefix_tokens: int
    pooled_token: str
    tokens_cut: int
    prompt_turns_cut: int
    prompt_tokens_cut: int
    answer_tokens: int | None
    reward: float | None


@dataclass(frozen=True)
class Result:
    """What is scored for one record, and under which contract.

    `contents_not_shown` names the kinds of contents that the chat template leaves out or rewrites (system, user,
    assistant, tool; response for the last message).
    """

    place: str
    contract: dict[str, Any]
    contract_kind: str
    responses: tuple[Shown, ...]
    comparisons: tuple[dict[str, Any], ...]
    contents_not_shown: tuple[str, ...]
    special_tokens_in_text: int
    quotes_data: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """Everything, tokens included."""
        return asdict(self)

    def to_text(self) -> str:
        """The rendered texts: ⟦ ⟧ around what responses share, ▶ ◀ around the token whose hidden state is pooled."""
        return self._text(joined)

    def to_coloured_text(self) -> str:
        """The same, neighbouring tokens on different backgrounds."""
        return self._text(coloured)

    def _text(self, join: Callable[[Sequence[str]], str]) -> str:
        lines = [
            say(
                f"{self.place}: {len(self.responses)} responses, contract {self.contract_kind}, "
                f"max_length {self.contract['max_length']}, prompt budget "
                f"{self.contract['max_length'] - self.contract['response_reserve']}"
            ),
            say(f"messages that contain the text of special tokens: {self.special_tokens_in_text}"),
        ]
        if self.contents_not_shown:
            lines.append(
                say(f"contents that the chat template leaves out or rewrites: {', '.join(self.contents_not_shown)}")
            )
        for number, shown in enumerate(self.responses):
            reward = "no trained head" if shown.reward is None else f"reward {shown.reward:.4f}"
            border = shown.prefix_tokens
            lines += [
                "",
                say(
                    f"response {number}: {len(shown.ids)} tokens, {border} shared, {shown.tokens_cut} truncated, "
                    f"{reward}"
                ),
                f"⟦{join(shown.tokens[:border])}⟧{join(shown.tokens[border:-1])}▶{repr(shown.tokens[-1])[1:-1]}◀",
            ]
            if shown.prompt_turns_cut or shown.prompt_tokens_cut:
                lines.append(
                    say(f"cut from its prompt: {shown.prompt_turns_cut} turns, {shown.prompt_tokens_cut} tokens")
                )
            if shown.answer_tokens is not None:
                lines.append(say(f"the head averages over the last {shown.answer_tokens} tokens"))
        lines += ["", *(say(told(comparison)) for comparison in self.comparisons)]
        return "\n".join(lines)


def told(comparison: Mapping[str, Any]) -> str:
    """A comparison in words, with its attribute where it is not about the overall one."""
    i, j, preference, attribute = (comparison[name] for name in ("i", "j", "preference", "attribute"))
    if attribute == "overall":
        return f"comparison: {i} over {j}, preference {preference}"
    return f"comparison by {attribute}: {i} over {j}, preference {preference}"


def joined(tokens: Sequence[str]) -> str:
    """Tokens as plain text."""
    return "".join(tokens)


def coloured(tokens: Sequence[str]) -> str:
    """Tokens on two backgrounds in turn (ANSI colours), so that one sees where each begins.

    A character made of several tokens is one field with their number behind it, as in 奖₂.
    """
    fields, parts = [], 0
    for token in tokens:
        parts += 1
        if token:
            fields.append(token + (str(parts).translate(SUBSCRIPTS) if parts > 1 else ""))
            parts = 0
    return "".join(f"\x1b[{44 + k % 2}m{field}\x1b[0m" for k, field in enumerate(fields))


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Render, tokenize and (where the model has a trained head) score one record."""
    record = pick(config, progress)
    model, trained = open_for_inspection(config)
    for remark in model.remarks():
        progress.note(remark)
    encoded = model.encode(record)
    from rewardsmith.scoring.trees import build_tree

    tree = build_tree(encoded.sequences, share=model.network.packed)
    rewards = next(model.score_records([record])) if trained else None
    responses = tuple(
        Shown(
            tokens=tuple(
                token_texts(model.tokenizer, ids[: len(tree.prefix)])
                + token_texts(model.tokenizer, ids[len(tree.prefix) :])
            ),
            ids=tuple(map(int, ids)),
            prefix_tokens=len(tree.prefix),
            pooled_token=model.tokenizer.decode([int(ids[-1])]),
            tokens_cut=encoded.cuts.response_tokens[k],
            prompt_turns_cut=encoded.cuts.prompt_turns[k],
            prompt_tokens_cut=encoded.cuts.prompt_tokens[k],
            answer_tokens=encoded.answers[k] if encoded.answers else None,
            reward=None if rewards is None else float(rewards[k]),
        )
        for k, ids in enumerate(encoded.sequences)
    )
    return Result(
        place=record.place,
        contract=model.contract.to_json(),
        contract_kind="inferred" if model.contract.inferred else "stored",
        responses=responses,
        comparisons=tuple(asdict(comparison) for comparison in record.comparisons),
        contents_not_shown=encoded.not_shown,
        special_tokens_in_text=encoded.forged,
    )


def pick(config: Config, progress: Progress) -> "Record":
    """The record asked for."""
    loaded = read_records([config.source], Intake(map=config.map), progress=progress)
    if not 1 <= config.row <= len(loaded.records):
        raise DataError(
            f"--row {config.row}: {config.source} has {len(loaded.records)} records "
            f"({len(loaded.quarantined)} rows quarantined)"
        )
    return loaded.records[config.row - 1]


def open_for_inspection(config: Config) -> "tuple[RewardModel, bool]":
    """The model with its stored contract, or one inferred for a model that is not a reward model yet."""
    import datetime
    from dataclasses import replace

    from rewardsmith.model.checkpoint.sidecar import Sidecar
    from rewardsmith.model.inferred import describe_inferred, infer_contract, new_contract
    from rewardsmith.model.loading.backbones import open_backbone
    from rewardsmith.model.reward_model import RewardModel

    backbone = open_backbone(config.model)
    sidecar = Sidecar.load(backbone.folder) if backbone.folder else None
    contract = sidecar.contract if sidecar else infer_contract(backbone)
    if config.max_length is not None and sidecar is None:
        contract = new_contract(backbone, max_length=config.max_length, date=datetime.date.today(), inferred=True)
    elif config.max_length is not None:
        contract = replace(contract, max_length=config.max_length, response_reserve=config.max_length // 2)
    model = RewardModel.build(backbone, contract, device="cpu")
    model.notes = backbone.notes
    if sidecar is None and not backbone.head_is_new:
        model.understood = describe_inferred(backbone, contract)
    return model, not backbone.head_is_new
