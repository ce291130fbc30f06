"""Everything rewardsmith raises on purpose.

RewardsmithError            exit code 1: data, model or machine at fault
├── DataError               a source or a row (also a ValueError)
├── ContractError           template, tokens or probes do not fit (also a ValueError)
├── ModelError              a model cannot be found, opened or scored
├── TrainingError           training had to stop (NaN, exploding loss, nothing to learn from)
├── WorkerError             a process that shares the work cannot be started, or died
├── SandboxError            this machine cannot hold programs of others; none was run
├── ServerError             a reward server cannot be reached, or refuses; never a reward
├── OutputError             an output cannot be written, or would overwrite
└── MissingExtraError       an optional dependency is not installed (also an ImportError)
UsageError                  exit code 2: the command line or a YAML file is refused (also a ValueError)

A message names what is wrong, the value got, what was expected, and what to do, in one line.
"""


class RewardsmithError(Exception):
    """Data, model or machine at fault; the command line shows the message in one line and exits with 1."""


class DataError(RewardsmithError, ValueError):
    """A source or a row cannot be used as it is."""


class ContractError(RewardsmithError, ValueError):
    """A text cannot be scored as the scoring contract demands, or a checkpoint breaks its contract."""


class ModelError(RewardsmithError):
    """A model cannot be found, opened or scored."""


class TrainingError(RewardsmithError):
    """Training cannot go on; the last good checkpoint is kept."""


class WorkerError(RewardsmithError):
    """A process that shares the work, here or in a cluster, cannot be started, or died."""


class SandboxError(RewardsmithError):
    """No sandbox can be made here, or one of its limits does not hold; the program was not run."""


class ServerError(RewardsmithError):
    """A reward server cannot be reached, refuses a request, or sends what is no reward."""


class OutputError(RewardsmithError):
    """An output cannot be written, or writing it would overwrite something."""


class MissingExtraError(RewardsmithError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class UsageError(ValueError):
    """The command line or a settings file is refused; exit code 2."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message, its kind where it says nothing: libraries write several lines, or none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
