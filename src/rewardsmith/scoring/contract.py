"""The scoring contract: the one definition of which tokens a response's reward is read from.

Training, evaluation, the command line, the server and RL all go through `ScoringContract`, and a checkpoint stores
it. Two programs that hold the same contract and tokenizer score the same token sequence.
"""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_type_hints

from rewardsmith.errors import ContractError
from rewardsmith.files import hash_text
from rewardsmith.files.reading import refuse_types
from rewardsmith.records import Message
from rewardsmith.scoring.reasoning import OMIT, WAYS
from rewardsmith.scoring.templates.renderer import PLAIN_DECODER, PLAIN_ENCODER, Renderer, special_strings

CONTRACT_VERSION = 2
READ_VERSIONS = (1, CONTRACT_VERSION)
"""A contract keeps the version that it was made with: it says how long conversations are cut (see `truncation`)."""
DEFAULT_MAX_LENGTH = 1024
PAD_CANDIDATES = ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>", "<|unk|>")


@dataclass(frozen=True)
class ScoringContract:
    """What is scored. `max_length` and `response_reserve` count tokens: a conversation that is longer has its prompt cut
    to what is not reserved. `version` 1 cuts such a prompt also where the conversation would fit (see `truncation`).

    `kind` is "decoder" (the last token is pooled) or "encoder" (the class's own pooling). `bare_needs_user` says that
    the template insists on a user turn, so that a response without a prompt gets an empty one. `inferred` marks a
    contract that was guessed for a model which came without one. `trim_id` is a token that is not scored where texts
    end with it: plain transformers pools at the last token that is not the pad token, so a model whose pad token is
    what its template ends with was trained one token earlier. `reasoning` that messages keep apart is left out ("omit"), or
    stands in think tags before the content ("think").
    """

    kind: str
    template: str
    pad_token_id: int
    tokenizer_hash: str
    max_length: int = DEFAULT_MAX_LENGTH
    response_reserve: int = DEFAULT_MAX_LENGTH // 2
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    default_system: str | None = None
    suffix: str = ""
    bare_needs_user: bool = False
    date: str = ""
    inferred: bool = False
    trim_id: int | None = None
    reasoning: str = OMIT
    version: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        if self.reasoning not in WAYS:
            raise ContractError(f"unknown way to score reasoning {self.reasoning!r}; expected {' or '.join(WAYS)}")
        if self.kind not in ("decoder", "encoder"):
            raise ContractError(f"unknown kind of model {self.kind!r}; expected 'decoder' or 'encoder'")
        if not 0 < self.response_reserve < self.max_length:
            raise ContractError(
                f"response_reserve {self.response_reserve} must be between 0 and max_length {self.max_length}"
            )

    @property
    def prompt_budget(self) -> int:
        """How many tokens a rendered prompt may take in a conversation that is cut."""
        return self.max_length - self.response_reserve

    def to_json(self) -> dict[str, Any]:
        """As stored in `reward.json`; the template's hash stands beside its text, `reasoning` where it is scored."""
        stored = {name: value for name, value in asdict(self).items() if (name, value) != ("reasoning", OMIT)}
        return {**stored, "template_hash": hash_text(self.template)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ScoringContract":
        """Read back what `to_json` wrote; a template that does not fit its hash is refused."""
        if value.get("version") not in READ_VERSIONS:
            raise ContractError(
                f"scoring contract version {value.get('version')!r}; this program reads "
                f"{' and '.join(map(str, READ_VERSIONS))}"
            )
        known = {key: item for key, item in value.items() if key in cls.__dataclass_fields__}
        refuse_types(known, get_type_hints(cls))
        contract = cls(**known)
        if value.get("template_hash") != hash_text(contract.template):
            raise ContractError(
                "the stored chat template does not match its stored hash; the file was edited or damaged"
            )
        return contract


def contract_in_short(contract: ScoringContract) -> dict[str, str | int]:
    """What of a contract decides which tokens are scored, as a run keeps it: a model saved by another program loses it.

    The tokenizer as the first 16 digits of its hash, as in `settings.json`.
    """
    return {
        "template": hash_text(contract.template)[:16],
        "tokenizer": contract.tokenizer_hash[:16],
        "pad_token_id": contract.pad_token_id,
        "max_length": contract.max_length,
    }


def make_contract(
    tokenizer: Any,
    kind: str,
    *,
    max_length: int,
    response_reserve: int | None = None,
    date: datetime.date,
    default_system: str | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
    inferred: bool = False,
    trim_id: int | None = None,
) -> ScoringContract:
    """Define how texts are scored with this tokenizer from now on.

    `tokenizer.pad_token` must have been chosen before (`choose_pad_token`). A tokenizer without a chat template gets
    a plain one by kind.
    """
    renderer = Renderer(
        tokenizer,
        template_of(tokenizer, kind),
        kwargs=template_kwargs or {},
        default_system=default_system,
        date=date,
    )
    return ScoringContract(
        kind=kind,
        template=renderer.template,
        pad_token_id=tokenizer.pad_token_id,
        tokenizer_hash=tokenizer_hash(tokenizer),
        max_length=max_length,
        response_reserve=max_length // 2 if response_reserve is None else response_reserve,
        template_kwargs=dict(template_kwargs or {}),
        default_system=default_system,
        suffix=suffix_of(renderer),
        bare_needs_user=not accepts_bare_response(renderer),
        date=date.isoformat(),
        inferred=inferred,
        trim_id=trim_id,
    )


def template_of(tokenizer: Any, kind: str) -> str:
    """The tokenizer's chat template (the one named `default` of several), or a plain one where it has none."""
    template = tokenizer.chat_template or (PLAIN_DECODER if kind == "decoder" else PLAIN_ENCODER)
    if isinstance(template, dict):
        template = template.get("default")
    if not isinstance(template, str):
        raise ContractError(
            "the tokenizer has several chat templates and none is named default; keep the one to score with"
        )
    return template


def last_token(tokenizer: Any, kind: str) -> int | None:
    """The token that every rendered conversation ends with; None where it depends on the text."""
    template = template_of(tokenizer, kind)
    renderer = Renderer(tokenizer, template, kwargs={})
    ends = set()
    for words in ("x", "9"):
        rendered = renderer.render([Message("user", words), Message("assistant", words)])
        ends.add(tokenizer(rendered, add_special_tokens=False)["input_ids"][-1])
    return int(ends.pop()) if len(ends) == 1 else None


def suffix_of(renderer: Renderer) -> str:
    """What the template writes after the response's last word."""
    probe = "rewardsmith-probe"
    rendered = renderer.render([Message("user", "x"), Message("assistant", probe)])
    if probe not in rendered:
        raise ContractError("the chat template does not render the assistant's response; use another template")
    return rendered.rpartition(probe)[2]


def accepts_bare_response(renderer: Renderer) -> bool:
    """Whether the template renders an assistant turn that nothing precedes."""
    try:
        return "rewardsmith-probe" in renderer.render([Message("assistant", "rewardsmith-probe")])
    except ContractError:
        return False


def choose_pad_token(tokenizer: Any, kind: str) -> bool:
    """Give the tokenizer a pad token that cannot occur in a rendered text; True if a token had to be added.

    Plain transformers pools a decoder at the rightmost token that is not the pad token: where pad is the end token,
    it pools one token too early.
    """
    template = template_of(tokenizer, kind)
    rendered = Renderer(tokenizer, template, kwargs={}).render([Message("user", "x"), Message("assistant", "y")])

    def fits(token: str | None) -> bool:
        return token is not None and token != tokenizer.eos_token and token not in rendered

    if kind == "encoder" and tokenizer.pad_token is not None:
        return False
    if fits(tokenizer.pad_token):
        return False
    candidate = next(filter(fits, pad_candidates(tokenizer)), None)
    if candidate is not None:
        tokenizer.pad_token = candidate
        return False
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    return True


def pad_candidates(tokenizer: Any) -> list[str]:
    """Special strings of the tokenizer that may serve as its pad token, the likeliest first."""
    known = special_strings(tokenizer)
    named = sorted(token for token in known if "pad" in token.lower())
    reserved = sorted(token for token in known if "reserved" in token)
    return [token for token in (*named, *PAD_CANDIDATES, *reserved) if token in known]


def tokenizer_hash(tokenizer: Any) -> str:
    """A hash of how the tokenizer maps text to ids, blind to metadata that saving and loading may change."""
    backend = tokenizer.backend_tokenizer.to_str() if hasattr(tokenizer, "backend_tokenizer") else ""
    import orjson

    parts = orjson.loads(backend) if backend else {"vocab": tokenizer.get_vocab()}
    kept = {key: parts.get(key) for key in ("added_tokens", "normalizer", "pre_tokenizer", "model", "vocab")}
    return hash_text(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode())
