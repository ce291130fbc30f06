"""One computation for several functions: those of one model, one for each attribute, get the same texts in turn."""

import threading
from collections.abc import Hashable, Sequence

from rewardsmith.records import Turns
from rewardsmith.rl.dialogues import paired
from rewardsmith.rl.service import RewardColumns, RewardService, TrainerRow, finite


class ScoredBatch:
    """The last batch that was scored, and its rewards."""

    def __init__(self, service: RewardService) -> None:
        self.service = service
        self.lock = threading.Lock()
        self.key: Hashable = None
        self.columns: RewardColumns = {}

    def of(
        self, prompts: Sequence[Turns], completions: Sequence[Turns], rows: Sequence[TrainerRow] | None = None
    ) -> RewardColumns:
        """The rewards of these texts: at once where they are those of the last call, and no other columns play a part.

        Where prompts and completions are texts, as in a data set without messages, they may have been rendered already.
        """
        turns = paired(prompts, completions)
        plain = all(isinstance(one, str) for one in (*prompts, *completions))
        key = (plain, tuple(turns)) if rows is None else None
        with self.lock:
            if key is None or key != self.key:
                if plain and rows is None:
                    texts = [f"{prompt}{text}" for prompt, text in zip(prompts, completions, strict=True)]
                    found = self.service.score_rendered(texts, [str(prompt) for prompt in prompts])
                else:
                    found = self.service.score(turns, rows)
                self.columns, self.key = finite(found, len(turns)), key
            return self.columns
