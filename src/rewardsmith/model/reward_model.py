"""A reward model as its users hold it: load, score, rank, save."""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from rewardsmith.errors import ContractError, DataError, ModelError
from rewardsmith.files import write_folder
from rewardsmith.model.adapters import Adapter, AdapterFiles
from rewardsmith.model.backbones import Backbone, locate, open_backbone
from rewardsmith.model.devices import autocast_dtype, choose_device
from rewardsmith.model.hf_folder import save_hf_folder
from rewardsmith.model.network import RewardNetwork
from rewardsmith.model.probes import PROBE_CONVERSATIONS, check_probes
from rewardsmith.model.quantized import compute_in, quantize
from rewardsmith.model.scorer import Rewards, Sequences, score
from rewardsmith.model.sidecar import Probe, Sidecar
from rewardsmith.model.tree_support import self_check, why_not
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Conversation, Message, Record, Response
from rewardsmith.scoring.contract import DEFAULT_MAX_LENGTH, ScoringContract, make_contract
from rewardsmith.scoring.tokens import Encoded, Encoder

LONGEST_INFERRED = 4 * DEFAULT_MAX_LENGTH
Turns = str | Sequence[Message] | Sequence[Mapping[str, str]]


@dataclass
class RewardModel:
    """A network, its tokenizer and its scoring contract; every reward in rewardsmith comes out of `score_records`.

    `why_separate` says why prefixes are not shared, None where they are. `adapter` is the LoRA adapter in training,
    `adapter_files` what is saved of it once `adapters.merge` has merged it.
    """

    network: RewardNetwork
    tokenizer: Any
    sidecar: Sidecar
    why_separate: str | None = None
    adapter: Adapter | None = None
    adapter_files: AdapterFiles | None = None

    def __post_init__(self) -> None:
        self.encoder = Encoder(self.tokenizer, self.sidecar.contract)

    @property
    def contract(self) -> ScoringContract:
        """What is scored."""
        return self.sidecar.contract

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        dtype: str = "fp32",
        allow_mismatch: bool = False,
        trust_remote_code: bool = False,
    ) -> "RewardModel":
        """Open a folder (or a run folder, or a hub name) for scoring.

        With a `reward.json` its probes are scored again: token ids must match exactly and rewards within 1e-4, else
        ContractError names what differs (`allow_mismatch` skips that). Without one the contract is inferred.
        """
        backbone = open_backbone(str(path), trust_remote_code=trust_remote_code)
        folder = Path(locate(str(path)))
        sidecar = Sidecar.load(folder) if folder.is_dir() else None
        inferred = sidecar is None
        if sidecar is None:
            if backbone.head_is_new:
                raise ContractError(f"{path} has no reward head; train it first: rewardsmith train --model {path} …")
            sidecar = Sidecar(infer_contract(backbone))
        model = cls.build(backbone, sidecar.contract, device=device, dtype=dtype)
        model.sidecar = sidecar
        model.network.eval()
        if not inferred and not allow_mismatch:
            check_probes(model.encoder, model.network, sidecar)
        return model

    @classmethod
    def build(
        cls,
        backbone: Backbone,
        contract: ScoringContract,
        *,
        device: str = "auto",
        dtype: str = "fp32",
        bits: str | None = None,
    ) -> "RewardModel":
        """A reward model from an opened backbone: decide how it is computed, check that, move it to its device.

        `bits` (4bit, 8bit) quantises the layers of the backbone, which then cannot learn.
        """
        place = choose_device(device)
        if bits is not None:
            quantize(backbone.hf, bits, place)
        backbone.tokenizer.pad_token_id = contract.pad_token_id
        backbone.hf.to(place)
        network = RewardNetwork(
            backbone.hf, kind=backbone.kind, pad_id=contract.pad_token_id, packed=False, autocast=None
        )
        reason = why_not(backbone.hf, backbone.kind, contract.max_length)
        reason = reason or self_check(network, contract.max_length, coarse=bits == "8bit")
        network.packed = reason is None
        network.use_attention()
        network.autocast = autocast_dtype(dtype, place, backbone.hf.config)
        if bits is not None:
            compute_in(backbone.hf, network.autocast or torch.float32)
        return cls(network, backbone.tokenizer, Sidecar(contract), reason)

    def encode(self, record: Record) -> Encoded:
        """The token ids that are scored for every response of `record`, and what was cut."""
        return self.encoder.encode(record)

    def score_records(
        self,
        records: Iterable[Record],
        *,
        budget: int | None = None,
        total: int | None = None,
        progress: Progress = SILENT,
    ) -> Iterator[Rewards]:
        """Raw rewards of every record's responses, in order; streams."""
        sequences = (Sequences(record.prompt_id, self.encode(record).sequences) for record in records)
        return score(self.network, sequences, budget=budget, total=total, progress=progress)

    def score(self, conversations: Iterable[Turns]) -> Float64[np.ndarray, " N"]:
        """One raw reward per conversation: a list of messages (the last from the assistant), or a bare answer."""
        if isinstance(conversations, str):
            raise DataError("score got one text; expected a list of conversations: score([text])")
        records = [one_response(conversation) for conversation in conversations]
        return np.array([float(rewards[0]) for rewards in self.score_records(records)])

    def rank(self, prompt: Turns, responses: Sequence[str]) -> list[tuple[int, float]]:
        """(index, reward) of every response to one prompt, best first; equal rewards keep their order."""
        if isinstance(responses, str) or not responses:
            raise DataError(f"rank got {responses!r:.40} as responses; expected a list with at least one text")
        turns = as_messages(prompt, role="user")
        answers = tuple(Response((Message("assistant", text),)) for text in responses)
        rewards = next(self.score_records([Record(turns, answers)]))
        return [(int(k), float(rewards[k])) for k in np.argsort(-rewards, kind="stable")]

    def save(self, folder: Path, *, training: Mapping[str, Any] | None = None) -> None:
        """Write the Hugging Face folder with its sidecar and fresh probes, atomically; an adapter must be merged first."""
        if self.adapter is not None:
            raise ModelError("this model still has its adapter apart; call rewardsmith.model.adapters.merge first")
        autocast, self.network.autocast = self.network.autocast, None
        was_training = self.network.training
        self.network.eval()
        try:
            sidecar = replace(
                self.sidecar,
                probes=self._probes(),
                probed_on=self.network.device.type,
                training=dict(training or self.sidecar.training),
            )
            write_folder(folder, lambda path: self._fill(path, sidecar))
        finally:
            self.network.autocast = autocast
            self.network.train(was_training)
        self.sidecar = sidecar

    def usable_probes(self) -> list[Conversation]:
        """The probe conversations that this contract can render (a template may refuse system turns).

        ContractError where none is left: such a model could be saved, but never be checked.
        """
        chosen = []
        for conversation in PROBE_CONVERSATIONS:
            try:
                self.encode(one_response(conversation))
            except ContractError:
                continue
            chosen.append(conversation)
        if not chosen:
            raise ContractError(
                f"no probe conversation fits max_length {self.contract.max_length} and this chat template; "
                "use a max_length of at least 64"
            )
        return chosen

    def _fill(self, folder: Path, sidecar: Sidecar) -> None:
        save_hf_folder(self.network.hf, self.tokenizer, sidecar.contract, folder)
        sidecar.save(folder)
        if self.adapter_files is not None:
            self.adapter_files.write(folder / "adapter")

    def _probes(self) -> tuple[Probe, ...]:
        chosen = self.usable_probes()
        records = [one_response(conversation) for conversation in chosen]
        ids = [self.encode(record).sequences[0] for record in records]
        rewards = [float(values[0]) for values in self.score_records(records)]
        return tuple(
            Probe(tuple((m.role, m.content) for m in conversation), tuple(map(int, tokens)), reward)
            for conversation, tokens, reward in zip(chosen, ids, rewards, strict=True)
        )


def as_messages(turns: Turns, *, role: str) -> Conversation:
    """A conversation from text (one message of `role`), messages, or role/content mappings."""
    if isinstance(turns, str):
        return (Message(role, turns),)
    messages = []
    for turn in turns:
        if isinstance(turn, Message):
            messages.append(turn)
        elif isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str):
            messages.append(Message(turn["role"], turn["content"]))
        else:
            raise DataError(f"expected a message with text 'role' and 'content', got {str(turn)[:80]!r}")
    return tuple(messages)


def one_response(turns: Turns) -> Record:
    """A conversation as a record with one response: its last message, which must be the assistant's."""
    messages = as_messages(turns, role="assistant")
    if not messages or messages[-1].role != "assistant":
        found = messages[-1].role if messages else "nothing"
        raise DataError(f"a conversation to score must end with the assistant's answer, got {found}")
    return Record(messages[:-1], (Response(messages[-1:]),))


def infer_contract(backbone: Backbone) -> ScoringContract:
    """A contract for a model that came without one, from its tokenizer and config; marked as inferred."""
    return make_contract(
        backbone.tokenizer,
        backbone.kind,
        max_length=min(backbone.longest or LONGEST_INFERRED, LONGEST_INFERRED),
        date=datetime.date(2025, 1, 1),
        inferred=True,
    )
