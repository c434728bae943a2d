"""What is looked at before any endpoint: the host, where the request comes from, who asks, and what they may do. Pure.

The host, because a page elsewhere may have its own name lead to this address (DNS rebinding), and is then of the same
origin for the browser. Where a request comes from, because a browser sends what it knows of the person with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from multidict import CIMultiDictProxy

from connector.settings.web import Web
from connector.web.problems import HttpProblemError

Headers = CIMultiDictProxy[str]

MARK = "X-Console"
"""A header that forms and links of other pages cannot send."""

OF_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
OWN = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of our own pages, and of what a person typed."""


class HostNames:
    """The names by which the console may be reached.

    Args:
        names: without port.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    @classmethod
    def of(cls, settings: Web) -> HostNames:
        """Those of this machine, and those of the settings."""
        own = [] if settings.host in {"", "0.0.0.0", "::"} else [_bracketed(settings.host)]  # noqa: S104  compared only
        return cls([*OF_THIS_MACHINE, *own, *settings.hosts])

    def check(self, headers: Headers) -> None:
        """Raises HttpProblemError where the request is for another name."""
        given = headers.getall("Host", [])
        if len(given) != 1 or host_name(given[0]) not in self._names:
            raise HttpProblemError(421, "the console does not answer under this name: add it to web.hosts")


def host_name(host: str) -> str:
    """A Host header without its port."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal() or (host.startswith("[") and not name.endswith("]")):
        name = host
    return name.lower().rstrip(".")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def check_reading(headers: Headers) -> None:
    """Nothing is told to scripts, frames and images of other pages. Raises HttpProblemError."""
    if headers.get("Sec-Fetch-Site", "none") not in OWN:
        raise HttpProblemError(403, "asked by another page")


def check_changing(headers: Headers, *, bearer: bool) -> None:
    """Only the console's own pages change anything, or who shows a token with each request. Raises HttpProblemError."""
    if bearer:
        return
    if headers.get(MARK) != "1":
        raise HttpProblemError(403, f"the header {MARK}: 1 is missing")
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        if site != "same-origin":
            raise HttpProblemError(403, "asked by another page")
        return
    try:
        origin = urlsplit(headers.get("Origin", ""))
    except ValueError:  # such as `http://[`
        raise HttpProblemError(403, "asked by another page: its Origin is none") from None
    if origin.scheme not in {"http", "https"} or origin.netloc.lower() != headers.get("Host", "").lower():
        raise HttpProblemError(403, "asked by another page, or by none: a browser sends Sec-Fetch-Site or Origin")


def check_json(headers: Headers, *, length: int | None) -> None:
    """A form of another page can send three types without asking; JSON is none of them. Raises HttpProblemError."""
    if length and headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpProblemError(415, "write Content-Type: application/json")
