"""Which addresses a request may go to: not into private networks, unless the definition allows it.

A definition's host is a name whose owner decides what it resolves to; without this check that owner could have the
connector post messages and credentials to the metadata service of its cloud or to a neighbour's port.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address stands in the last 32 bits


class PrivateAddressError(OSError):
    """A host is, or resolves to, an address outside the public internet."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """False for loopback, private, link-local (and so metadata), unique local, shared, reserved and multicast ranges.

    IPv6 addresses that stand for an IPv4 address are judged by that.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def refuse_private_literal(host: str) -> None:
    """Raise PrivateAddressError when `host` is written as an address that is not public."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return  # a name: its addresses are looked at when it is resolved
    if not is_public(address):
        raise PrivateAddressError(f"{host} is a private address")


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
