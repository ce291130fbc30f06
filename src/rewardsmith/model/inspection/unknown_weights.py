"""Weights of a file that no part of the opened class takes: those that cannot matter for a reward, and all others.

transformers leaves unknown weights out without a word. A bias, a norm or a second layer of the head that is left out changes
every reward, so what is not named here is refused.
"""

import re
from collections.abc import Iterable
from typing import Any

from torch import nn

from rewardsmith.errors import ModelError
from rewardsmith.model.forward.network import kind_of
from rewardsmith.model.inspection.token_rows import rows_of
from rewardsmith.model.loading.folders import Weight

UNUSED = re.compile(
    "|".join(
        (
            # Heads of language models and of pretraining, which stand where the reward head does.
            r"(^|\.)(lm_head|embed_out|lm_loss|pred_layer|output_layer|generator_lm_head)\.",
            r"^cls\.(predictions|seq_relationship)\.|^predictions\.(LayerNorm|dense|decoder|bias)(\.|$)",
            r"^(sop_classifier|qa_outputs|multiple_choice_head)\.|^funnel\.decoder\.",
            r"^(lm|mask|discriminator|generator)_predictions\.",
            r"^vocab_(transform|layer_norm|projector)\.",
            r"^(decoder\.(weight|bias)|final_logits_bias)$",
            # Tables that are computed, and were saved by older versions.
            r"(^|\.)(original_)?inv_freq$|(^|[._])(cos|sin)_cached$|(^|\.)(position_ids|token_type_ids)$",
            # Predictors of tokens further ahead.
            r"(^|\.)(mtp|mtp_layers|mtp_block|mtp_head|nextn)\.",
            # What reads images and sound for a model of text and more, of which the text part is used.
            r"^(model\.)?(visual|vision_\w+|audio_\w+|speech_\w+|multi_modal_projector|multimodal_projector|mm_projector)\.",
            r"^(model\.)?(embed_vision|embed_audio|image_newline|connector|aligner|img_projector)(\.|$)",
        )
    )
)
POOLER = re.compile(r"(^|\.)pooler\.dense\.")  # of encoders, whose classifiers may pool in another way
MASKS = re.compile(r"(attn|attention|self_attention)\.(bias|masked_bias|causal_mask)$")
STATISTICS = ("mean", "std")
"""OpenRLHF's, of rewards; it reads them from the config."""
SHOWN = 3


def refuse_unknown(
    path: str,
    hf: Any,
    unknown: Iterable[str],
    weights: tuple[Weight, ...],
    *,
    used: frozenset[str],
    cut_from: int | None,
) -> None:
    """ModelError naming the weights that are neither used nor known to be of no use.

    `used` are those that a head was made of. `cut_from` is how many layers the file has where fewer are kept.
    """
    shapes = {weight.name: weight.shape for weight in weights}
    above = layers_above(hf, cut_from)
    left = sorted(
        name
        for name in unknown
        if not (is_one_of(name, used) or is_unused(name, shapes.get(name), hf) or (above and above.match(name)))
    )
    if left:
        named = ", ".join([*left[:SHOWN], *(["…"] if len(left) > SHOWN else [])])
        raise ModelError(
            f"{path} has {len(left)} weights that {type(hf).__name__} does not use ({named}), so the rewards would "
            "differ from those of the trained model; check config.json (class, biases, layers, bits), or remove these "
            "weights from the file if they are not needed"
        )


def is_unused(name: str, shape: tuple[int, ...] | None, hf: Any) -> bool:
    """Whether a weight of this name and shape cannot matter for the reward of this class."""
    if UNUSED.search(name) or (kind_of(hf) == "encoder" and POOLER.search(name)):
        return True
    if name == "head.weight":  # RWKV's; a row for each token
        return shape is not None and shape[0] == rows_of(hf)
    if name in STATISTICS:
        return shape in ((), (1,))
    return MASKS.search(name) is not None and shape is not None and len(shape) in (0, 4)  # a bias has one dimension


def is_one_of(name: str, used: frozenset[str]) -> bool:
    """Whether a name, to which transformers may have put a prefix, is one of those used."""
    return name in used or any(name.endswith(f".{other}") or other.endswith(f".{name}") for other in used)


def layer_stacks(hf: Any) -> dict[str, int]:
    """The names of the lists of modules that stand in no other list, with their lengths."""
    return {
        name: len(module)
        for name, module in hf.named_modules()
        if isinstance(module, nn.ModuleList) and not any(part.isdigit() for part in name.split("."))
    }


def layers_above(hf: Any, cut_from: int | None) -> re.Pattern[str] | None:
    """What the names of layers begin with that are left out on purpose; None where none is.

    `--layers N` keeps the first N of `cut_from`. Layers behind the last may predict tokens further ahead, and the config
    then says how many.
    """
    text = hf.config.get_text_config()
    ahead = getattr(text, "num_nextn_predict_layers", None)
    stacks = layer_stacks(hf)
    longest = max(stacks.values(), default=0)
    total = (cut_from or longest) + (ahead if isinstance(ahead, int) else 0)
    numbers = "|".join(map(str, range(longest, total)))
    if not numbers:
        return None
    names = {name for name, length in stacks.items() if length == longest}
    names |= {name.removeprefix(f"{hf.base_model_prefix}.") for name in names}
    return re.compile(f"({'|'.join(map(re.escape, sorted(names)))})\\.({numbers})\\.")
