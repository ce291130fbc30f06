"""Rendered texts in this process, read and computed as the server does."""

from collections.abc import Sequence

import numpy as np

from rewardsmith.errors import DataError
from rewardsmith.model.reward_model import RewardModel
from rewardsmith.model.scorer import DEFAULT_BUDGET
from rewardsmith.rl.service import REWARD, RewardColumns
from rewardsmith.serve.models.reference import stored_reference
from rewardsmith.serve.models.served import ServedModel
from rewardsmith.serve.protocols.openrlhf import question
from rewardsmith.serve.protocols.protocol import BadRequest


def score_rendered(model: RewardModel, texts: Sequence[str], prompts: Sequence[str]) -> RewardColumns:
    """The rewards and columns of texts that begin with their prompts; DataError for one that cannot be scored."""
    sidecar = model.sidecar
    served = ServedModel("", "", model, stored_reference(sidecar.normalizer, sidecar.calibration))
    try:
        read = served.read([question(text, prompt) for text, prompt in zip(texts, prompts, strict=True)], truncate=True)
    except BadRequest as error:
        raise DataError(error.message) from error
    budget = DEFAULT_BUDGET.get(model.network.device.type, DEFAULT_BUDGET["cpu"])
    outputs = served.compute([one.sequences for one in read], budget)
    columns = {name: np.array([one.columns[name] for one in outputs]) for name in model.columns}
    return {REWARD: np.array([one.reward for one in outputs]), **columns}
