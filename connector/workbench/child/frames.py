"""Messages over a pipe: four bytes that say how long, then as many."""

from __future__ import annotations

import asyncio
from typing import BinaryIO, Final

MOST_BYTES: Final = 32 * 1024**2
"""Of one frame: a thousand requests as they are shown have ten."""


def read_frame(source: BinaryIO) -> bytes | None:
    """The next one; None at the end."""
    head = source.read(4)
    if len(head) < 4:
        return None
    body = source.read(int.from_bytes(head, "big"))
    return body if len(body) == int.from_bytes(head, "big") else None


def write_frame(out: BinaryIO, body: bytes) -> None:
    """Write one, at once."""
    out.write(len(body).to_bytes(4, "big") + body)
    out.flush()


async def receive_frame(reader: asyncio.StreamReader) -> bytes:
    """The next one of a child. Raises EOFError where it has ended, or says what no child of ours says."""
    try:
        size = int.from_bytes(await reader.readexactly(4), "big")
        if size > MOST_BYTES:
            raise EOFError
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise EOFError from None


def framed(body: bytes) -> bytes:
    """One, as it is written."""
    return len(body).to_bytes(4, "big") + body
