"""The table of commands: the module of each, which is imported when the command is used, and how it is listed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """A command's module (with Config and run), summary, group in the help, and which settings are positional."""

    module: str
    summary: str
    group: str
    positional: tuple[str, ...] = ()


DATA, TRAINING, EVALUATION, USE = "Data", "Training", "Evaluation", "Rewards"
POLICIES, MODELS, OTHER = "Language models", "Models and sharing", "Other"
COMMANDS: dict[str, Command] = {
    "demo": Command(
        "rewardsmith.commands.demo", "the whole workflow offline, on synthetic data and a tiny model", "Start here"
    ),
    "prepare": Command(
        "rewardsmith.commands.prepare",
        ("load any format, check and split the data; every dropped row is listed"),
        DATA,
        ("sources",),
    ),
    "inspect": Command(
        "rewardsmith.commands.inspect",
        "show the input of the model: tokens, shared prefix, pooled token, truncation",
        DATA,
        ("source",),
    ),
    "train": Command("rewardsmith.commands.train", "train a reward model on a prepared or raw data set", TRAINING),
    "tune": Command(
        "rewardsmith.commands.tune",
        "search the settings of train: many runs, the best settings, a report",
        TRAINING,
    ),
    "calibrate": Command(
        "rewardsmith.commands.calibrate",
        "probabilities, and rewards without their trend in length, fitted on held-out data",
        TRAINING,
        ("model", "sources"),
    ),
    "ensemble": Command(
        "rewardsmith.commands.ensemble",
        "join several reward models: mean, min, median or mean minus disagreement",
        TRAINING,
        ("members",),
    ),
    "merge": Command(
        "rewardsmith.commands.merge",
        "average the weights of reward models from one backbone, and measure the average",
        TRAINING,
        ("members",),
    ),
    "evaluate": Command(
        "rewardsmith.commands.evaluate",
        "accuracy, calibration and baselines, with intervals",
        EVALUATION,
        ("model", "sources"),
    ),
    "compare": Command("rewardsmith.commands.compare", "paired test between runs", EVALUATION, ("a", "b", "also")),
    "diagnose": Command(
        "rewardsmith.commands.diagnose",
        ("a report on a run: verdict, findings, plots and one next step"),
        EVALUATION,
        ("run",),
    ),
    "audit": Command(
        "rewardsmith.commands.audit",
        "what a model rewards besides quality, and whether rewards depend on how they are computed",
        EVALUATION,
        ("model", "sources"),
    ),
    "learning-curve": Command(
        "rewardsmith.commands.learning_curve",
        "what more training data would give, from runs on fractions of the data",
        EVALUATION,
        ("run",),
    ),
    "verify": Command(
        "rewardsmith.commands.verify",
        "check that a run or a model is unchanged since it was written",
        EVALUATION,
        ("place",),
    ),
    "score": Command(
        "rewardsmith.commands.score", "rewards for pairs, rankings or single responses", USE, ("model", "source")
    ),
    "serve": Command(
        "rewardsmith.commands.serve",
        "a reward server: an API of its own and the wire formats of RL frameworks",
        USE,
        ("models",),
    ),
    "parity": Command(
        "rewardsmith.commands.parity",
        "whether a running endpoint gives the rewards of a checkpoint, and why not",
        USE,
        ("model", "url"),
    ),
    "best-of-n": Command(
        "rewardsmith.commands.best_of_n",
        "choose the best of several responses, and write SFT and KTO data of them",
        USE,
        ("model", "source"),
    ),
    "judge": Command(
        "rewardsmith.commands.judge",
        "ask a language model to judge responses: verdicts, consistency, accuracy, labels",
        USE,
        ("judge", "sources"),
    ),
    "generate": Command(
        "rewardsmith.commands.generate",
        "N responses per prompt, from a local language model or an OpenAI-compatible API",
        POLICIES,
        ("model", "source"),
    ),
    "critique": Command(
        "rewardsmith.commands.critique",
        "a critique of every response, for train --head cloud, from a language model or an API",
        POLICIES,
        ("model", "source"),
    ),
    "pairs": Command(
        "rewardsmith.commands.pairs",
        "preference pairs from scored candidates: margins, length control, safety constraints",
        POLICIES,
        ("source",),
    ),
    "dpo": Command(
        "rewardsmith.commands.dpo",
        "train a language model on preference pairs (DPO, IPO), without a reward model",
        POLICIES,
        ("model", "pairs"),
    ),
    "self-reward": Command(
        "rewardsmith.commands.self_reward",
        "iterations of generate, score, pair and train, with a ledger of what became of the model",
        POLICIES,
        ("model", "prompts"),
    ),
    "policy-bench": Command(
        "rewardsmith.commands.policy_bench",
        "train a tiny policy against a reward model where the true reward is known: over-optimisation made visible",
        POLICIES,
        ("model",),
    ),
    "monitor": Command(
        "rewardsmith.commands.monitor",
        "an alarm for reward hacking from the log of a run of TRL, verl, OpenRLHF or policy-bench",
        POLICIES,
        ("log",),
    ),
    "models": Command(
        "rewardsmith.commands.models",
        ("models that need no download from the Hub; `models get NAME` installs one"),
        MODELS,
        ("action", "name"),
    ),
    "import": Command(
        "rewardsmith.commands.import_",
        ("import a reward model of another program and store its scoring contract"),
        MODELS,
        ("model",),
    ),
    "export": Command(
        "rewardsmith.commands.export",
        "write a model in the layout of another program: a value head for critics",
        MODELS,
        ("model",),
    ),
    "card": Command(
        "rewardsmith.commands.card", "write the model card, README.md beside the weights", MODELS, ("run",)
    ),
    "push": Command(
        "rewardsmith.commands.push", "upload a model with its card to the Hugging Face hub", MODELS, ("model", "name")
    ),
    "config": Command(
        "rewardsmith.manual.template",
        "print a settings file with all options of a command",
        OTHER,
        ("command",),
    ),
    "completion": Command(
        "rewardsmith.manual.completion",
        "print the completion script for bash, zsh or fish",
        OTHER,
        ("shell",),
    ),
    "bench": Command("rewardsmith.commands.bench", "how fast this machine trains and scores, in tables", OTHER),
    "version": Command("rewardsmith.commands.version", "versions of rewardsmith and of the software it uses", OTHER),
}
