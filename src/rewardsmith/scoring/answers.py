"""How many of a text's tokens belong to its answer: what a reward that averages over the answer has to know.

The answer is the last message's content and what the template writes behind it. It depends on the text alone, never on the
responses beside it or on where a record's prompt is said to end, so that a mean over it is the same everywhere.
"""

from collections.abc import Sequence
from typing import Any

from rewardsmith.scoring.templates.renderer import TextPiece


def answer_length(
    tokenizer: Any, pieces: Sequence[TextPiece], content: str, *, suffix: str, tokens: int, trimmed: int
) -> int:
    """Tokens from the one in which the last message's content begins to the end, 1 to `tokens`.

    `pieces` are those of the rendered text, each tokenized by itself. `suffix` is what the template writes behind a content;
    `tokens` counts what is scored, `trimmed` what was cut off its end. Where the content cannot be found in the rendered
    text (a template may rewrite it), all of the text is its answer.
    """
    chars = answer_chars("".join(piece.text for piece in pieces), content, suffix)
    if chars is None:
        return tokens
    return min(max(1, tokens_of_tail(tokenizer, pieces, chars) - trimmed), tokens)


def answer_chars(rendered: str, content: str, suffix: str) -> int | None:
    """Characters from the content's first to the end of the rendered text; None where it does not end that way."""
    for written in (content, content.strip()):
        if rendered.endswith(written + suffix):
            return len(written) + len(suffix)
    return None


def tokens_of_tail(tokenizer: Any, pieces: Sequence[TextPiece], chars: int) -> int:
    """Tokens that reach into the last `chars` characters of the pieces, each tokenized as it is scored."""
    count = 0
    for piece in reversed(pieces):
        if chars <= 0:
            break
        count += piece_tail(tokenizer, piece, min(chars, len(piece.text)))
        chars -= len(piece.text)
    return count


def piece_tail(tokenizer: Any, piece: TextPiece, chars: int) -> int:
    """The same within one piece; a tokenizer that cannot tell where its tokens lie gets the tail by itself."""
    options = {"add_special_tokens": False, "verbose": False, "split_special_tokens": piece.literal}
    if not tokenizer.is_fast:
        return len(tokenizer(piece.text[len(piece.text) - chars :], **options)["input_ids"])
    start = len(piece.text) - chars
    offsets = tokenizer(piece.text, return_offsets_mapping=True, **options)["offset_mapping"]
    return sum(end > start for _, end in offsets)
