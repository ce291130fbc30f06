"""Hashes of files and texts."""

import hashlib
from pathlib import Path


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def hash_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, as hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
