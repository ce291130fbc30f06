"""How the pairs of an iteration are made: plain, with smoothed labels (CREAM), or over time (Temporal Self-Rewarding).

- plain: best against worst of the candidates of the model as it is (Yuan et al. 2024, arXiv 2401.10020).
- cream: the same pairs, labels smoothed by 1 - C, C the consistency of this model's ranks with those of the model before
  (arXiv 2410.12735); the first iteration has no model before, and is plain.
- temporal (arXiv 2508.06026): what is rejected comes from the first model, so that it does not improve along with what is
  chosen. A model trained on such pairs is asked too (the next generation), and the best of both is chosen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.align.consistency import consistency_of
from rewardsmith.data.formats.native import to_row
from rewardsmith.files import write_json, write_jsonl
from rewardsmith.files.reading import read_object
from rewardsmith.pipelines.dpo.pipeline import optimise
from rewardsmith.pipelines.generate.pipeline import generate_source
from rewardsmith.pipelines.pairs.choosing import CandidateSet, choose_pairs
from rewardsmith.pipelines.pairs.pipeline import FINISHED, PER_RESPONSE, by_response, with_pairs
from rewardsmith.pipelines.pairs.result import PairCounts
from rewardsmith.pipelines.self_reward.config import Config
from rewardsmith.pipelines.self_reward.places import IterationPlaces, LoopPlaces
from rewardsmith.pipelines.self_reward.scoring import ScoredRow, implicit, read_rows, rewards_of, score_file, source_for
from rewardsmith.progress import Progress
from rewardsmith.records import Record, Response

OWN, BASE, FUTURE = "own", "base", "future"


@dataclass(frozen=True)
class Turn:
    """One iteration while it is worked on: its number, its folder, and the model that it begins with."""

    config: Config
    places: LoopPlaces
    number: int
    model: str
    progress: Progress

    @property
    def here(self) -> IterationPlaces:
        """Its folder."""
        return self.places.iteration(self.number)

    @property
    def before(self) -> str:
        """The model of the iteration before."""
        return self.config.model if self.number <= 2 else trained(self.places.iteration(self.number - 2))


def trained(here: IterationPlaces, of: str = OWN) -> str:
    """The model that an iteration has trained."""
    return str(here.dpo(of) / "model")


def candidates(turn: Turn, of: str, model: str, *, seed: int) -> Path:
    """Generate the candidates of one model and score them, each where it is not done; where they lie."""
    here = turn.here
    if not here.candidates(of).is_file():
        generate_source(turn.config.generating(model, here.prompts, here.candidates(of), seed=seed), turn.progress)
    if not here.scored(of).is_file():
        source = source_for(turn.config, turn.model)
        try:
            score_file(source, here.candidates(of), here.scored(of), turn.progress)
        finally:
            source.close()
    return here.scored(of)


def make_pairs(turn: Turn) -> dict[str, Any]:
    """The pairs of the iteration, and how its labels are smoothed; returns what was counted."""
    here, config = turn.here, turn.config
    seed = config.seed + turn.number
    candidates(turn, OWN, turn.model, seed=seed)
    if here.counts().is_file():
        return read_object(here.counts())
    if config.variant == "temporal":
        future_candidates(turn, seed)
    else:
        write_pairs(turn, OWN, [read_rows(here.scored(OWN))], anchored=False)
    return read_object(here.counts())


def future_candidates(turn: Turn, seed: int) -> None:
    """Anchored pairs, the model that they make, and with its candidates the pairs of the iteration."""
    here = turn.here
    base = candidates(turn, OWN if turn.number == 1 else BASE, turn.config.model, seed=seed)
    if not here.counts("anchored").is_file():
        write_pairs(turn, "anchored", [read_rows(here.scored(OWN)), read_rows(base)], anchored=True)
    pools = [read_rows(here.scored(OWN))]
    if enough(turn, read_object(here.counts("anchored"))):
        train(turn, "anchored", FUTURE)
        pools.append(read_rows(candidates(turn, FUTURE, trained(here, FUTURE), seed=seed)))
    write_pairs(turn, OWN, [*pools, read_rows(base)], anchored=True)


def enough(turn: Turn, counts: dict[str, Any]) -> bool:
    """Whether there are pairs to train on."""
    return int(counts["pairs"]) >= turn.config.min_pairs


def train(turn: Turn, pairs: str, of: str, *, label_smoothing: float = 0.0) -> dict[str, Any]:
    """Train on pairs, from the model that the iteration begins with; what `dpo.json` holds."""
    place = turn.here.dpo(of)
    done = place / "dpo.json"
    if done.is_file() and (summary := read_object(done)).get("finished"):
        return summary
    settings = turn.config.dpo(turn.model, turn.here.pairs(pairs), place, label_smoothing=label_smoothing)
    return optimise(settings, turn.progress).to_json()


def write_pairs(turn: Turn, of: str, pools: Sequence[Sequence[ScoredRow]], *, anchored: bool) -> None:
    """Choose pairs among the candidates of each prompt and write them; with `anchored` those of the last pool are rejected,
    and those of the others chosen.
    """
    counts = PairCounts()
    write_jsonl(turn.here.pairs(of), (to_row(record) for record in paired(turn, pools, counts, anchored=anchored)))
    write_json(turn.here.counts(of), counts.to_json())


def paired(turn: Turn, pools: Sequence[Sequence[ScoredRow]], counts: PairCounts, *, anchored: bool) -> Iterable[Record]:
    """The records that have a pair."""
    for rows in zip(*pools, strict=True):
        counts.rows += 1
        pool = pooled(rows, anchored=anchored)
        if pool is None:
            counts.unused["too_few"] += 1
            continue
        record, found = pool
        pairs = choose_pairs(found, turn.config.rule(), counts.unused)
        if not pairs:
            continue
        counts.prompts += 1
        for pair in pairs:
            counts.add(pair.lead, found.lengths[pair.chosen], found.lengths[pair.rejected])
        yield with_pairs(record, found.rewards, pairs)


@dataclass
class Pooled:
    """A response that stands in one pool or several: its reward and fields, and in which kind of pool it stands."""

    response: Response
    reward: float
    fields: dict[str, Any]
    chosen: bool = False
    anchor: bool = False


def pooled(rows: Sequence[ScoredRow], *, anchored: bool) -> tuple[Record, CandidateSet] | None:
    """The candidates of one prompt from all pools as one record, each text once; None where nothing was said.

    With `anchored` those of the last pool can be rejected and no others, and those of the others chosen; a truncated one
    never is.
    """
    first = next((row.record for row in rows if row.record is not None), None)
    if first is None:
        return None
    every = joined(rows, anchored=anchored)
    fields = {**first.fields, **shared_fields(every)}
    record = replace(first, responses=tuple(one.response for one in every), fields=fields, comparisons=())
    return record, candidate_set(every)


def shared_fields(every: Sequence[Pooled]) -> dict[str, list[Any]]:
    """The fields with one value per response; None where a response has none."""
    names = [name for name in PER_RESPONSE if any(name in one.fields for one in every)]
    return {name: [one.fields.get(name) for one in every] for name in names}


def candidate_set(every: Sequence[Pooled]) -> CandidateSet:
    """The candidates as the choice sees them."""
    texts = [one.response.text for one in every]
    return CandidateSet(
        np.array([one.reward for one in every], dtype=np.float64),
        np.array([len(text) for text in texts], dtype=np.float64),
        texts,
        satisfies=np.ones(len(every), dtype=bool),
        choosable=np.array([one.chosen and one.fields.get(FINISHED) != "length" for one in every]),
        rejectable=np.array([one.anchor for one in every]),
        dropped=np.zeros(len(every), dtype=bool),
    )


def joined(rows: Sequence[ScoredRow], *, anchored: bool) -> list[Pooled]:
    """The responses of all pools, those that are the same as one."""
    found: dict[tuple[str, Any], Pooled] = {}
    for number, row in enumerate(rows):
        last = number == len(rows) - 1
        for response, reward, fields in responses_of(row):
            one = found.setdefault((response.text, fields.get(FINISHED)), Pooled(response, reward, fields))
            one.chosen |= not (anchored and last)
            one.anchor |= last or not anchored
    return list(found.values())


def responses_of(row: ScoredRow) -> Iterable[tuple[Response, float, dict[str, Any]]]:
    """Each response of a row with its reward and what its fields say of it."""
    if row.record is None:
        return
    told = by_response(row.record, row.record.fields)
    for index, (response, reward) in enumerate(zip(row.record.responses, row.rewards.tolist(), strict=True)):
        yield response, reward, {name: values[index] for name, values in told.items()}


def smoothing_of(turn: Turn) -> tuple[float, dict[str, Any] | None]:
    """The label smoothing of the iteration, and under CREAM what the consistency is (None in the first iteration)."""
    if turn.config.variant != "cream" or turn.number == 1:
        return 0.0, None
    path = turn.here.consistency
    if not path.is_file():
        rows = read_rows(turn.here.scored(OWN))
        now = [row.rewards for row in rows if row.record is not None]
        before = rewards_of(implicit(turn.config, turn.before), rows, turn.progress)
        found = consistency_of(now, before)
        value = None if np.isnan(found.value) else found.value
        write_json(path, {"value": value, "prompts": found.prompts, "skipped": found.skipped})
    told = read_object(path)
    return (0.0 if told["value"] is None else 1.0 - float(told["value"])), told
