"""Decompression that spends no more memory than it was allowed: what a batch holds is not known before it is opened.

Record batch v2 does not tell its raw size and a topic's `max.message.bytes` bounds the compressed one: 300 kB of gzip
may be 300 MB, 1 kB of zstd 30 MB. aiokafka opens a batch whole, whatever comes out of it. Here a limit is given, and
nothing beyond it is allocated: zlib stops at it, zstd and lz4 write into a buffer of that size, snappy says beforehand.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator

import cramjam
from aiokafka.record._crecords import legacy_records

CAP_BYTES = 16 * 1024**2
"""A batch up to this raw size is opened at once. Eight times what producers send whose batches reach 1 MiB."""
WORK_BYTES = 64 * 1024**2
"""A larger one is opened piece by piece up to here; what lies behind is not looked at."""
PIECE_BYTES = 1024**2

CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
"""By the number in a batch's attributes."""

# What cramjam says when a buffer is full: the only sign it gives.
FULL = "failed to write whole buffer"

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16
_GZIP = 16 + zlib.MAX_WBITS

Buffer = bytes | memoryview


class TooLargeError(Exception):
    """More comes out than is allowed."""


class UndecodableError(Exception):
    """What was written with a codec cannot be read with it, or the codec is not known. Says why."""


_local = threading.local()


def decompress(codec: int, data: Buffer, limit: int = CAP_BYTES) -> bytes:
    """The raw bytes, at most `limit` of them.

    Args:
        codec: its number in a batch's attributes.
        data: what the batch holds.
        limit: so many.

    Raises:
        TooLargeError: there are more.
        UndecodableError: it cannot be read.
    """
    try:
        return _DECOMPRESS[codec](data, limit)
    except KeyError:
        raise UndecodableError(f"compression codec {codec} is not known") from None
    except (zlib.error, cramjam.DecompressionError, ValueError) as error:
        raise UndecodableError(f"{CODECS[codec]} cannot be read: {error}") from error


def pieces(codec: int, data: Buffer, limit: int = WORK_BYTES) -> Iterator[bytes]:
    """The same piece by piece, for what is larger than a batch may be at once; one piece is in memory at a time.

    Of zstd, lz4 and raw snappy nothing can be read without what comes before it: each piece, of `CAP_BYTES`, is opened
    from the beginning, four times at most, rather than that 64 MiB of a partition wait in memory to be taken.

    Raises:
        TooLargeError: `limit` is reached; what was yielded holds.
        UndecodableError: it cannot be read.
    """
    try:
        if codec == 1:
            yield from _gzip_pieces(data, limit)
        elif codec == 2 and _is_xerial(data):
            yield from _xerial_pieces(data, limit)
        else:
            yield from _prefixes(codec, data, limit)
    except (zlib.error, cramjam.DecompressionError, ValueError) as error:
        raise UndecodableError(f"{CODECS[codec]} cannot be read: {error}") from error


def _gunzip(data: Buffer, limit: int) -> bytes:
    return b"".join(_gzip_pieces(data, limit, most=limit + 1))


def _gzip_pieces(data: Buffer, limit: int, *, most: int = PIECE_BYTES) -> Iterator[bytes]:
    """There may be several members, and zeros behind each."""
    rest, size = bytes(data), 0
    while rest:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            piece = member.decompress(rest, min(most, limit - size + 1))
            rest = member.unconsumed_tail
            size += len(piece)
            if size > limit:
                raise TooLargeError
            if piece:
                yield piece
            elif not member.eof and not rest:
                raise UndecodableError("gzip cannot be read: it ends too early")
        rest = member.unused_data.lstrip(b"\0")


def _snappy(data: Buffer, limit: int) -> bytes:
    if _is_xerial(data):
        return b"".join(_xerial_pieces(data, limit))
    if cramjam.snappy.decompress_raw_len(data) > limit:
        raise TooLargeError
    return bytes(cramjam.snappy.decompress_raw(data))


def _is_xerial(data: Buffer) -> bool:
    """Java's clients write snappy in blocks of 32 kB, each with its length before it."""
    return bytes(data[: len(_XERIAL)]) == _XERIAL


def _xerial_pieces(data: Buffer, limit: int) -> Iterator[bytes]:
    view, position, size = memoryview(data), 0, 0
    while position < len(view):
        if _is_xerial(view[position:]):
            position += _XERIAL_HEADER_BYTES
            continue
        length = int.from_bytes(view[position : position + 4], "big", signed=True)
        block = view[position + 4 : position + 4 + length]
        # A negative one would send aiokafka's own reader back to where it has been, for ever.
        if length <= 0 or len(block) < length:
            raise UndecodableError(f"snappy cannot be read: a block of {length} bytes where {len(block)} are left")
        raw = cramjam.snappy.decompress_raw_len(block)
        size += raw
        if size > limit or raw > CAP_BYTES:
            raise TooLargeError
        yield bytes(cramjam.snappy.decompress_raw(block))
        position += 4 + length


def _into(decompress_into: Callable[[Buffer, bytearray], int], data: Buffer, buffer: bytearray) -> int:
    """Fill the buffer; how much of it was filled. Raises TooLargeError where all of it was, and more was to come."""
    try:
        return decompress_into(data, buffer)
    except cramjam.DecompressionError as error:
        if str(error) == FULL:
            raise TooLargeError from None
        raise


def _zstd(data: Buffer, limit: int) -> bytes:
    return _within(cramjam.zstd.decompress_into, data, limit)


def _lz4(data: Buffer, limit: int) -> bytes:
    return _within(cramjam.lz4.decompress_into, data, limit)


def _within(decompress_into: Callable[[Buffer, bytearray], int], data: Buffer, limit: int) -> bytes:
    if limit > CAP_BYTES:
        buffer = bytearray(limit)
    else:  # one per thread, kept: only what is written to takes memory
        if not hasattr(_local, "buffer"):
            _local.buffer = bytearray(CAP_BYTES)
        buffer = _local.buffer
    size = _into(decompress_into, data, buffer)
    if size > limit:
        raise TooLargeError
    return bytes(memoryview(buffer)[:size])


def _prefixes(codec: int, data: Buffer, limit: int) -> Iterator[bytes]:
    for start in range(0, limit, CAP_BYTES):
        piece = _piece(codec, data, start, min(start + CAP_BYTES, limit))
        yield piece
        if len(piece) < CAP_BYTES:
            return
    raise TooLargeError


def _piece(codec: int, data: Buffer, start: int, end: int) -> bytes:
    """Raw bytes `start` to before `end`, fewer where there are no more."""
    if codec == 2:
        size = cramjam.snappy.decompress_raw_len(data)
        if size > WORK_BYTES:
            raise TooLargeError
        buffer = bytearray(size)
        cramjam.snappy.decompress_raw_into(data, buffer)
    else:
        buffer = bytearray(end)
        into = cramjam.zstd.decompress_into if codec == 4 else cramjam.lz4.decompress_into
        try:
            size = _into(into, data, buffer)
        except TooLargeError:
            size = end
    return bytes(memoryview(buffer)[start : min(size, end)])


_DECOMPRESS = {0: lambda data, _limit: bytes(data), 1: _gunzip, 2: _snappy, 3: _lz4, 4: _zstd}


def bound_legacy() -> None:
    """Give the reader of the message formats before 0.11 the same bounds: it finds its functions in its module."""
    legacy_records.gzip_decode = lambda data: decompress(1, data)
    legacy_records.snappy_decode = lambda data: decompress(2, data)
    legacy_records.lz4_decode = lambda data: decompress(3, data)
