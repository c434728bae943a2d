"""Replies that say 200 and cost whoever reads them: bounded in size, as any reply is, and not in work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

SIZE: Final = 4_000_000
"""Bytes: just below what a client takes by default."""


def _list(entry: bytes) -> bytes:
    return b'{"batch":"b1","results":[' + b",".join([entry] * (SIZE // (len(entry) + 1))) + b"]}"


COSTLY: Final[Mapping[str, Callable[[], bytes]]] = {
    "entries": lambda: _list(b'{"uid":"nobody","code":"nothing"}'),
    "lists": lambda: _list(b"[]"),
    "deep": lambda: _list(b"[" * 900 + b"]" * 900),
    "too-deep": lambda: b'{"results":' + b"[" * (SIZE // 2) + b"]" * (SIZE // 2) + b"}",
    "floats": lambda: _list(b"1e300"),
    "digits": lambda: _list(b'{"id":' + b"7" * 4000 + b"}"),
    "names": lambda: b'{"results":[{' + b",".join([b'"k%d":1' % number for number in range(SIZE // 12)]) + b"}]}",
    "regex": lambda: b"a" * 50_000 + b"!",
}
"""What makes it costly → the body. `regex` is for `^(a+)+$`, which takes an engine that tries out for ever."""


@cache
def costly(name: str) -> bytes:
    """The body, made once."""
    return COSTLY[name]()
