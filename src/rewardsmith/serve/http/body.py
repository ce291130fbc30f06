"""The body of a request → a JSON object: bounded in bytes, also unpacked, and in time; strict in what is JSON."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect, Request

from rewardsmith.data.input.rows import RowError, parse
from rewardsmith.serve.http.errors import HttpError

GZIP = 16 + zlib.MAX_WBITS
WRONG: Mapping[str, str] = {
    "not_an_object": "the body is not a JSON object",
    "invalid_utf8": "the body is not UTF-8",
    "byte_order_mark": "the body begins with a byte order mark; remove its three bytes",
    "too_deep": "the body is nested too deeply",
    "duplicate_key": "an object in the body has the same key twice",
    "not_a_number": "the body contains a number that is not finite (NaN, Infinity, 1e999)",
    "number_out_of_range": "the body contains an integer that does not fit in 64 bits",
    "lone_surrogate": "a text in the body contains half a surrogate pair, which is not a character",
}
"""By the code of the strict reader (see `data.input.rows`)."""


async def object_of(request: Request, *, most: int, seconds: float) -> dict[str, Any]:
    """The JSON object that a request sends, of at most `most` bytes, within `seconds`; HttpError for anything else."""
    check_type(request.headers.get("content-type", ""))
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise HttpError(415, f"content-encoding {encoding:.40}: expected gzip, or none")
    if declared(request) > most:
        raise too_large(most)
    try:
        async with asyncio.timeout(seconds):
            content = await read(request, most, packed=encoding == "gzip")
    except TimeoutError:
        raise HttpError(408, f"the body was incomplete after {seconds:g} s") from None
    return parsed(content)


def declared(request: Request) -> int:
    """The size that a request says it has; 0 where it does not."""
    length = request.headers.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() else 0


def check_type(value: str) -> None:
    """HttpError for a body that is not said to be JSON: browsers send other types to any site without asking."""
    kind = value.partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HttpError(415, f"content-type {kind[:40] or 'missing'}: expected application/json")


async def read(request: Request, most: int, *, packed: bool) -> bytes:
    """The bytes of the body, unpacked; HttpError as soon as there are more than `most`."""
    parts: list[bytes] = []
    size = 0
    unpack = zlib.decompressobj(GZIP) if packed else None
    try:
        async for chunk in request.stream():
            part = chunk if unpack is None else unpack.decompress(chunk, most + 1 - size)
            parts.append(part)
            size += len(part)
            if size > most:
                raise too_large(most)
    except zlib.error:
        raise HttpError(400, "the body is not valid gzip") from None
    except ClientDisconnect:
        raise HttpError(400, "the connection was closed before the body was complete") from None
    if unpack is not None and (not unpack.eof or unpack.unused_data):
        raise HttpError(400, "the body is not exactly one whole gzip stream")
    return b"".join(parts)


def too_large(most: int) -> HttpError:
    """The error of a body over the limit."""
    return HttpError(413, f"the body has more than {most} bytes; send fewer texts in a request")


def parsed(content: bytes) -> dict[str, Any]:
    """The object of a body; HttpError that says what is no JSON in it."""
    if not content:
        raise HttpError(400, "the body is empty; expected a JSON object", code="invalid_json")
    try:
        return parse(content)
    except RowError as error:
        raise HttpError(400, WRONG.get(error.code, "the body is not valid JSON"), code="invalid_json") from error
