"""The body of a reply without its content codings: gzip, deflate, br and zstd, declared or not. Pure.

What a header says about codings is often wrong (a proxy that unpacked and kept the header, an application that packed
and set none): it is a hint, and the bytes decide. Memory is bounded before it is spent.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Final

import cramjam

MOST_CODINGS: Final = 4
"""Upon one another. Proxies make two of one; each may cost what the largest reply costs."""

ZSTD_WINDOW: Final = 8 * 1024 * 1024
"""Largest a server may use for HTTP (RFC 9659); the library itself would allow 128 MiB."""

MOST_ZSTD_BLOCKS: Final = 65_536

MOST_MEMBERS: Final = 64
"""Of one gzip stream; each costs a copy of what is left."""

FIRST_BUFFER: Final = 64 * 1024

_GZIP: Final = b"\x1f\x8b\x08"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f
_UTF_16_OR_32: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_TEXT_LOOKED_AT: Final = 1024

_OVERFLOW: Final = "failed to write whole buffer"
"""What cramjam says where the output does not fit; tests/delivery/test_content_coding.py holds it to that."""


class ContentCodingError(ValueError):
    """A body is packed in a way that cannot be undone."""


class _NotPackedError(Exception):
    """The bytes are not of this coding."""


Unpack = Callable[[bytes, int], tuple[bytes, bool]]
"""From packed bytes and a limit: at most so many bytes, and whether there are more. Raises _NotPackedError."""


def unpacked(body: bytes, declared: Sequence[str], limit: int, *, cut: bool = False) -> tuple[bytes, bool]:
    """`body` without its codings, at most `limit` bytes of it, and whether there was more.

    Args:
        body: as it was sent.
        declared: codings the reply names, in the order they were applied.
        limit: in bytes; no more than some such pieces are held at a time.
        cut: `body` is not complete.

    Raises:
        UndecodableError: it is neither of a coding known here nor text.
    """
    names = [name for name in map(_known, reversed(declared)) if name is not None]
    packed = bool(names)
    for _ in range(MOST_CODINGS):
        candidates = list(dict.fromkeys(filter(None, (_by_magic(body), *names[:1]))))
        if not (body and candidates):
            break
        found = _first(candidates, body, limit)
        if found is None:
            if _is_text(body):
                return body, cut
            if not names and candidates == ["deflate"]:  # two bytes are a weak mark
                break
            raise ContentCodingError(f"the body cannot be decompressed ({', '.join(candidates)})")
        name, body, more = found
        packed, cut = True, cut or more
        if name in names[:1]:
            names.pop(0)
    if body and not packed and not cut and not _is_text(body):
        return _guessed(body, limit)
    return body, cut


def _first(names: Sequence[str], body: bytes, limit: int) -> tuple[str, bytes, bool] | None:
    """The first of these codings the bytes are of, and what it gives."""
    for name in names:
        try:
            return name, *_CODINGS[name](body, limit)
        except _NotPackedError:
            continue
    return None


def _known(name: str) -> str | None:
    """The coding of a name in a header; None for what changes nothing (`identity`, `utf-8`)."""
    name = name.strip().lower().removeprefix("x-")
    return name if name in _CODINGS else {"brotli": "br", "zlib": "deflate", "zstandard": "zstd"}.get(name)


def _by_magic(body: bytes) -> str | None:
    if body.startswith(_GZIP):
        return "gzip"
    if body.startswith(_ZSTD) or (body[1:4] == _ZSTD_SKIPPABLE and body[:1] >= b"\x50" and body[:1] <= b"\x5f"):
        return "zstd"
    if len(body) > 2 and body[0] == 0x78 and int.from_bytes(body[:2], "big") % 31 == 0:
        return "deflate"
    return None


def _guessed(body: bytes, limit: int) -> tuple[bytes, bool]:
    """Neither br nor raw deflate has a mark: what is no text, and becomes text by one of them, was packed by it."""
    found = _first(("br", "deflate"), body, limit)
    if found is not None and found[1] and _is_text(found[1]):
        return found[1:]
    return body, False


def _is_text(body: bytes) -> bool:
    start = body[:_TEXT_LOOKED_AT].rstrip(b"\0")
    if start.startswith(_UTF_16_OR_32):
        return True
    if _CONTROL.search(start) is not None:
        return False
    if start.isascii():
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:  # of another encoding, where most of it is ASCII
        return sum(byte < 0x80 for byte in start) * 4 >= len(start) * 3
    return True


# ---- codings --------------------------------------------------------------------------------------------------------


def _inflate(body: bytes, limit: int, bits: int) -> tuple[bytes, bytes, bool]:
    """The output, what stands behind the stream, and whether there is more output."""
    stream = zlib.decompressobj(bits)
    try:
        output = stream.decompress(body, limit + 1)
    except zlib.error:
        raise _NotPackedError from None
    if len(output) > limit:
        return output[:limit], b"", True
    if not stream.eof:
        raise _NotPackedError
    return output, stream.unused_data, False


def _gzip(body: bytes, limit: int) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    room = limit
    for _ in range(MOST_MEMBERS):
        try:
            output, body, more = _inflate(body, room, 31)
        except _NotPackedError:
            if not pieces:
                raise
            break
        pieces.append(output)
        room -= len(output)
        if more or not body.startswith(_GZIP):  # what stands behind the last member is padding
            return b"".join(pieces), more
    raise _NotPackedError


def _deflate(body: bytes, limit: int) -> tuple[bytes, bool]:
    """With the header of zlib, as the standard says, or without, as many servers do."""
    try:
        output, _, more = _inflate(body, limit, 15)
    except _NotPackedError:
        output, _, more = _inflate(body, limit, -15)
    return output, more


def _into(unpack: Callable[[bytes, bytearray], int], body: bytes, limit: int) -> tuple[bytes, bool]:
    """By a function that writes into a buffer and fails where that is too small: nothing larger is ever held."""
    for size in dict.fromkeys((min(FIRST_BUFFER, limit + 1), limit + 1)):
        buffer = bytearray(size)
        try:
            written = unpack(body, buffer)
        except cramjam.DecompressionError as error:
            if _OVERFLOW not in str(error):
                raise _NotPackedError from None
            written = size
            if size <= limit:
                continue
        return bytes(buffer[: min(written, limit)]), written > limit
    raise AssertionError("the last buffer holds more than the limit")


def _brotli(body: bytes, limit: int) -> tuple[bytes, bool]:
    if not body or body[0] & 0x7F == 0x11:  # a window beyond 16 MiB, which is no coding of HTTP (RFC 7932, 9.1)
        raise _NotPackedError
    return _into(cramjam.brotli.decompress_into, body, limit)


def _zstd(body: bytes, limit: int) -> tuple[bytes, bool]:
    return _into(cramjam.zstd.decompress_into, _zstd_frames(body, max(ZSTD_WINDOW, limit)), limit)


def _zstd_frames(body: bytes, window: int) -> bytes:
    """The frames of `body` without what stands behind them. Raises _NotPackedError where one asks for more memory than
    `window` (RFC 8878, 3.1.1): the library would take it.
    """
    at = blocks = 0
    while at + 4 <= len(body):
        if body[at + 1 : at + 4] == _ZSTD_SKIPPABLE and 0x50 <= body[at] <= 0x5F:
            at += 8 + int.from_bytes(body[at + 4 : at + 8], "little")
            blocks += 1
            if blocks > MOST_ZSTD_BLOCKS:
                raise _NotPackedError
            continue
        if body[at : at + 4] != _ZSTD:
            break
        start, checksum = _zstd_header(body, at + 4, window)
        while True:
            header = int.from_bytes(body[start : start + 3], "little")
            blocks += 1
            start += 3 + (1 if header >> 1 & 3 == 1 else header >> 3)
            if start > len(body) or blocks > MOST_ZSTD_BLOCKS:
                raise _NotPackedError
            if header & 1:
                break
        at = start + checksum
    if not 0 < at <= len(body):
        raise _NotPackedError
    return body[:at]


def _zstd_header(body: bytes, at: int, most: int) -> tuple[int, int]:
    """Where the blocks of a frame begin, and the size of its checksum."""
    if at >= len(body):
        raise _NotPackedError
    descriptor = body[at]
    single = descriptor >> 5 & 1
    size_bytes = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = at + 1 + (1 - single) + dictionary
    if single:
        window = int.from_bytes(body[content : content + size_bytes], "little") + (256 if size_bytes == 2 else 0)
    else:
        exponent, mantissa = divmod(body[at + 1] if at + 1 < len(body) else 0xFF, 8)
        window = (1 << 10 + exponent) // 8 * (8 + mantissa)
    if window > most:
        raise _NotPackedError
    return content + size_bytes, 4 if descriptor & 4 else 0


_CODINGS: Final[dict[str, Unpack]] = {"gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
