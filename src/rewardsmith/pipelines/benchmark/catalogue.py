"""The benchmarks by name: the rule that scores each, and what the file `catalogue.yaml` tells of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from rewardsmith.errors import UsageError
from rewardsmith.evaluate.benchmarks import pairs
from rewardsmith.evaluate.benchmarks.cheemsbench import cheemsbench
from rewardsmith.evaluate.benchmarks.if_rewardbench import if_rewardbench
from rewardsmith.evaluate.benchmarks.items import BenchmarkItems
from rewardsmith.evaluate.benchmarks.judgebench import judgebench
from rewardsmith.evaluate.benchmarks.long_rewardbench import long_rewardbench
from rewardsmith.evaluate.benchmarks.ppe import ppe
from rewardsmith.evaluate.benchmarks.processbench import processbench
from rewardsmith.evaluate.benchmarks.rewardbench import m_rewardbench, rewardbench
from rewardsmith.evaluate.benchmarks.rewardbench_2 import rewardbench_2
from rewardsmith.evaluate.benchmarks.rm_bench import rm_bench
from rewardsmith.evaluate.benchmarks.rmb import rmb
from rewardsmith.evaluate.benchmarks.scores import Scores
from rewardsmith.settings.values import nearest

ScoringRule = Callable[[BenchmarkItems], Scores]

BENCHMARKS: Mapping[str, ScoringRule] = {
    "rewardbench": rewardbench,
    "rewardbench-2": rewardbench_2,
    "rm-bench": rm_bench,
    "judgebench": judgebench,
    "rmb": rmb,
    "llmbar": pairs.llmbar,
    "hhh": pairs.hhh,
    "ppe": ppe,
    "m-rewardbench": m_rewardbench,
    "if-rewardbench": if_rewardbench,
    "cheemsbench": cheemsbench,
    "long-rewardbench": long_rewardbench,
    "processbench": processbench,
    "hh": pairs.by_category,
    "pku-saferlhf": pairs.by_category,
    "shp": pairs.by_category,
    "ultrafeedback": pairs.by_category,
    "custom": pairs.by_category,
}


@dataclass(frozen=True)
class Described:
    """What is known of a benchmark: its rule in words (`en`, `zh`), the file and function of the original, data sets on the
    hub that are read where no path is given, where to download the files, their licence (None: none is stated), and how
    many items the published data has (None: not one number).
    """

    title: str
    en: str
    zh: str
    origin: str
    hub: tuple[str, ...]
    download: str
    licence: str | None
    size: int | None


@cache
def catalogue() -> Mapping[str, Described]:
    """The file of all benchmarks."""
    found = yaml.safe_load((files(__package__) / "catalogue.yaml").read_text(encoding="utf-8"))
    return {name: Described(**{**each, "hub": tuple(each["hub"])}) for name, each in found.items()}


def described(name: str) -> Described:
    """The benchmark of this name; UsageError where there is none."""
    if name in BENCHMARKS:
        return catalogue()[name]
    hint = nearest(name.lower(), BENCHMARKS)
    raise UsageError(f"--benchmark {name}: unknown benchmark; expected one of {', '.join(BENCHMARKS)}.{hint}")


def sources_of(name: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """Where to read the benchmark: the sources given, else the hub; UsageError where it is not there under one name."""
    hub = described(name).hub
    if given or hub:
        return given or hub
    raise UsageError(f"--benchmark {name} needs the path of its data; {to_download(name)}")


def to_download(name: str) -> str:
    """Where the data of a benchmark can be had."""
    return f"download {described(name).download}, and pass the path of the files or the folder"
