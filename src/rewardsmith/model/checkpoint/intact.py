"""The manifest of a finished model: which of its files count, and the refusal of a folder that is not as it was saved."""

from fnmatch import fnmatchcase
from pathlib import Path

from rewardsmith.errors import ModelError
from rewardsmith.files.manifest import MANIFEST, Fault, faults_of, files_of, listed, read_manifest, seal
from rewardsmith.model.loading.folders import PICKLES, TOKENIZER_FILES

CARD = "README.md"
"""The model card, which is written again and changed by hand."""
READ = (
    *("*.safetensors", "*.safetensors.index.json", "*.gguf", *PICKLES),
    *("config.json", "adapter_config.json", "reward.json", "generation_config.json"),
    *("added_tokens.json", "*.jinja", *TOKENIZER_FILES, "*.py"),
)
"""Files that a reader opens where it finds them, so that one that was added changes the model."""


def seal_model(folder: Path) -> None:
    """Write the manifest of a model folder: all of its files but the card."""
    seal(folder, [path for path in files_of(folder) if path != folder / CARD])


def model_faults(folder: Path) -> list[Fault]:
    """What is wrong with the files of a model folder; nothing is known, and nothing wrong, without a manifest."""
    if not (folder / MANIFEST).exists():
        return []
    entries = read_manifest(folder) or {}
    places = {"", *(name.rpartition("/")[0] for name in entries)}

    def counts(name: str) -> bool:
        place, _, last = name.rpartition("/")
        return place in places and any(fnmatchcase(last, pattern) for pattern in READ)

    return faults_of(folder, counts=counts)


def check_model(folder: Path) -> None:
    """ModelError where a folder with a manifest holds other files than were saved."""
    if faults := model_faults(folder):
        raise ModelError(
            f"{folder} is damaged: {listed(faults)}; copy the folder again, or delete its manifest.json if the change "
            "is intended"
        )
