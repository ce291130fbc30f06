"""`rewardsmith train`: preference data and a model in, a reward model with an honest evaluation out."""

from rewardsmith.pipelines.dry_run.train import TrainPlan, plan_training
from rewardsmith.pipelines.ensembles.training import train_members
from rewardsmith.pipelines.train.config import Config as Config
from rewardsmith.pipelines.train.config import Lora as Lora
from rewardsmith.pipelines.train.pipeline import Result as Result
from rewardsmith.pipelines.train.pipeline import train as train
from rewardsmith.progress import SILENT, Progress


def run(config: Config, progress: Progress = SILENT) -> Result | TrainPlan:
    """Train, evaluate on the test split, diagnose; returns what `train.json` holds. With --dry-run, the plan alone."""
    return plan_training(config, progress) if config.dry_run else train_all(config, progress)


def train_all(config: Config, progress: Progress = SILENT) -> Result:
    """Train a model (also one with several heads), or the members of an ensemble and then the ensemble."""
    if config.member_kind in ("lora", "runs"):
        return train_members(config, progress)
    return train(config, progress)
