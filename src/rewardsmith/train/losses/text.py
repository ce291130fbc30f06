"""What the text of a response adds to a loss on comparisons: the likelihood of the preferred one under the language model.

With log p the sum over the tokens of a response, n their number, and p the share of judges for the preferred one (each
pays for the response that it preferred, so a tie counts both halves):

- language modelling as a second task: + w * (-log p / n);
- critiques (Ankner et al. 2024, arXiv 2408.11791; `lm_weight` in `cloud/train/train.py` of their code):
  + w * (-(log p of both) / (n of both)), where each text's answer is its critique; both responses' critiques count,
  whichever is preferred. Their mean is over the tokens of a micro-batch, ours over those of a comparison, so that the
  gradient does not depend on the cut;
- GRM (Yang et al. 2024, arXiv 2406.10216; `reward_models/grm_reward_trainer.py` of their code): (1 - a) * loss + a * text,
  with the text term -log sigma(b * log p) of the preferred response ("sft") or, without a reference model,
  -log sigma(b * (log p of the preferred - log p of the other)) ("dpo"); both take sums over tokens, no means.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from rewardsmith.errors import UsageError
from rewardsmith.settings.options import NumberOption

OPTIONS: Mapping[str, NumberOption] = {
    "lm": NumberOption(0.0, low=0.0),
    "lm_share": NumberOption(1.0, low=0.0, high=1.0, open_low=True),
    "grm_sft": NumberOption(0.0, low=0.0, high=1.0, open_high=True),
    "grm_dpo": NumberOption(0.0, low=0.0, high=1.0, open_high=True),
    "grm_beta": NumberOption(0.1, low=0.0, open_low=True),
}
"""The options, which every loss on comparisons takes."""


@dataclass(frozen=True)
class TextTerm:
    """The terms on text: `lm` is w, on the share `lm_share` of the records in each epoch; `grm_sft` or `grm_dpo` is a, and
    `grm_beta` is b. `critique` is the w of critiques, which no option sets: `--head cloud` does.
    """

    lm: float = 0.0
    lm_share: float = 1.0
    grm_sft: float = 0.0
    grm_dpo: float = 0.0
    grm_beta: float = 0.1
    critique: float = 0.0

    @property
    def both(self) -> bool:
        """Whether it takes the text of both responses of every comparison."""
        return bool(self.grm_dpo or self.critique)

    @property
    def kept(self) -> float:
        """What the loss on comparisons is multiplied with."""
        return 1.0 - self.grm_sft - self.grm_dpo

    def values(
        self,
        columns: Float[Tensor, "R 2"],
        preferred: Int64[Tensor, " C"],
        other: Int64[Tensor, " C"],
        share: Float[Tensor, " C"],
    ) -> Float[Tensor, " C"]:
        """What each comparison adds, from the sum of log p and the number of tokens of each response; `share` is that of the
        judges for the preferred one.
        """
        total, count = columns[:, 0], columns[:, 1]
        added = total.new_zeros(len(preferred))
        if self.lm:
            each = -total / count.clamp(min=1)
            added = added + self.lm * (share * each[preferred] + (1 - share) * each[other])
        if self.grm_sft:
            each = F.softplus(-self.grm_beta * total)
            added = added + self.grm_sft * (share * each[preferred] + (1 - share) * each[other])
        if self.grm_dpo:
            margin = self.grm_beta * (total[preferred] - total[other])
            added = added + self.grm_dpo * (share * F.softplus(-margin) + (1 - share) * F.softplus(margin))
        if self.critique:
            tokens = (count[preferred] + count[other]).clamp(min=1)
            added = added - self.critique * (total[preferred] + total[other]) / tokens
        return added


def text_term(options: dict[str, float]) -> TextTerm | None:
    """The terms that the options ask for, which are taken out of them; None where they ask for none.

    UsageError where they exclude each other.
    """
    given = {name: options.pop(name) for name in OPTIONS if name in options}
    term = TextTerm(**given)
    if term.grm_sft and term.grm_dpo:
        raise UsageError("--loss.grm-sft and --loss.grm-dpo are two forms of one term; give one of them")
    if "grm_beta" in given and term.kept == 1:
        raise UsageError("--loss.grm-beta has no effect without --loss.grm-sft or --loss.grm-dpo; remove it or add one")
    if "lm_share" in given:
        refuse_share(term)
    return term if term.lm or term.kept < 1 else None


def refuse_share(term: TextTerm) -> None:
    """UsageError for a share of the records where it has no effect, or not the one that it says."""
    if not term.lm:
        raise UsageError("--loss.lm-share has no effect without --loss.lm; remove it or add --loss.lm")
    if term.lm_share < 1 and term.kept < 1:
        raise UsageError(
            f"--loss.lm-share {term.lm_share:g}: the GRM term takes the text of every record; remove --loss.lm-share"
        )
