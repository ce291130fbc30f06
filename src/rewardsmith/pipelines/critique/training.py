"""The stages of `train --head cloud` (CLoud, arXiv 2408.11791, section 3), each with checkpoints of its own.

1. The language model learns the given critiques: the loss is that of their tokens alone. Then it writes a critique of every
   response of the training and validation data.
2. Reward head and language model learn together on conversations that end with these critiques: the loss on comparisons
   plus `lm_weight` times the language-model loss on the critiques.

All of it happens in one network, in the run's folder: stage 1 and the critiques in `critique/`, stage 2 where every run has
its own.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.critique.critic import Critic, CritiqueSettings
from rewardsmith.critique.given import given_critiques
from rewardsmith.critique.turns import with_critiques
from rewardsmith.errors import TrainingError
from rewardsmith.files import hash_text
from rewardsmith.model.forward.batches import micro_batches
from rewardsmith.model.forward.network import RewardNetwork
from rewardsmith.model.forward.spoken import spoken_tokens
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.pipelines.critique.settings import CritiqueTraining
from rewardsmith.pipelines.critique.written import written_critiques
from rewardsmith.progress import Progress
from rewardsmith.records import Record
from rewardsmith.train.examples import Encoding, Example, encode_examples
from rewardsmith.train.held_out import Watch
from rewardsmith.train.loop import Fit, FitResult, FitSettings
from rewardsmith.train.losses import Annotations, Loss, choose
from rewardsmith.train.losses.text import TextTerm

FOLDER = "critique"
"""In the run folder, what stage 1 and the writing of critiques leave."""
NAME = "critique"
"""What the loss of stage 1 is called in the settings of its checkpoints."""


def nothing(rewards: Float[Tensor, " R"], labels: Annotations) -> Float[Tensor, " C"]:
    """No loss on rewards: 0 for every comparison."""
    return 0 * (rewards[labels.preferred] + rewards[labels.other])


CRITIQUES_ALONE = Loss(nothing, text=TextTerm(critique=1.0))


@dataclass(frozen=True)
class Stages:
    """What the stages share: the model, its settings and those of each critique, the run's folder, whether it goes on."""

    model: RewardModel
    training: CritiqueTraining
    settings: FitSettings
    folder: Path
    fingerprint: Mapping[str, Any]
    resuming: bool
    progress: Progress
    watch: Watch | None = None

    def run(self, train: Sequence[Record], validation: Sequence[Record]) -> FitResult:
        """All stages; the result is that of the last one, with what went before in `before`."""
        (self.folder / FOLDER).mkdir(exist_ok=True)
        told: dict[str, Any] = {"lm_weight": self.training.lm_weight, "source": self.training.source}
        if self.training.sft_epochs:
            told["stage_1"] = self._learn_critiques(train, validation)
        if self.training.source == "given":
            behind = [with_given(records, self.training) for records in (train, validation)]
        else:
            behind, told["written"] = self._write_critiques(train, validation)
        encoded = [self._encoded(records) for records in behind]
        if not encoded[0].examples:
            raise TrainingError(f"no training data behind critiques: {encoded[0].left_out.in_one_line()}")
        told["stage_2"] = {"records": len(encoded[0].examples), "refused": len(encoded[0].refused)}
        return replace(self._learn_rewards(*encoded), before=told)

    def _learn_critiques(self, train: Sequence[Record], validation: Sequence[Record]) -> dict[str, Any]:
        """Stage 1, on the records of which every response has a critique; what it came to."""
        some = [record for record in train if all(given_critiques(record))]
        examples = self._encoded(with_given(some, self.training)).examples
        if not examples:
            raise TrainingError(
                f"the critiques of {len(some)} training records do not fit into --max-length with their responses; use a "
                "longer one"
            )
        self.progress.note(
            f"stage 1: learning to write critiques from {len(examples)} of {len(train)} training records"
        )
        network, settings = self.model.network, self._settings_of_stage_1(len(examples))
        network.head.weight.requires_grad_(False)  # waits as it was drawn: no loss on rewards is here
        fitted = Fit(
            network,
            settings,
            train=examples,
            validation=[],
            folder=self.folder / FOLDER,
            fingerprint={**self.fingerprint, "stage": 1},
            loss=CRITIQUES_ALONE,
        ).run(resuming=self.resuming, progress=self.progress)
        network.head.weight.requires_grad_(True)
        held = with_given([record for record in validation if all(given_critiques(record))], self.training)
        loss = critique_loss(network, self._encoded(held).examples, settings.tokens_per_microbatch)
        if loss is not None:
            self.progress.note(f"stage 1: loss of the validation critiques {loss:.4f} per token")
        state = fitted.state
        return {
            "records": len(examples),
            "steps": state.step,
            "tokens": state.tokens,
            "seconds": state.seconds,
            "validation_loss_per_token": loss,
        }

    def _settings_of_stage_1(self, records: int) -> FitSettings:
        settings, epochs = self.settings, self.training.sft_epochs
        per_epoch = -(-records // settings.batch)
        return replace(
            settings,
            epochs=epochs,
            lr=self.training.sft_lr or settings.lr,
            loss=NAME,
            loss_options=None,
            dropout=0.0,
            patience=0,
            eval_every=max(1, min(settings.eval_every, per_epoch)),
        )

    def _write_critiques(
        self, train: Sequence[Record], validation: Sequence[Record]
    ) -> tuple[list[list[Record]], dict[str, Any]]:
        """One critique of every response, by the model as it is now; the records that end with them."""
        critic = Critic(self.model, one_critique(self.training, self.settings.seed))
        records = [*train, *validation]
        self.progress.note(f"writing critiques of {sum(len(record.responses) for record in records)} responses")
        path = self.folder / FOLDER / "critiques.jsonl"
        started = time.perf_counter()
        written = written_critiques(critic, records, path, resuming=self.resuming, progress=self.progress)
        every = [critique for each in written for some in each for critique in some]
        truncated = sum(critique.truncated for critique in every)
        if truncated:
            self.progress.note(f"{truncated} of {len(every)} critiques were stopped at their limit of tokens")
        language = self.training.language
        behind = [
            with_critiques(record, [[one.text for one in some] for some in each], language)
            for record, each in zip(records, written, strict=True)
        ]
        told = {"critiques": len(every), "truncated": truncated, "seconds": time.perf_counter() - started}
        return [behind[: len(train)], behind[len(train) :]], told

    def _learn_rewards(self, train: Encoding, validation: Encoding) -> FitResult:
        """Stage 2: reward head and language model together."""
        for encoding, name in ((train, "training"), (validation, "validation")):
            if encoding.refused:
                self.progress.note(
                    f"stage 2: {len(encoding.refused)} {name} records are not used with their critiques: "
                    f"{encoding.refused[0].reason}"
                )
        settings = self.settings
        loss = choose(settings.loss, settings.loss_options)
        return Fit(
            self.model.network,
            settings,
            train=train.examples,
            validation=validation.examples,
            folder=self.folder,
            fingerprint=self.fingerprint,
            watch=self.watch,
            loss=replace(loss, text=TextTerm(critique=self.training.lm_weight)) if self.training.lm_weight else loss,
        ).run(resuming=self.resuming, progress=self.progress)

    def _encoded(self, records: Sequence[Record]) -> Encoding:
        return encode_examples(records, self.model.answering, share=self.model.network.packed)


def critique_settings(training: CritiqueTraining, seed: int) -> CritiqueSettings:
    """How the finished model writes critiques."""
    return CritiqueSettings(
        tokens=training.tokens,
        samples=training.samples,
        temperature=training.sampling_temperature,
        seed=seed,
        language=training.language,
    )


def one_critique(training: CritiqueTraining, seed: int) -> CritiqueSettings:
    """How critiques to train behind are written: as those of the finished model, but one of each response."""
    final = critique_settings(training, seed)
    return replace(final, samples=1, temperature=final.sampling.temperature)


def with_given(records: Sequence[Record], training: CritiqueTraining) -> list[Record]:
    """The records that end with the critiques of the data; TrainingError where a response has none."""
    behind = []
    for record in records:
        critiques = given_critiques(record)
        if not all(critiques):
            raise TrainingError(
                f"--critique.source given: {record.place} has no critique of every response; add them, or use "
                "--critique.source self"
            )
        behind.append(with_critiques(record, [[str(each)] for each in critiques], training.language))
    return behind


def critiques_hash(records: Sequence[Record]) -> str:
    """A name for all critiques that the data bring along."""
    return hash_text(json.dumps([given_critiques(record) for record in records]))[:16]


def critique_loss(network: RewardNetwork, examples: Sequence[Example], budget: int) -> float | None:
    """Mean of -log p over the critiques' tokens; None without examples."""
    total = tokens = 0.0
    trees = [example.tree for example in examples]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for group in micro_batches(trees, budget, packed=network.packed):
            some = [trees[index] for index in group]
            batch = network.texts(some)
            wanted = [True] * sum(len(tree.branches) for tree in some)
            columns = network(replace(batch, spoken=spoken_tokens(batch, some, wanted)), wide=True)[:, -2:]
            logs, counts = columns.double().sum(dim=0).tolist()
            total, tokens = total - logs, tokens + counts
    network.train(was_training)
    return total / tokens if tokens else None
