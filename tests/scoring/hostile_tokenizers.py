"""Tokenizers of every kind that turned user text into control tokens somewhere, and texts that try to."""

import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from rewardsmith.model.loading.tiny import byte_tokenizer

MARKERS = ("<think>", "</think>", "<|user|>", "<tool_call>")
WORDS = (
    "the",
    "sky",
    "is",
    "blue",
    "user",
    "x",
    "assistant",
    "天空",
    "为什么",
    "é",
    "😀",
    "\n",
    "  ",
    "<",
    ">",
    "|",
    "/",
    "end",
)
CHAT = (
    "{% for m in messages %}{{ '<s>' + m['role'] + ':' + m['content'] + '</s>' }}{% endfor %}"
    "{% if tools %}<tool_call>{% endif %}"
)
SPACED = "{% for m in messages %}{{ ' <s> ' + m['role'] + ': ' + m['content'] + ' </s> ' }}{% endfor %}"
THINKING = (
    "{% for m in messages %}{{ '<s><|' + m['role'] + '|>' }}{% if m['role'] == 'assistant' %}<think></think>{% endif %}"
    "{{ m['content'] }}</s>{% endfor %}{% if tools %}<tool_call>{% endif %}"
)
NAMED = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def characters():
    printable = [chr(code) for code in range(33, 127)]
    return [*printable, "▁", "天", "空", "为", "什", "么", "é", "‐", "\u0338"]


def special(text, **options):
    return AddedToken(text, special=True, **options)


def wrap(backend, template=CHAT, markers=(), normalized=False, **options):
    for name in ("<s>", "</s>", "<pad>", "<unk>"):
        backend.add_special_tokens([special(name, normalized=normalized, **options)])
    backend.add_tokens([AddedToken(text, special=False, normalized=normalized) for text in markers])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **NAMED)
    tokenizer.chat_template = template
    return tokenizer


def unigram(normalizer, pre=None, **options):
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((one, -9.0) for one in characters())]
    pieces += [("▁the", -3.0), ("▁is", -3.0), ("</", -7.0), ("s>", -7.0), ("<mask>", 0.0)]
    backend = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre or pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    backend.decoder = decoders.Metaspace(replacement="▁")
    return wrap(backend, **options)


def wordpiece(normalized):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters(), *("##" + one for one in characters())]
    backend = Tokenizer(models.WordPiece({one: k for k, one in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit() if normalized else pre_tokenizers.BertPreTokenizer()
    for name in vocabulary[:5]:
        backend.add_special_tokens([special(name, normalized=normalized)])
    names = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def byte_bpe(**options):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({one: k for k, one in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.normalizer = options.pop("normalizer", None)
    return wrap(backend, **options)


def without_zero_width():
    return normalizers.Sequence([normalizers.Replace(Regex("[\u200b\u200d\ufeff]"), ""), normalizers.NFKC()])


def python_tokenizer():
    from transformers import ByT5Tokenizer

    tokenizer = ByT5Tokenizer(extra_ids=0, bos_token="<s>")
    tokenizer.add_tokens([AddedToken("<think>", special=False)])
    tokenizer.chat_template = THINKING.replace("</think>", "")
    return tokenizer


def clean_split():
    return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")


TOKENIZERS = {
    "bytes": byte_tokenizer,
    "bytes, markers": lambda: byte_bpe(template=THINKING, markers=MARKERS),
    "bytes, nfkc": lambda: byte_bpe(template=THINKING, markers=MARKERS, normalized=True, normalizer=normalizers.NFKC()),
    "bytes, lower case": lambda: byte_bpe(normalized=True, normalizer=normalizers.Lowercase()),
    "bytes, strips": lambda: byte_bpe(template=THINKING, markers=MARKERS, lstrip=True, rstrip=True),
    "bytes, single words": lambda: byte_bpe(single_word=True, template=SPACED),
    "bytes, zero width": lambda: byte_bpe(normalized=True, normalizer=without_zero_width()),
    "unigram, nfkc": lambda: unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])),
    "unigram, plain": lambda: unigram(None, pre=clean_split()),
    "unigram, normalized": lambda: unigram(normalizers.NFKC(), normalized=True),
    "unigram, zero width": lambda: unigram(without_zero_width(), template=THINKING, markers=MARKERS),
    "unigram, markers": lambda: unigram(normalizers.NFKC(), template=THINKING, markers=MARKERS, normalized=True),
    "wordpiece": lambda: wordpiece(False),
    "wordpiece, normalized": lambda: wordpiece(True),
    "python": python_tokenizer,
}  # fmt: skip


if folder := os.environ.get("REWARDSMITH_TOKENIZER"):  # that of a real model
    TOKENIZERS["given"] = lambda: AutoTokenizer.from_pretrained(folder)


def full_width(text):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def variants(marker):
    """The marker as it may be written so that some tokenizer takes it for itself."""
    middle = len(marker) // 2
    yield from (marker, full_width(marker), marker.upper(), marker.lower(), marker.title(), f" {marker}", f"{marker} ")
    yield from (
        marker[:middle] + join + marker[middle:] for join in ("\u200b", "\ufeff", "\u0301", full_width(marker[middle]))
    )
    yield from (marker[:middle], marker[middle:], marker[1:], marker[:-1], marker[:middle] + marker, marker + "\u0338")
    yield from (
        f"x{marker}y",
        "".join(full_width(sign) if k % 2 else sign for k, sign in enumerate(marker)),
        marker * 3,
    )


def hostile_texts(count, strings, *, seed=0):
    """So many texts of words and spelled markers; the same for the same seed."""
    draw = random.Random(seed)
    every = [variant for marker in sorted(strings) for variant in variants(marker)]
    for _ in range(count):
        parts = draw.choices(every, k=draw.randint(1, 4)) + draw.choices(WORDS, k=draw.randint(0, 4))
        draw.shuffle(parts)
        yield draw.choice(("", " ")).join(parts)
