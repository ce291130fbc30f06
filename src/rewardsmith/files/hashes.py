"""Hashes of files and texts."""

import hashlib
from pathlib import Path

BUFFER_BYTES = 1 << 20


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def xxh3(path: Path) -> str:
    """XXH3 of a file's bytes in 128 bits, as hex digits: finds damage at the speed of memory; no proof against intent."""
    import xxhash

    digest = xxhash.xxh3_128()
    buffer = memoryview(bytearray(BUFFER_BYTES))
    with path.open("rb", buffering=0) as handle:
        while count := handle.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


def hash_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, as hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
