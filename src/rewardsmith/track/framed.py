"""Read the frames of a `.wandb` file: wandb reads it in Go only, so there is nothing in Python to ask.

The format is that of LevelDB's log (https://github.com/google/leveldb/blob/main/doc/log_format.md): blocks of 32 KiB,
in them frames of CRC-32 (4 bytes, over type and data), length (2), type (1) and data, little-endian; a record that does
not fit is cut into FIRST, MIDDLE …, LAST. W&B puts a header of 7 bytes before it and uses the plain CRC-32 of zlib.
"""

import struct
import zlib
from collections.abc import Iterator

BLOCK, HEADER = 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def frames(data: bytes) -> Iterator[bytes]:
    """The records in order, up to the first that is not whole."""
    place, parts = HEADER, b""
    while place + HEADER <= len(data):
        left = BLOCK - place % BLOCK
        if left < HEADER:
            place += left
            continue
        check, length, kind = struct.unpack_from("<IHB", data, place)
        part = data[place + HEADER : place + HEADER + length]
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != check:
            return
        place += HEADER + length
        parts = part if kind in (FULL, FIRST) else parts + part
        if kind in (FULL, LAST):
            yield parts
