"""A reward model as its users hold it: load, score, rank, save."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64

from rewardsmith.errors import ContractError, ModelError
from rewardsmith.evaluate.metrics import sigmoid
from rewardsmith.files import write_folder
from rewardsmith.files.kinds import MODEL
from rewardsmith.files.manifest import listed
from rewardsmith.model.adapters.lora import Adapter, AdapterFiles, merge
from rewardsmith.model.adapters.quantized import compute_in, quantize
from rewardsmith.model.checkpoint.hf_folder import save_hf_folder
from rewardsmith.model.checkpoint.intact import model_faults, seal_model
from rewardsmith.model.checkpoint.probes import find_mismatch, scored_probes, usable_probes
from rewardsmith.model.checkpoint.sidecar import Sidecar
from rewardsmith.model.conversations import as_candidates, as_messages, as_solution, one_response, several
from rewardsmith.model.ensemble import HeadEnsemble
from rewardsmith.model.ensembles.combination import Combiner
from rewardsmith.model.ensembles.members import ensemble_folder
from rewardsmith.model.ensembles.network import EnsembleNetwork, MemberColumns, heads_network
from rewardsmith.model.ensembles.opening import OpenedEnsemble, SavedMembers, open_ensemble, under
from rewardsmith.model.equivalence.path_check import check_path
from rewardsmith.model.equivalence.tree_support import self_check, why_alone, why_not
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.heads import open_head
from rewardsmith.model.heads.head import ColumnHead, ColumnSource
from rewardsmith.model.heads.process import ProcessHead, unlike
from rewardsmith.model.inferred import describe_inferred, own_contract, settled_contract
from rewardsmith.model.lean.swap import make_lean
from rewardsmith.model.lean.transposed import store_transposed
from rewardsmith.model.loading.backbones import NO_CHOICE, Backbone, open_backbone
from rewardsmith.model.loading.value_heads import Choice
from rewardsmith.model.runtime.devices import autocast_dtype, choose_device
from rewardsmith.model.scorer import Outputs, RecordRewards, outputs, score, sequences_of
from rewardsmith.model.token_values import values_of_ids
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Conversation, Record, Turns
from rewardsmith.scoring.contract import ScoringContract
from rewardsmith.scoring.tokens import Encoded, Encoder
from rewardsmith.settings.in_memory import InMemory
from rewardsmith.settings.keywords import check_types

LOADED_WITH = {"path": str, "device": str, "dtype": str, "template": str | None, "max_length": int | None}
"""The types of what `RewardModel.load` takes, a path as text."""


@dataclass
class RewardModel:
    """A network, its tokenizer and its scoring contract; every reward in rewardsmith comes out of `score_records`.

    `why_separate` says why prefixes are not shared, None where they are; `understood` what a model that came without
    `reward.json` was taken for, "" for one with it. `adapter` is the LoRA adapter in training, `adapter_files` what is
    saved of it once `merge_adapter` has merged it. `head` gives the columns beside the reward (see `model.heads`), None for
    a scalar head; `members` are those of an ensemble, whose network combines them. `mismatch` says in what a model that was
    opened with `allow_mismatch` is not the one that was saved; `notes` what of a model was left out.
    """

    network: RewardNetwork
    tokenizer: Any
    sidecar: Sidecar
    why_separate: str | None = None
    adapter: Adapter | None = None
    adapter_files: AdapterFiles | None = None
    understood: str = ""
    head: ColumnSource | None = None
    members: SavedMembers | None = None
    mismatch: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        readout = self.network.readout
        self.encoder = Encoder(self.tokenizer, self.sidecar.contract, answers=readout is not None and readout.answers)

    def __repr__(self) -> str:
        network = self.network
        facts: dict[str, Any] = {} if self.members is None else {"members": len(self.members.description.members)}
        facts |= {
            "parameters": sum(size for _, size in network.parameter_sizes()),
            "dtype": str(network.autocast or torch.float32).removeprefix("torch."),
            "device": network.device,
            "max_length": self.contract.max_length,
            "heads": self.sidecar.heads,
            **({"columns": "+".join(self.columns)} if self.columns else {}),
            "mismatch": bool(self.mismatch),
        }
        return (
            f"RewardModel({type(network.hf).__name__}, {', '.join(f'{name}={fact}' for name, fact in facts.items())})"
        )

    def remarks(self) -> list[str]:
        """What a person should know of the model as it was opened, one line each."""
        mismatch = f"{self.mismatch}; its rewards are not those of the saved model" if self.mismatch else ""
        return [line for line in (self.understood, *self.notes, mismatch) if line]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what the model gives beside the reward of a response; () for a scalar head."""
        return () if self.head is None else self.head.columns

    @property
    def contract(self) -> ScoringContract:
        """What is scored."""
        return self.sidecar.contract

    @property
    def ensemble(self) -> EnsembleNetwork | None:
        """The network that gives the members' rewards as well; None for a model with one head."""
        if isinstance(self.network, EnsembleNetwork):
            return self.network
        return heads_network(self.network, self.head.weights) if isinstance(self.head, HeadEnsemble) else None

    def combined(self, combiner: Combiner) -> "RewardModel":
        """The same members under another rule, without normaliser and temperature, which are those of the stored rule;
        ModelError for a model without members.
        """
        ensemble = self.ensemble
        if ensemble is None:
            raise ModelError(
                "--combine needs an ensemble, and this is a single model; join several with: rewardsmith ensemble"
            )
        if ensemble.combination == combiner:
            return self
        network = under(ensemble, combiner)
        network.eval()
        sidecar, members = replace(self.sidecar, normalizer=None, calibration=None), self.members
        if members is not None:
            members = members.described(replace(members.description, combination=combiner, spread=None))
        return replace(self, network=network, head=MemberColumns(network), members=members, sidecar=sidecar)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        device: str = "auto",
        dtype: str = "fp32",
        allow_mismatch: bool = False,
        trust_remote_code: bool = False,
        choice: Choice = NO_CHOICE,
        template: str | None = None,
        max_length: int | None = None,
    ) -> "RewardModel":
        """Open a folder (or a run folder, or a hub name) for scoring; a model in memory is that model.

        With a `manifest.json` its files must be those that were saved, else ModelError. With a `reward.json` its probes
        are scored again: token ids must match exactly and rewards within 1e-4, else ContractError names what differs
        (with `allow_mismatch`, `mismatch` does). Without one the contract is inferred; `template`, `max_length` and
        `choice` say what cannot be, and are refused where one is stored.
        """
        given = {"device": device, "dtype": dtype, "template": template, "max_length": max_length}
        check_types({name: (value, LOADED_WITH[name]) for name, value in {"path": path, **given}.items()})
        if isinstance(path, InMemory):
            opened: RewardModel = path.value
            return opened
        if (folder := ensemble_folder(str(path))) is not None:
            return cls._load_ensemble(path, folder, given, trust=trust_remote_code, check=not allow_mismatch)
        backbone = open_backbone(
            str(path), trust_remote_code=trust_remote_code, choice=choice, check_files=not allow_mismatch
        )
        sidecar = Sidecar.load(backbone.folder) if backbone.folder else None
        if sidecar is not None and (template is not None or max_length is not None):
            raise own_contract(path)
        if sidecar is None:
            contract = settled_contract(str(path), backbone, template, max_length)
            model = cls.build(backbone, contract, device=device, dtype=dtype)
            model.sidecar = replace(model.sidecar, normalizer=backbone.origin.normalizer)
            model.understood = describe_inferred(backbone, contract)
        else:
            model = cls.build(backbone, sidecar.contract, device=device, dtype=dtype)
            model._take_over(sidecar, backbone.folder, allow_mismatch=allow_mismatch)
        model.network.eval()
        store_transposed(model.network)
        model.notes = backbone.notes
        return model

    @classmethod
    def _load_ensemble(
        cls, path: str | Path, folder: Path, given: Mapping[str, Any], *, trust: bool, check: bool
    ) -> "RewardModel":
        """Open an ensemble: its members as `load` does, and the probes of what they come to."""
        if given["template"] is not None or given["max_length"] is not None:
            raise own_contract(path)
        place = {"device": given["device"], "dtype": given["dtype"]}
        opened = open_ensemble(
            folder,
            load=lambda one: cls.load(one, **place, allow_mismatch=not check, trust_remote_code=trust),
            build=lambda backbone, contract: cls.build(backbone, contract, **place),
            check=check,
        )
        model = cls.of_ensemble(opened)
        model._take_over(opened.sidecar, folder, allow_mismatch=not check)
        store_transposed(model.network)
        return model

    @classmethod
    def of_ensemble(cls, opened: OpenedEnsemble) -> "RewardModel":
        """The model of an opened ensemble."""
        given = (opened.network.eval(), opened.tokenizer, opened.sidecar, opened.why_separate)
        return cls(*given, head=MemberColumns(opened.network), members=opened.members)

    def _take_over(self, sidecar: Sidecar, folder: Path | None, *, allow_mismatch: bool) -> None:
        """Be the model that was saved with this sidecar in `folder`; what differs is refused, or kept in `mismatch`."""
        self.sidecar = sidecar
        if sidecar.heads > 1 and folder is not None:
            self.head = HeadEnsemble.load(folder, self.network, sidecar.heads)
        elif sidecar.head is not None and folder is not None:
            self.keep_columns(open_head(folder, sidecar.head, self.network.head.weight).to(self.network.device))
        self.network.eval()
        damage = listed(model_faults(folder)) if allow_mismatch and folder else ""
        found = find_mismatch(self.encoder, self.network, sidecar)
        self.mismatch = "; ".join(filter(None, (damage, found)))
        if self.mismatch and not allow_mismatch:
            raise ContractError(f"{self.mismatch}; pass --allow-mismatch to score anyway")

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
        backbone.tokenizer.pad_token_id = contract.pad_token_id
        network = RewardNetwork(
            backbone.hf, kind=backbone.kind, pad_id=contract.pad_token_id, packed=False, autocast=None
        )
        network.offset = backbone.origin.offset
        reason = check_path(network)  # before few bits blur what it compares
        if backbone.readout is not None:
            network.read(backbone.readout)
            backbone.set_head(network.head)
        if bits is not None:
            quantize(backbone.hf, bits, place)
        backbone.hf.to(place)
        make_lean(network)
        if alone := why_alone(backbone.hf, contract.max_length):
            network.padded, reason = False, alone
        reason = reason or why_not(backbone.hf, backbone.kind, contract.max_length)
        reason = reason or self_check(network, contract.max_length, coarse=bits == "8bit")
        network.packed = reason is None
        network.use_attention()
        network.autocast = autocast_dtype(dtype, place, backbone.hf.config)
        if bits is not None:
            compute_in(backbone.hf, network.autocast or torch.float32)
        sidecar = Sidecar(contract, offset=network.offset, readout=network.readout)
        return cls(network, backbone.tokenizer, sidecar, reason)

    def keep_heads(self, weights: Float[np.ndarray, "M F"]) -> None:
        """Keep the heads that the network's own is the mean of; they are saved with it."""
        self.head = HeadEnsemble(torch.from_numpy(weights).float())
        self.sidecar = replace(self.sidecar, heads=len(weights), head=None)

    def keep_head(self, head: ColumnHead) -> None:
        """Give the columns of this head beside the reward from now on; it is saved with the model."""
        self.keep_columns(head)
        self.sidecar = replace(self.sidecar, heads=1, head=head.info)

    def keep_columns(self, head: ColumnHead) -> None:
        """Let this head give the columns, and the reward where the reward head does not."""
        self.head = head.eval()
        self.network.whole_reward = head.whole_reward()

    def merge_adapter(self) -> float:
        """Merge the adapter in training into the network; its files stay in `adapter_files` and are saved with the model.
        Returns the largest change of a probe's reward."""
        if self.adapter is None:
            raise ModelError("this model has no adapter to merge")
        probes = self.usable_probes()
        self.adapter_files = self.adapter.files()
        changed = merge(self.adapter, self.network, lambda: self.score(probes))
        self.adapter = None
        return changed

    @cached_property
    def answering(self) -> Encoder:
        """The encoder, or one like it that also counts the tokens of each answer."""
        return self.encoder if self.encoder.answers else Encoder(self.tokenizer, self.contract, answers=True)

    def encode(self, record: Record) -> Encoded:
        """The token ids that are scored for every response of `record`, and what was cut."""
        return self.encoder_of(record).encode(record)

    def encoder_of(self, record: Record, *, answers: bool = False) -> Encoder:
        """What encodes `record`; ContractError for steps where the model judges responses, and for the reverse."""
        if record.by_steps != isinstance(self.head, ProcessHead):
            raise unlike(record)
        return self.answering if answers else self.encoder

    def score_records(
        self,
        records: Iterable[Record],
        *,
        budget: int | None = None,
        total: int | None = None,
        progress: Progress = SILENT,
    ) -> Iterator[RecordRewards]:
        """Raw rewards of every record's responses, in order; streams."""
        sequences = (sequences_of(record, self.encode(record)) for record in records)
        return score(self.network, sequences, budget=budget, total=total, progress=progress)

    def score(self, conversations: Iterable[Turns]) -> Float64[np.ndarray, " N"]:
        """One raw reward per conversation: a list of messages (the last from the assistant), or a bare answer.

        A column of a data frame will do; DataError for rows with several columns, which `rewardsmith.score` takes.
        """
        records = map(one_response, several(conversations, "score"))
        return np.array([float(rewards[0]) for rewards in self.score_records(records)])

    def step_values(self, prompt: Turns, steps: Sequence[str]) -> Float64[np.ndarray, " K"]:
        """The probability that each of a solution's K steps is correct, for a model trained with `--head process`."""
        return sigmoid(next(self.score_records([as_solution(prompt, steps)])))

    def outputs(self, records: Iterable[Record], *, budget: int | None = None) -> Iterator[Outputs]:
        """As `score_records`, with the named columns that the model gives beside each reward (see `columns`)."""
        sequences = (sequences_of(record, self.encode(record)) for record in records)
        return outputs(self.network, sequences, self.head, budget=budget)

    def score_with_columns(self, conversations: Iterable[Turns]) -> Outputs:
        """As `score`, with the named columns: an array of N numbers each."""
        records = [one_response(conversation) for conversation in several(conversations, "score_with_columns")]
        found = list(self.outputs(records))
        return Outputs(
            np.array([float(one.rewards[0]) for one in found]),
            {name: np.array([float(one.columns[name][0]) for one in found]) for name in self.columns},
        )

    def values(self, prompt: Turns, response_ids: Any, *, before: bool = False) -> Float64[np.ndarray, " T"]:
        """The value at each of T response tokens, as a critic gives it: that of the text which ends with the token.

        `response_ids` are ids of this model's own tokenizer, behind `prompt` and what the template writes before a
        response. With `before` the values of the states before each token, as PPO's advantages take them. ModelError for a
        model without values per token (an encoder, or a head that pools in two ways); DataError for ids that do not fit.
        """
        opening = self.encoder.opening(as_messages(prompt, role="user"))
        return values_of_ids(self.network, opening, response_ids, limit=self.contract.max_length, before=before)

    def rank(self, prompt: Turns, responses: Sequence[str]) -> list[tuple[int, float]]:
        """(index, reward) of every response to one prompt, best first; equal rewards keep their order."""
        rewards = next(self.score_records([as_candidates(prompt, responses)]))
        return [(int(k), float(rewards[k])) for k in np.argsort(-rewards, kind="stable")]

    def save(self, folder: str | Path, *, training: Mapping[str, Any] | None = None, overwrite: bool = False) -> None:
        """Write the Hugging Face folder with its sidecar and fresh probes, atomically; an adapter must be merged first.

        `overwrite` replaces a model folder of ours; OutputError where anything else is there.
        """
        if self.adapter is not None:
            raise ModelError("the adapter of this model is not merged; call merge_adapter() first")
        if self.members is None and isinstance(self.network, EnsembleNetwork):
            raise ModelError("the heads of one model under another rule are saved as an ensemble: rewardsmith ensemble")
        autocast, self.network.autocast = self.network.autocast, None
        was_training = self.network.training
        self.network.eval()
        try:
            sidecar = replace(
                self.sidecar,
                probes=scored_probes(self.encoder, self.network),
                probed_on=self.network.device.type,
                training=dict(training or self.sidecar.training),
            )
            final = Path(folder)
            write_folder(final, lambda path: self._fill(path, final, sidecar), MODEL, overwrite=overwrite)
        finally:
            self.network.autocast = autocast
            self.network.train(was_training)
        self.sidecar = sidecar

    def usable_probes(self) -> list[Conversation]:
        """The probe conversations that this contract can render; ContractError where none is left."""
        return usable_probes(self.encoder)

    def _fill(self, folder: Path, final: Path, sidecar: Sidecar) -> None:
        network = self.network
        if self.members is not None:
            self.members.write(folder, final)
        else:
            save_hf_folder(network.hf, self.tokenizer, sidecar.contract, folder, linear=network.whole_reward is None)
        sidecar.save(folder)
        if self.head is not None and self.members is None:
            self.head.save(folder, self.network.head.weight)
        if self.adapter_files is not None:
            named = sidecar.training.get("base_model") or {}  # as a stranger may know it: the folder may go to a hub
            self.adapter_files.write(folder / "adapter", base=named.get("hub") or named.get("name"))
        seal_model(folder)
