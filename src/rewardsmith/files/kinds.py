"""The kinds of output folders: how each is recognised, and which files a command writes into it.

`--overwrite` deletes, so it deletes only what is known to come from this program: a folder of the right kind that holds
nothing else. A new file in an output folder needs its pattern here; a test writes every kind and looks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.(?P<end>tmp|old|half)")
"""What a file or folder is called while it is written, or set aside: `.NAME.PID.tmp`, `.NAME.PID.old`."""
HARMLESS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that file managers leave in every folder."""
LARGEST_MARKER = 50_000_000


@dataclass(frozen=True)
class Kind:
    """An output folder: `marker` is the JSON object that tells it, with at least `keys` (None: its files tell it).

    `holds` is patterns with spaces between; `*` stays within one name, and `**` at the end stands for everything below.
    """

    name: str
    marker: str | None
    keys: frozenset[str]
    holds: str

    def recognises(self, folder: Path) -> bool:
        """Whether the folder's marker is there and is ours."""
        if self.marker is None:
            return True
        path = folder / self.marker
        try:
            if path.is_symlink() or path.stat().st_size > LARGEST_MARKER:
                return False
            value = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return False
        return isinstance(value, dict) and self.keys <= value.keys()

    def foreign(self, folder: Path) -> Iterator[Path]:
        """The files and links below the folder that this program does not write there."""
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_dir():
                known = path.name in HARMLESS or self._pattern.fullmatch(kept_name(path.relative_to(folder)))
                if path.is_symlink() or not known:
                    yield path

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(translated, self.holds.split())))


def kept_name(path: Path) -> str:
    """A path with `/`, each temporary name in it read as the name it stands for."""
    parts = ((TEMPORARY.fullmatch(part), part) for part in path.parts)
    return "/".join(part if found is None else found["name"] for found, part in parts)


def translated(pattern: str) -> str:
    """The regular expression of a pattern."""
    return re.escape(pattern).replace(r"\*\*", "(?s:.+)").replace(r"\*", "[^/]*")


def below(folder: str, kind: Kind) -> str:
    """The patterns of a kind inside a folder."""
    return " ".join(f"{folder}/{pattern}" for pattern in kind.holds.split())


REPORT = "report.html report.md report.json"
EVALUATED = "evaluation.json comparisons.jsonl measurements.json"
AUDITED = "audit.json audit.md explained.jsonl"
CURVED = "learning_curve.json learning_curve.md"

HF_FILES = """
    config.json generation_config.json
    model.safetensors model-*-of-*.safetensors model.safetensors.index.json
    tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json
    chat_template.jinja additional_chat_templates/*.jinja vocab.json vocab.txt merges.txt *.model *.tiktoken *.py
    """
"""What a Hugging Face folder holds."""
MODEL = Kind(
    "a model folder",
    "reward.json",
    frozenset({"contract", "probes", "version"}),
    f"""
    reward.json manifest.json README.md {HF_FILES}
    adapter/adapter_config.json adapter/adapter_model.safetensors heads/*.safetensors
    ensemble.json {" ".join(f"backbone/{pattern}" for pattern in HF_FILES.split())}
    cloud.json {" ".join(f"language_model/{pattern}" for pattern in HF_FILES.split())}
    members/*/adapter/adapter_config.json members/*/adapter/adapter_model.safetensors
    """,
)
INSTALLED = Kind("an installed model", "config.json", frozenset({"model_type"}), f"{MODEL.holds} *.txt *.json")
EXPORT = Kind(
    "an exported model",
    "export.json",
    frozenset({"layout", "rewardsmith", "largest_difference"}),
    """
    export.json config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json
    special_tokens_map.json added_tokens.json chat_template.jinja additional_chat_templates/*.jinja vocab.json vocab.txt
    merges.txt *.model *.tiktoken
    """,
)
CHECKPOINT = Kind(
    "a checkpoint",
    None,  # it lies in a run of ours, and one that is damaged has to be replaced as well
    frozenset(),
    "manifest.json state.json weights.safetensors optimizer.safetensors",
)
RUN = Kind(
    "a run",
    "settings.json",
    frozenset({"rewardsmith", "contract", "tokens_per_microbatch"}),
    f"""
    settings.json manifest.json config.yaml metrics.jsonl train.json ended.json
    adapter/adapter_config.json adapter/adapter_model.safetensors {EVALUATED} {AUDITED} {CURVED} {REPORT} track/**
    data/quarantine.jsonl data/refused.jsonl data/data.json data/augmented.jsonl data/prepare.json data/quality.json
    critique/metrics.jsonl critique/critiques.jsonl {below("critique/checkpoints/step-*", CHECKPOINT)}
    peer/metrics.jsonl {below("peer/checkpoints/step-*", CHECKPOINT)} {below("peer/checkpoints/best", CHECKPOINT)}
    {below("checkpoints/step-*", CHECKPOINT)} {below("checkpoints/best", CHECKPOINT)} {below("model", MODEL)}
    """,
)
LANGUAGE_MODEL = Kind(
    "a language model",
    "config.json",
    frozenset({"model_type"}),
    f"manifest.json {HF_FILES} adapter/adapter_config.json adapter/adapter_model.safetensors",
)
POLICY_RUN = Kind(
    "a DPO run",
    "settings.json",
    frozenset({"rewardsmith", "beta", "start_weights"}),
    f"""
    settings.json config.yaml metrics.jsonl dpo.json ended.json reference.safetensors {REPORT}
    data/quarantine.jsonl data/refused.jsonl data/data.json
    {below("checkpoints/step-*", CHECKPOINT)} {below("checkpoints/best", CHECKPOINT)} {below("model", LANGUAGE_MODEL)}
    """,
)
SELF_REWARD = Kind(
    "a self-rewarding loop",
    "self_reward.json",
    frozenset({"rewardsmith", "variant", "iterations", "settings"}),
    f"""
    self_reward.json ledger.jsonl eval_prompts.jsonl report.html {below("model", LANGUAGE_MODEL)}
    iteration-*/prompts.jsonl iteration-*/candidates-*.jsonl iteration-*/candidates-*.jsonl.candidates.sqlite*
    iteration-*/scored-*.jsonl iteration-*/pairs-*.jsonl iteration-*/pairs-*.json iteration-*/consistency.json
    iteration-*/samples.jsonl iteration-*/samples.jsonl.candidates.sqlite* iteration-*/measured.json iteration-*/row.json
    iteration-*/.*.lock {below("iteration-*/dpo", POLICY_RUN)} {below("iteration-*/dpo-future", POLICY_RUN)}
    """,
)
ENSEMBLE_RUN = Kind(
    "a trained ensemble",
    "members.json",
    frozenset({"rewardsmith", "kind", "members"}),
    f"""
    members.json manifest.json config.yaml {EVALUATED} {AUDITED} {REPORT}
    {below("model", MODEL)} {below("members/*", RUN)}
    """,
)
PREPARED = Kind(
    "prepared data",
    "prepare.json",
    frozenset({"version", "settings", "inputs"}),
    """
    prepare.json quality.json quality.html train.jsonl validation.jsonl test.jsonl quarantine.jsonl removed.jsonl
    repaired.jsonl signals.jsonl near_duplicates.jsonl contamination.jsonl label_noise.jsonl
    """,
)
EVALUATION = Kind(
    "an evaluation",
    "evaluation.json",
    frozenset({"n", "accuracy", "records"}),
    f"manifest.json {EVALUATED} {REPORT}",
)
AUDIT = Kind("an audit", "audit.json", frozenset({"model", "effects", "conformance"}), AUDITED)
CURVE = Kind(
    "a learning curve",
    "plan.json",
    frozenset({"learning_curve_of", "settings"}),
    f"plan.json {CURVED} {below('frac-*-seed-*', RUN)}",
)
DEMO = Kind(
    "a demo",
    "demo.json",
    frozenset({"prompts", "seed", "rewardsmith"}),
    f"demo.json data.jsonl {below('clean', PREPARED)} {below('run', RUN)}",
)
TUNING = Kind(
    "a search",
    "tune.json",
    frozenset({"rewardsmith", "space", "metric"}),
    f"""
    tune.json study.db study.db-journal trials.json trials.csv best.yaml report.html margins/*.npz
    trials/.*.lock {below("trials/*", RUN)}
    """,
)
RATES = Kind(
    "a learning-rate test",
    "rates.json",
    frozenset({"rewardsmith", "rates", "suggestion"}),
    "rates.json report.html",
)
BEST_OF_N = Kind(
    "a best-of-n choice",
    "best_of_n.json",
    frozenset({"rewardsmith", "settings"}),
    """
    best_of_n.json chosen.jsonl sft.jsonl kto.jsonl scored.jsonl scored.jsonl.parts/*.jsonl candidates.jsonl
    candidates.sqlite candidates.sqlite-journal candidates.sqlite-wal candidates.sqlite-shm
    """,
)
POLICY_BENCH = Kind(
    "a policy bench",
    "policy_bench.json",
    frozenset({"rewardsmith", "settings"}),
    "policy_bench.json report.html runs/*.jsonl",
)

KINDS = (
    MODEL,
    INSTALLED,
    EXPORT,
    CHECKPOINT,
    RUN,
    LANGUAGE_MODEL,
    POLICY_RUN,
    SELF_REWARD,
    ENSEMBLE_RUN,
    PREPARED,
    EVALUATION,
    AUDIT,
    CURVE,
    DEMO,
    TUNING,
    RATES,
    BEST_OF_N,
    POLICY_BENCH,
)
