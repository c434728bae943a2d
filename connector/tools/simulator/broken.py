"""Replies that say 200 and break the rules of HTTP after that: what they said can never be read."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Final


def _head(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", "Content-Type: application/json", *lines)).encode()


def _packed(body: bytes) -> bytes:
    packed = gzip.compress(body)
    packed = packed[: len(packed) // 2]
    return _head(f"Content-Length: {len(packed)}", "Content-Encoding: gzip") + b"\r\n" + packed


BROKEN: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "status": lambda _body: b"HTTP/1.1 200",
    "header": lambda _body: _head()[:-10],
    "headers": lambda body: _head(f"Content-Length: {len(body)}") + b"\r\n",
    "body": lambda body: _head(f"Content-Length: {len(body)}") + b"\r\n" + body[: len(body) // 2],
    "lengths": lambda body: _head(f"Content-Length: {len(body)}", "Content-Length: 7") + b"\r\n" + body,
    "chunk": lambda body: (
        _head("Transfer-Encoding: chunked") + b"\r\n" + b"5\r\n" + body[:5] + b"\r\nzz\r\n" + body[5:]
    ),
    "chunks": lambda body: _head("Transfer-Encoding: chunked") + b"\r\n%x\r\n%s\r\n" % (len(body), body),
    "gzip": _packed,
}
"""Where it breaks → the bytes for a body; the connection is closed behind them."""
