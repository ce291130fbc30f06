"""Records → their rewards behind critiques, with all that was not used whole."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from rewardsmith.critique.model import Critiqued, CritiqueModel
from rewardsmith.errors import ContractError
from rewardsmith.progress import SILENT, Progress
from rewardsmith.records import Record
from rewardsmith.scoring.left_out import NOT_COMPARED, LeftOut
from rewardsmith.scoring.tokens import Encoded
from rewardsmith.scoring.truncation import Cuts


class CritiquedRecords(NamedTuple):
    """The records that could be scored, what they came to, and the account of the others; `truncated` critiques were stopped
    at their limit, of `critiques` in all.
    """

    records: list[Record]
    found: list[Critiqued]
    left_out: LeftOut

    @property
    def critiques(self) -> int:
        """How many critiques were written."""
        return sum(len(each) for one in self.found for each in one.critiques)

    @property
    def truncated(self) -> int:
        """How many of them were stopped at the limit of tokens."""
        return sum(one.truncated for one in self.found)


def critiqued_records(model: CritiqueModel, records: Sequence[Record], progress: Progress = SILENT) -> CritiquedRecords:
    """Rewards and critiques of all records that the contract can render, in order."""
    left_out, usable, critic = LeftOut(), [], model.critic()
    for record in records:
        try:
            critic.openings(record)
        except ContractError as error:
            left_out.unused(record, "not_scorable", str(error))
            continue
        usable.append(record)
    found = list(model.critiqued(usable, progress=progress))
    for record, one in zip(usable, found, strict=True):
        if record.comparisons:
            left_out.used(record, first_of_each(one))
        else:
            left_out.unused(record, "no_comparison", NOT_COMPARED)
    return CritiquedRecords(usable, found, left_out)


def first_of_each(one: Critiqued) -> Encoded:
    """What was scored of each response behind its first critique."""
    step = len(one.critiques[0])
    encoded = one.encoded
    cuts = Cuts(**{name: values[::step] for name, values in vars(encoded.cuts).items()})
    return replace(encoded, sequences=encoded.sequences[::step], cuts=cuts)


def truncated_in_words(critiques: int, truncated: int) -> str:
    """How many critiques were cut, "" for none."""
    return f"{truncated} of {critiques} critiques were cut at their limit of tokens" if truncated else ""
