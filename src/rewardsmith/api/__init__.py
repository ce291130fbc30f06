"""The Python interface: a few functions that do what the commands of the same name do.

A function names what it cannot do without; its other options are the settings of its command, with the same names,
types and defaults (`settings.keywords` reads them off the Config). `__init__.pyi` holds all of it in writing, for type
checkers and editors; `scripts/make-stubs` writes it.

Data is what `load` takes: paths and names, data frames, data sets, lists of rows, or what `load` returned. A `progress`
that is not given is bars in a terminal or a notebook and nothing elsewhere; `SILENT` switches it off.

`lang` ("en" or "zh") is the language of the verdict, the report and the messages of errors; without it, the environment
decides as for the command line, and errors are in English. `say(result.to_text(), lang="zh")` translates the rest.
"""

from rewardsmith.api.alignment import dpo, pairs, self_reward
from rewardsmith.api.data import generate, load, prepare
from rewardsmith.api.judgement import audit, compare, diagnose, evaluate, judge, score, verify
from rewardsmith.api.models import TokenIds, calibrate, compute_reward, ensemble, export, load_reward_model, merge
from rewardsmith.api.policies import best_of_n, monitor, policy_bench
from rewardsmith.api.training import find_learning_rate, learning_curve, train, tune

__all__ = [
    "TokenIds",
    "audit",
    "best_of_n",
    "calibrate",
    "compare",
    "compute_reward",
    "diagnose",
    "dpo",
    "ensemble",
    "evaluate",
    "export",
    "find_learning_rate",
    "generate",
    "judge",
    "learning_curve",
    "load",
    "load_reward_model",
    "merge",
    "monitor",
    "pairs",
    "policy_bench",
    "prepare",
    "score",
    "self_reward",
    "train",
    "tune",
    "verify",
]
