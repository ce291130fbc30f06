"""`rewardsmith monitor`: an alarm for reward hacking from the log of a training run."""

from dataclasses import dataclass

from rewardsmith.errors import UsageError
from rewardsmith.pipelines.monitor.pipeline import FALSE_ALARMS, MonitorSettings, monitored
from rewardsmith.pipelines.monitor.result import Result as Result
from rewardsmith.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of `rewardsmith monitor`."""

    log: str
    """Log of a run: JSON Lines of policy-bench, TRL, verl or OpenRLHF, a CSV export of W&B, or a trainer_state.json."""
    map: tuple[str, ...] = ()
    """Column of a signal, for example kl=objective/kl; signals: reward, reward_std, kl (nats per response), length, entropy,
    agreement, disagreement, beyond, distance, length_correlation."""
    reference: tuple[str, ...] = ()
    """Log of a run known to be healthy; repeat the flag for several. The threshold is then taken from these logs."""
    false_alarms: float = FALSE_ALARMS
    """With --reference: share of healthy runs in which an alarm is accepted; 0.05 needs 19 logs."""
    fail: bool = False
    """End with exit code 1 if there is an alarm."""

    def __post_init__(self) -> None:
        if not 0 < self.false_alarms < 1:
            raise UsageError(f"--false-alarms {self.false_alarms}: expected above 0 and below 1")
        if self.false_alarms != FALSE_ALARMS and not self.reference:
            raise UsageError(
                f"--false-alarms {self.false_alarms} applies to --reference only: the fitted threshold has its own rate; "
                "add --reference, or remove it"
            )
        if (twice := next((log for log in self.reference if self.reference.count(log) > 1), None)) is not None:
            raise UsageError(f"--reference {twice} is given twice; expected logs of different runs")


def run(config: Config, progress: Progress = SILENT) -> Result:
    """Read the log and look for an alarm."""
    settings = MonitorSettings(config.log, config.map, config.reference, config.false_alarms)
    return monitored(settings, fail=config.fail)
