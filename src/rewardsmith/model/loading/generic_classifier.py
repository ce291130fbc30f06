"""Reward heads for decoder families that transformers has no sequence classifier for (Granite, Cohere, Mamba, …).

The class is made from transformers' own generic classifier and registered for this process, so that such a family
behaves as every other one. What it saves keeps the usual names (`model.*` or `backbone.*`, and `score.weight`):
`AutoModel` opens the backbone anywhere, and `score.weight` is the row that its last hidden state is multiplied with.
"""

from typing import Any

from rewardsmith.errors import ModelError


def ensure_classifier(config: Any) -> bool:
    """Make sure that AutoModelForSequenceClassification knows this family; True where a class had to be made.

    ModelError for what cannot have a reward head: encoder-decoders and models that are no text models.
    """
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
        MODEL_MAPPING,
        AutoModelForSequenceClassification,
    )

    family = type(config)
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{config.model_type!r} is an encoder-decoder model, which is not supported; use a decoder (llama, qwen3, "
            "…) or an encoder (modernbert, deberta-v2, …)"
        )
    if "AutoModelForSequenceClassification" in (getattr(config, "auto_map", None) or {}):
        return False  # code of its own, which transformers asks for by itself
    if family in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        made = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[family]
        return getattr(made, "made_by_rewardsmith", False)
    if family not in MODEL_FOR_CAUSAL_LM_MAPPING or family not in MODEL_MAPPING:
        raise ModelError(
            f"transformers has neither a sequence classifier nor a causal language model for {config.model_type!r}, so "
            "a reward head cannot be added; use a text decoder or encoder"
        )
    made = make_class(MODEL_MAPPING[family], MODEL_FOR_CAUSAL_LM_MAPPING[family])
    AutoModelForSequenceClassification.register(family, made, exist_ok=True)  # else a known config is passed over
    return True


def make_class(backbone: type, causal: type) -> type:
    """`XForSequenceClassification` from the family's pretrained base: the backbone under its usual name, and `score`."""
    from transformers import PreTrainedModel
    from transformers.modeling_layers import GenericForSequenceClassification

    base = next(
        (kind for kind in backbone.__mro__[1:] if issubclass(kind, PreTrainedModel) and kind is not PreTrainedModel),
        PreTrainedModel,
    )
    name = causal.__name__.replace("LMHeadModel", "ForCausalLM").replace("ForCausalLM", "ForSequenceClassification")
    prefix = getattr(causal, "base_model_prefix", "") or "model"
    return type(
        name,
        (GenericForSequenceClassification, base),
        {
            "__doc__": f"{backbone.__name__} with a reward head, made by rewardsmith.",
            # As a class of transformers: code of others is initialised otherwise, and buffers that are not saved (the
            # multipliers of Falcon-H1) would hold whatever lay in memory.
            "__module__": causal.__module__,
            "base_model_prefix": prefix,
            "config_class": getattr(backbone, "config_class", None),
            "made_by_rewardsmith": True,
            "forward": forward,
        },
    )


def forward(self: Any, input_ids: Any, attention_mask: Any = None, **others: Any) -> Any:
    """Logits at the last token that is not the pad token, as in transformers' classifiers; without their cache, which
    recurrent families do not have.
    """
    import torch
    from transformers.modeling_outputs import SequenceClassifierOutput

    hidden = self.base_model(input_ids=input_ids, attention_mask=attention_mask, **others).last_hidden_state
    logits = self.score(hidden)
    pad = self.config.get_text_config().pad_token_id
    places = torch.arange(input_ids.shape[1], device=input_ids.device)
    last = (places * (input_ids != (-1 if pad is None else pad))).argmax(dim=1)
    return SequenceClassifierOutput(logits=logits[torch.arange(len(last), device=last.device), last])
