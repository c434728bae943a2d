"""Which addresses a request may go to: not into private networks, unless the definition allows it.

A definition's host is a name whose owner decides what it resolves to; without this check that owner could have the
connector post messages and credentials to the metadata service of its cloud or to a neighbour's port.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.resolver import DefaultResolver

from connector.definition.addresses import is_public, literal


class PrivateAddressError(OSError):
    """A host is, or resolves to, an address outside the public internet."""


def refuse_private_literal(host: str) -> None:
    """Raise PrivateAddressError when `host` is written as an address that is not public, or as none that is sure."""
    try:
        address = literal(host)
    except ValueError:
        raise PrivateAddressError(f"{host} is no address in its usual form") from None
    if address is not None and not is_public(address):
        raise PrivateAddressError(f"{host} is a private address")


def public_socket(info: AddrInfoType) -> socket.socket:
    """A socket for the address that is connected to next, whoever resolved or parsed it.

    Raises:
        PrivateAddressError: it is not public.
    """
    family, kind, protocol, _, address = info
    host = str(address[0])
    try:
        public = is_public(ip_address(host.partition("%")[0]))
    except ValueError:
        public = False  # `127.1`: the system would read it
    if not public:
        raise PrivateAddressError(f"{host} is a private address")
    return socket.socket(family, kind, protocol)


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only. Sits below the DNS cache, so that what is connected to was looked at.

    Args:
        exempt: a host that may be private: the proxy, which the operator has chosen.
    """

    def __init__(self, exempt: str | None = None) -> None:
        self._resolver = DefaultResolver()
        self._exempt = exempt

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of `host`.

        Raises:
            PrivateAddressError: one of its addresses is private: the name is not to be trusted.
        """
        results = await self._resolver.resolve(host, port, family)
        if host != self._exempt:
            for result in results:
                if not is_public(ip_address(result["host"].partition("%")[0])):
                    raise PrivateAddressError(f"{host} resolves to a private address")
        return results

    async def close(self) -> None:
        """Close the resolver below."""
        await self._resolver.close()
