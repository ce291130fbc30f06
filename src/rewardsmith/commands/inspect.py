"""`rewardsmith inspect`: what exactly will be scored, for one record, token by token."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rewardsmith.data.splits.sources import Intake, read_records
from rewardsmith.errors import DataError
from rewardsmith.language import say
from rewardsmith.pipelines.inspect import Shown, coloured, joined, open_for_inspection, shown_responses
from rewardsmith.progress import SILENT, Progress
from rewardsmith.settings.fields import refuse_below

if TYPE_CHECKING:
    from rewardsmith.records import Record


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
        refuse_below(self, {"row": 1, "max_length": 16})


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


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Render, tokenize and (where the model has a trained head) score one record."""
    record = pick(config, progress)
    model, trained = open_for_inspection(config.model, config.max_length)
    for remark in model.remarks():
        progress.note(remark)
    encoded = model.encode(record)
    rewards = next(model.score_records([record])) if trained else None
    return Result(
        place=record.place,
        contract=model.contract.to_json(),
        contract_kind="inferred" if model.contract.inferred else "stored",
        responses=tuple(shown_responses(model, encoded, rewards)),
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
