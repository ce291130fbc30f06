"""What each token adds to a text, for people: a character that is split over several tokens is shown whole, once."""

import codecs
import functools
from collections.abc import Iterable
from typing import Any, SupportsInt

LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""


def token_texts(tokenizer: Any, ids: Iterable[SupportsInt]) -> list[str]:
    """One text per token; of a character that takes several tokens, all of it at its last token and "" before.

    Bytes that are no whole character, as where the tokens are part of a text only, are shown as `\\xe5`.
    """
    numbers = [int(number) for number in ids]
    if "ByteLevel" in repr(tokenizer.backend_tokenizer.decoder):
        return byte_texts(tokenizer, numbers)
    texts: list[str] = []
    waiting: list[int] = []
    for number in numbers:
        waiting.append(number)
        text = tokenizer.decode(waiting)
        whole = not text.endswith("\ufffd") or len(waiting) > LONGEST_CHARACTER
        texts.append(text if whole else "")
        waiting = [] if whole else waiting
    if waiting:
        texts[-1] = tokenizer.decode(waiting)
    return texts


def byte_texts(tokenizer: Any, ids: list[int]) -> list[str]:
    """The same for a vocabulary of bytes, whose tokens are put together before they are read as UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace")
    texts = [decoder.decode(bytes_of(token)) for token in tokenizer.convert_ids_to_tokens(ids)]
    if texts:
        texts[-1] += decoder.decode(b"", final=True)
    return texts


def bytes_of(token: str) -> bytes:
    """The bytes of a token as a byte-level vocabulary writes it; of an added token, which is plain text, its UTF-8."""
    known = byte_signs()
    if all(sign in known for sign in token):
        return bytes(known[sign] for sign in token)
    return token.encode("utf-8", "surrogatepass")


@functools.cache
def byte_signs() -> dict[str, int]:
    """The printable sign that stands for each byte, and the byte (GPT-2's table, which all such vocabularies share)."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {sign: byte for byte, sign in bytes_to_unicode().items()}
