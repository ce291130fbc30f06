"""Reward models for RLHF: clean preference data, train, evaluate, and measure how good the result is.

    import rewardsmith as rs

    model = rs.RewardModel.load("runs/first")
    model.score([[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]])

The public names below are imported when they are first used, so that `import rewardsmith` stays fast and free of torch.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from rewardsmith.version import VERSION as __version__

# public name -> module:attribute
PUBLIC: dict[str, str] = {
    "AsyncClient": "rewardsmith.client:AsyncClient",
    "Client": "rewardsmith.client:Client",
    "Comparison": "rewardsmith.records:Comparison",
    "ContractError": "rewardsmith.errors:ContractError",
    "CritiqueModel": "rewardsmith.critique.model:CritiqueModel",
    "DataError": "rewardsmith.errors:DataError",
    "Message": "rewardsmith.records:Message",
    "MissingExtraError": "rewardsmith.errors:MissingExtraError",
    "ModelError": "rewardsmith.errors:ModelError",
    "OutputError": "rewardsmith.errors:OutputError",
    "Record": "rewardsmith.records:Record",
    "Response": "rewardsmith.records:Response",
    "RewardModel": "rewardsmith.model.reward_model:RewardModel",
    "RewardsmithError": "rewardsmith.errors:RewardsmithError",
    "SILENT": "rewardsmith.progress:SILENT",
    "ServerError": "rewardsmith.errors:ServerError",
    "TrainingError": "rewardsmith.errors:TrainingError",
    "UsageError": "rewardsmith.errors:UsageError",
    "VerifiableReward": "rewardsmith.verifiable.reward:VerifiableReward",
    "audit": "rewardsmith.api:audit",
    "best_of_n": "rewardsmith.api:best_of_n",
    "calibrate": "rewardsmith.api:calibrate",
    "compare": "rewardsmith.api:compare",
    "compute_reward": "rewardsmith.api:compute_reward",
    "diagnose": "rewardsmith.api:diagnose",
    "dpo": "rewardsmith.api:dpo",
    "ensemble": "rewardsmith.api:ensemble",
    "evaluate": "rewardsmith.api:evaluate",
    "export": "rewardsmith.api:export",
    "find_learning_rate": "rewardsmith.api:find_learning_rate",
    "generate": "rewardsmith.api:generate",
    "judge": "rewardsmith.api:judge",
    "learning_curve": "rewardsmith.api:learning_curve",
    "load": "rewardsmith.api:load",
    "load_reward_model": "rewardsmith.api:load_reward_model",
    "merge": "rewardsmith.api:merge",
    "monitor": "rewardsmith.api:monitor",
    "pairs": "rewardsmith.api:pairs",
    "policy_bench": "rewardsmith.api:policy_bench",
    "prepare": "rewardsmith.api:prepare",
    "say": "rewardsmith.language:say",
    "score": "rewardsmith.api:score",
    "self_reward": "rewardsmith.api:self_reward",
    "train": "rewardsmith.api:train",
    "tune": "rewardsmith.api:tune",
    "verify": "rewardsmith.api:verify",
}

__all__ = ["__version__", *PUBLIC]


class _Package(ModuleType):
    """The package itself; `rs.train`, `rs.evaluate` and `rs.diagnose` are functions, and folders of the same names.

    Python sets a package's attribute when a folder in it is first imported, which would put the folder in the function's
    place after the first call. The folders stay importable, `from rewardsmith.train import …`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in PUBLIC and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import the target of a public name on first use, and keep it."""
    if name not in PUBLIC:
        raise AttributeError(f"module 'rewardsmith' has no attribute {name!r}")
    module, _, attribute = PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted(__all__)
