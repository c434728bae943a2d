"""The head of a request, as bytes: byte for byte what aiohttp writes, but most of it is made once. Pure.

What could change the meaning of a request, or smuggle a second one into it, is refused before anything is written.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from multidict import CIMultiDict

from connector import __version__

USER_AGENT: Final = f"kafka-sms-connector/{__version__}"

ACCEPT_ENCODING: Final = "gzip, deflate"
"""Said aloud: a provider that is told nothing may pack as it likes. What else comes is read as well."""

WITHOUT_LENGTH: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods whose requests say no length where they have no body."""

MOST_KEPT: Final = 16
"""Blocks of headers that are kept: those of the operations, not those of single messages."""

Headers = tuple[tuple[str, str], ...]

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")


class HeadError(ValueError):
    """A request that must not be written: with a control character, or with headers that contradict each other."""


class RequestHead(NamedTuple):
    """What goes before the body.

    Attributes:
        expects: the body is to wait for `100 Continue`.
    """

    written: bytes
    expects: bool


class RequestHeads:
    """Heads of requests of one destination.

    Args:
        authority: host and port, for `Host`.
        authorization: of the user that the URL names; None where it names none.
        proxy_authorization: of the proxy that gets these requests as they are; None where there is none.
    """

    def __init__(
        self, authority: str, authorization: str | None = None, proxy_authorization: str | None = None
    ) -> None:
        self._authority = authority
        self._authorization = authorization
        self._proxy_authorization = proxy_authorization
        self._kept: dict[Headers, _HeaderBlock] = {}

    def head(self, method: str, target: str, headers: Headers, body: bytes) -> RequestHead:
        """Request line and headers, with the empty line that ends them.

        Raises:
            HeadError: see there.
        """
        block = self._kept.get(headers)
        if block is None:
            block = _HeaderBlock(self._authority, self._authorization, self._proxy_authorization, headers)
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[headers] = block
        if not target.isprintable() and _CONTROL.search(target) is not None:
            raise HeadError("a control character in the URL")
        if _TOKEN.fullmatch(method) is None:
            raise HeadError("the method is no word")
        line = _encoded(f"{method} {target} HTTP/1.1\r\n")
        if not body and method in WITHOUT_LENGTH:
            return RequestHead(line + block.start + block.end, block.expects)
        length = block.length_of(body)
        return RequestHead(b"%b%bContent-Length: %d\r\n%b" % (line, block.start, length, block.end), block.expects)


class _HeaderBlock:
    """All headers but the length: what goes before it, and behind.

    Attributes:
        expects: the body is to wait for `100 Continue`.
    """

    __slots__ = ("_lengths", "end", "expects", "start")

    def __init__(self, authority: str, authorization: str | None, proxied: str | None, headers: Headers) -> None:
        named = _with_defaults(headers)
        if "Transfer-Encoding" in named:
            raise HeadError("bodies are sent with their length")
        self._lengths = set(named.popall("Content-Length", []))
        if authorization is not None:
            if "Authorization" in named:
                raise HeadError("the URL names a user, and a header authorizes another one")
            named["Authorization"] = authorization
        if proxied is not None:
            named.popall("Proxy-Authorization", None)
        hosts = named.popall("Host", [])
        host = "Host", hosts[-1] if hosts else authority
        self.expects = named.get("Expect", "").lower() == "100-continue"
        self.start = _lines([host, *named.items()])
        self.end = _lines([] if proxied is None else [("Proxy-Authorization", proxied)]) + b"\r\n"

    def length_of(self, body: bytes) -> int:
        """Raises HeadError where a header says another length."""
        if self._lengths and self._lengths != {str(len(body))}:
            raise HeadError("a header says another length than the body has")
        return len(body)


def _with_defaults(headers: Headers) -> CIMultiDict[str]:
    """A header takes the place of its default, and stands more than once where it is given so."""
    named = CIMultiDict({"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING})
    given: set[str] = set()
    for name, value in headers:
        if name in given:
            named.add(name, value)
        else:
            named[name] = value
            given.add(name)
    named.setdefault("Accept", "*/*")
    return named


def _lines(headers: list[tuple[str, str]]) -> bytes:
    for name, value in headers:
        if _CONTROL.search(name) is not None or _CONTROL.search(value) is not None:
            raise HeadError("a control character in a header")
    return _encoded("".join(f"{name}: {value}\r\n" for name, value in headers))


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise HeadError("half a character, which UTF-8 has no bytes for") from None
