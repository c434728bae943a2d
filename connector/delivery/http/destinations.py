"""Where requests go: what is the same for all URLs of one scheme, host and port is found out once.

aiohttp takes a connection for a `ClientRequest`. One stands for all requests of a destination; it is never written.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict
from yarl import URL

from connector.delivery.http.private_networks import refuse_private_literal
from connector.delivery.http.request_head import ACCEPT_ENCODING, USER_AGENT, RequestHeads

MOST_KEPT: Final = 64
"""Destinations of one provider that are remembered. A host may come from a message, so there may be any number."""

SCHEMES: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True, eq=False)
class Destination:
    """One scheme, host and port, reached by one proxy or by none.

    Attributes:
        host: its name or address, for people.
        opening: what aiohttp opens connections by.
        key: what aiohttp keeps connections by.
        heads: makes the heads of its requests.
        target_prefix: what stands before the path in a request line; empty unless a proxy gets the request as it is.
    """

    host: str
    opening: aiohttp.ClientRequest
    key: ConnectionKey
    heads: RequestHeads
    target_prefix: str


class Destinations:
    """Finds the destination in a URL.

    Args:
        proxy: of all requests.
        private_hosts: addresses that are not public may be written in URLs.
    """

    def __init__(self, proxy: URL | None, *, private_hosts: bool) -> None:
        self._proxy = proxy
        self._private_hosts = private_hosts
        self._known: dict[str, Destination] = {}

    def find(self, url: str) -> tuple[Destination, str]:
        """The destination of an encoded URL, and what stands in the request line for it.

        Raises:
            aiohttp.InvalidURL: this is no URL of HTTP.
            ValueError: nor can it be read.
            PrivateAddressError: it is an address that requests must not go to.
        """
        slash = url.find("/", 8)  # behind that of https://
        known = self._known.get(url[:slash]) if slash > 0 else None
        # What is rare is left to yarl: fragments, and what must not be written.
        if known is not None and "#" not in url and url.isprintable() and url[-1] != "?":
            return known, known.target_prefix + url[slash:]
        parsed = URL(url, encoded=True)
        destination = self._find(parsed)
        return destination, destination.target_prefix + parsed.raw_path_qs

    def _find(self, url: URL) -> Destination:
        if url.scheme not in SCHEMES or not url.raw_host:
            raise aiohttp.InvalidURL(url)
        if not self._private_hosts:
            refuse_private_literal(url.host or "")
        origin = f"{url.scheme}://{url.raw_authority}"
        destination = self._known.get(origin)
        if destination is None:
            destination = self._make(url)
            if len(self._known) >= MOST_KEPT:
                self._known.clear()
            self._known[origin] = destination
        return destination

    def _make(self, url: URL) -> Destination:
        bare = URL(f"{url.scheme}://{url.raw_authority}/", encoded=True).with_user(None)
        authority = bare.host_port_subcomponent
        assert authority is not None, "it has a host"
        proxy_headers = None
        if self._proxy is not None:
            # aiohttp writes Host into these when it connects, and keeps connections by what is in them.
            said = {hdrs.USER_AGENT: USER_AGENT, hdrs.ACCEPT_ENCODING: ACCEPT_ENCODING, hdrs.HOST: authority}
            proxy_headers = CIMultiDict(said)
        opening = aiohttp.ClientRequest(
            hdrs.METH_GET, bare, loop=asyncio.get_running_loop(), proxy=self._proxy, proxy_headers=proxy_headers
        )
        as_it_is = self._proxy is not None and not opening.is_ssl()
        return Destination(
            host=bare.host or "",
            opening=opening,
            key=opening.connection_key,
            heads=RequestHeads(
                authority,
                _authorization(url),
                _authorization(self._proxy) if self._proxy is not None and as_it_is else None,
            ),
            target_prefix=str(bare).removesuffix("/") if as_it_is else "",
        )


def _authorization(url: URL) -> str | None:
    """What a URL's user and password are as a header."""
    if url.raw_user is None and url.raw_password is None:
        return None
    asked = aiohttp.ClientRequest(hdrs.METH_GET, url, loop=asyncio.get_running_loop())
    return asked.headers[hdrs.AUTHORIZATION]
