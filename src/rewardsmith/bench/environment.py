"""What rewardsmith runs on: system, processor, memory, devices, libraries; without names of users and hosts."""

import getpass
import os
import platform
import re
from pathlib import Path
from typing import Any

from rewardsmith.files.places import models_folder, user_home

PACKAGES = (
    *("torch", "transformers", "tokenizers", "huggingface_hub", "safetensors", "numpy", "scipy", "scikit-learn"),
    *("orjson", "pyarrow", "pyyaml", "cyclopts", "rich", "jinja2", "ftfy", "jaxtyping"),
    *("accelerate", "peft", "trl", "datasets", "gguf", "bitsandbytes"),
)
VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "PYTORCH_ENABLE_MPS_FALLBACK"),
    *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
)
"""Variables that change what is computed and hold no secret."""


def describe_environment() -> dict[str, Any]:
    """`python, system, machine, packages, extras, models, models_folder`; slow, since torch is imported."""
    from rewardsmith.model.loading.embedded import entries

    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": anonymous(platform.platform()),
        "machine": describe_machine(),
        "packages": {name: version_of(name) or "not installed" for name in PACKAGES},
        "extras": extras(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "models": [entry.name for entry in entries() if entry.folder],
        "models_folder": anonymous(str(models_folder())),
    }


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory (GB), threads of torch, devices with their memory, and which precisions are fast."""
    import torch

    from rewardsmith.model.runtime.devices import autocast_dtype, choose_device, cpu_has_fast_bf16

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = choose_device("auto")
    facts: dict[str, Any] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "cores_usable": usable,
        "memory_gb": memory_gb(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "cpu_fast_bf16": cpu_has_fast_bf16(),
    }
    if torch.cuda.is_available():
        facts["cuda"] = torch.version.cuda
        facts["gpus"] = [gpu(index) for index in range(torch.cuda.device_count())]
        facts["gpu_dtype"] = str(autocast_dtype("auto", torch.device("cuda"), None)).removeprefix("torch.")
    facts["mps"] = bool(torch.backends.mps.is_available())
    return facts


def gpu(index: int) -> str:
    """Name and memory of a CUDA device."""
    import torch

    properties = torch.cuda.get_device_properties(index)
    return f"{properties.name} ({properties.total_memory / 1e9:.0f} GB)"


def processor() -> str:
    """The processor's name as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", information.read_text(errors="replace"), flags=re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def memory_gb() -> float | None:
    """Memory of the machine in GB, or of its container where that has less; None where it cannot be told."""
    sizes = []
    try:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (AttributeError, OSError, ValueError):  # no such question on Windows, no limit ("max") without a container
        pass
    return round(min(sizes) / 1e9, 1) if sizes else None


CHECKOUT = Path(__file__).parents[3]
"""The root of the project, where the package lies in a checkout of it."""
VERSIONS = ("rewardsmith", "torch", "transformers", "tokenizers", "python")
"""What decides a run's bits or how its texts become tokens; a run goes on under the same versions only."""


def versions() -> dict[str, str | None]:
    """The versions that a run records, by the names in `VERSIONS`; nothing is imported."""
    from rewardsmith.version import VERSION

    others = {"rewardsmith": VERSION, "python": platform.python_version()}
    return {name: others.get(name) or version_of(name) for name in VERSIONS}


def code_commit(root: Path = CHECKOUT) -> str | None:
    """The commit of a git checkout of rewardsmith, read from git's own files; None for an installed package."""
    if not (root / "src" / "rewardsmith").is_dir():
        return None
    try:
        place = root / ".git"
        if place.is_file():  # a work tree beside its repository
            place = root / place.read_text("utf-8").removeprefix("gitdir:").strip()
        head = (place / "HEAD").read_text("utf-8").strip()
        common = place / "commondir"
        shared = place / common.read_text("utf-8").strip() if common.is_file() else place
        return commit_of(shared, head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    except (OSError, UnicodeDecodeError):
        return None


def commit_of(repository: Path, reference: str) -> str | None:
    """The commit that a branch of a git repository stands at."""
    if (repository / reference).is_file():
        return (repository / reference).read_text("utf-8").strip()
    packed = (repository / "packed-refs").read_text("utf-8").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), None)


def version_of(package: str) -> str | None:
    """The installed version of a package; nothing is imported."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def extras() -> dict[str, str]:
    """Each extra of rewardsmith with `installed`, or what it lacks; empty where rewardsmith itself was not installed."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        wanted = requires("rewardsmith") or []
    except PackageNotFoundError:
        return {}
    return missing_of(wanted)


def missing_of(requirements: list[str]) -> dict[str, str]:
    """Each extra named in `Name>=1; extra == "x"` lines with `installed`, or the names that are not."""
    lacking: dict[str, list[str]] = {}
    for line in requirements:
        found = re.match(r"([\w.-]+)[^;]*;.*\bextra == ['\"]([\w-]+)['\"]", line)
        if found is None or found[1] == "rewardsmith" or found[2] == "dev":
            continue
        absent = lacking.setdefault(found[2], [])
        if version_of(found[1]) is None:
            absent.append(found[1])
    return {name: f"lacks {', '.join(absent)}" if absent else "installed" for name, absent in lacking.items()}


def anonymous(text: str) -> str:
    """The text with the home folder as `~`, and names of the user and of the host taken out."""
    home = user_home()
    text = text if home is None else text.replace(str(home), "~")
    names = user_names() | ({} if home is None else {home.name: "USER"}) | {platform.node(): "HOST"}
    for name, word in names.items():
        if len(name) > 1:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", word, text)
    return text


def user_names() -> dict[str, str]:
    """The name of the user that runs this program, with the word that stands for it; nothing for a user without a name."""
    try:
        return {getpass.getuser(): "USER"}
    except (OSError, KeyError, ImportError):
        return {}
