"""The embedded `tiny` model: a small decoder from a config, with a byte-level tokenizer; nothing to download."""

from dataclasses import dataclass
from typing import Any

from rewardsmith.errors import ModelError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
HEAD_SIZE = 0.6
"""Of the reward head's weights, beside the others': at the same size, new rewards of two responses differ by 0.2 to 0.5 and
the loss begins above its value for equal rewards; at a third of it the layers below learn more slowly."""
SPECIAL = ("<|pad|>", "<|bos|>", "<|im_start|>", "<|im_end|>")


@dataclass(frozen=True)
class TinyConfig:
    """Size of the decoder: layers, attention heads, width, and the longest sequence in bytes."""

    n_layer: int = 2
    n_head: int = 4
    n_embd: int = 64
    block_size: int = 256

    def __post_init__(self) -> None:
        if min(self.n_layer, self.n_head, self.n_embd, self.block_size) < 1:
            raise ModelError(f"invalid model size {self}; every size must be at least 1")
        if self.n_embd % (2 * self.n_head):
            raise ModelError(
                f"n_embd {self.n_embd} is not a multiple of 2 x n_head {self.n_head}; rotary embeddings need an even "
                "head dimension"
            )


def byte_tokenizer() -> Any:
    """A byte-level tokenizer: 256 bytes and four control tokens; every text in every language has an encoding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<|pad|>",
        bos_token="<|bos|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def tiny_model(config: TinyConfig, *, vocab_size: int) -> Any:
    """A Llama decoder of the given size with a reward head; weights from torch's current random state."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    model = LlamaForSequenceClassification(
        LlamaConfig(
            vocab_size=vocab_size,
            hidden_size=config.n_embd,
            intermediate_size=2 * config.n_embd,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            num_key_value_heads=config.n_head,
            max_position_embeddings=config.block_size,
            # The usual 0.02 is made for wide models; at width 64 it delays learning by a thousand steps and more.
            initializer_range=0.8 * config.n_embd**-0.5,
            num_labels=1,
            problem_type="regression",
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=3,
        )
    )
    with torch.no_grad():
        model.score.weight.mul_(HEAD_SIZE)
    return model
