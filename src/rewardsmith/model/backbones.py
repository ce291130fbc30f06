"""Names to models: the embedded ones, a folder, or a hub name; with a fresh head, or the head it came with."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from rewardsmith.errors import ModelError
from rewardsmith.model.network import find_head, kind_of
from rewardsmith.model.tiny import TinyConfig, byte_tokenizer, tiny_model
from rewardsmith.scoring.contract import choose_pad_token

EMBEDDED = ("tiny", "smollm2-135m", "minilm-l6")
SIDECAR = "reward.json"
UNLIMITED = 10**9  # tokenizers write 10**30 for "no limit"


@dataclass(frozen=True)
class Backbone:
    """An opened model: the transformers model, its tokenizer, its kind, and whether its head is new."""

    hf: Any
    tokenizer: Any
    kind: str
    head_is_new: bool
    folder: Path | None

    @property
    def longest(self) -> int | None:
        """The longest sequence it can read, in tokens; None where neither config nor tokenizer sets a limit.

        The table of positions counts too: RoBERTa's has two rows more than a text may use.
        """
        positions = getattr(self.hf.config.get_text_config(), "max_position_embeddings", None)
        limits = (positions, position_rows(self.hf), self.tokenizer.model_max_length)
        return min((int(limit) for limit in limits if limit and limit < UNLIMITED), default=None)


def position_rows(hf: Any) -> int | None:
    """How many positions a learned table of them leaves to a text; None for rotary and other models without a table."""
    for name, module in hf.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding):
            reserved = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - reserved
    return None


def models_folder() -> Path:
    """Where `rewardsmith models get` keeps models: `$REWARDSMITH_HOME/models`, else the user's cache."""
    home = os.environ.get("REWARDSMITH_HOME")
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(home) if home else (Path(cache) if cache else Path.home() / ".cache") / "rewardsmith"
    return base / "models"


def open_backbone(
    name: str,
    *,
    seed: int = 0,
    layers: int | None = None,
    tiny: TinyConfig | None = None,
    trust_remote_code: bool = False,
) -> Backbone:
    """Open a model for training: `tiny`, an embedded name, a folder, or a hub name.

    `layers` keeps the first N layers. A head that the weights bring along is kept; otherwise it starts near zero, so
    that the first loss is about ln 2 (not for `tiny`: a backbone that learns from nothing needs a head that passes
    gradients on from the first step). Raises ModelError with one line that tells what to do.
    """
    torch.manual_seed(seed)
    if name == "tiny":
        tokenizer = byte_tokenizer()
        hf = tiny_model(tiny or TinyConfig(), vocab_size=len(tokenizer))
        return Backbone(hf, tokenizer, "decoder", True, None)
    path = locate(name)
    hf, head_is_new = load_classifier(path, layers=layers, trust_remote_code=trust_remote_code)
    tokenizer = load_tokenizer(path, trust_remote_code=trust_remote_code)
    kind = kind_of(hf)
    if choose_pad_token(tokenizer, kind):
        hf.resize_token_embeddings(max(len(tokenizer), hf.config.get_text_config().vocab_size), mean_resizing=False)
    hf.config.get_text_config().pad_token_id = hf.config.pad_token_id = tokenizer.pad_token_id
    hf.config.problem_type = "regression"  # else vLLM puts a sigmoid on the reward
    if head_is_new:
        reset_head(hf, seed=seed)
    return Backbone(hf, tokenizer, kind, head_is_new, Path(path) if Path(path).is_dir() else None)


def locate(name: str) -> str:
    """The folder of an embedded model, a folder as it is, or a hub name; anything else is refused."""
    if name in EMBEDDED:
        folder = models_folder() / name
        if not (folder / "config.json").is_file():
            raise ModelError(f"model {name!r} is not installed; run: rewardsmith models get {name}")
        return str(folder)
    folder = Path(name).expanduser()
    if folder.is_dir():
        refuse_loose_adapter(folder)
        inner = folder / "model"
        if not (folder / "config.json").is_file() and (inner / "config.json").is_file():
            return str(inner)
        return str(folder)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        refuse_without_network(name)
        return name
    raise ModelError(f"unknown model {name!r}: no such folder; known: {', '.join(EMBEDDED)}, or a hub name ORG/NAME")


def refuse_loose_adapter(folder: Path) -> None:
    """An adapter alone is no model, and beside a model transformers and peft would apply it without a word."""
    if not (folder / "adapter_config.json").is_file():
        return
    if (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds a model and an adapter in one folder, and nobody can tell whether it is merged; move "
            "adapter_config.json and adapter_model.safetensors into a folder of their own"
        )
    raise ModelError(f"{folder} holds an adapter only; give the merged model (of a run of ours: the folder above it)")


def refuse_without_network(name: str) -> None:
    """Say at once that the hub cannot be reached, instead of after half a minute of retries; a cached model passes."""
    from huggingface_hub import constants, try_to_load_from_cache

    cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    proxied = any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"))
    if cached or proxied:
        return
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("HF_HUB_OFFLINE is set")
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, None)
    except OSError as error:
        raise ModelError(unreachable(name, error)) from error


def load_classifier(path: str, *, layers: int | None, trust_remote_code: bool) -> tuple[Any, bool]:
    """The sequence classifier with one output in fp32, and whether its head had to be made new."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=trust_remote_code)
        keep_layers(config, layers)
        config.num_labels = 1
        hf, info = AutoModelForSequenceClassification.from_pretrained(
            path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(unreachable(path, error)) from error
    head = find_head(hf)
    names = {name for name, module in hf.named_modules() if module is head}
    absent = {str(key) for key in info["missing_keys"]} | {str(key[0]) for key in info["mismatched_keys"]}
    head_is_new = any(key.rpartition(".")[0] in names for key in absent)
    refuse_missing(path, absent, names)
    return hf, head_is_new


def refuse_missing(path: str, absent: set[str], head_names: set[str]) -> None:
    """A backbone with random weights in the middle is no pretrained model; heads and poolers may be new."""
    allowed = ("pooler", "score", "classifier", "classification_head", "summary", "head")
    broken = sorted(
        key for key in absent if key.rpartition(".")[0] not in head_names and not any(part in key for part in allowed)
    )
    if broken:
        raise ModelError(
            f"{path} lacks weights of its backbone ({broken[0]} and {len(broken) - 1} more); is it complete?"
        )


def keep_layers(config: Any, layers: int | None) -> None:
    """Cut a config to its first `layers` layers."""
    if layers is None:
        return
    text = config.get_text_config()
    if not 1 <= layers <= text.num_hidden_layers:
        raise ModelError(f"--layers {layers}: the model has {text.num_hidden_layers} layers; choose 1 to that many")
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None):
        text.layer_types = list(text.layer_types)[:layers]


def load_tokenizer(path: str, *, trust_remote_code: bool) -> Any:
    """The tokenizer beside the model."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(path, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(unreachable(path, error)) from error


def unreachable(path: str, error: Exception) -> str:
    """One line on why a model could not be opened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause = (lines[0] if lines else type(error).__name__)[:200]
    if Path(path).is_dir():
        return f"cannot open the model in {path}: {cause}"
    return (
        f"cannot fetch {path!r} from the hub ({cause}); offline choices: tiny, smollm2-135m, minilm-l6 "
        "(rewardsmith models get NAME), or a folder"
    )


def reset_head(hf: Any, *, seed: int) -> None:
    """Draw the head anew with standard deviation 1 / (width + 1): rewards near zero, a first loss of about ln 2.

    The scale is OpenRLHF's (`get_llm_for_sequence_regression`, value head initialisation).
    """
    head = find_head(hf)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        drawn = torch.randn(head.weight.shape, generator=generator) / (head.in_features + 1)
        head.weight.copy_(drawn)
        if head.bias is not None:
            head.bias.zero_()
