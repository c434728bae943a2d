"""Which addresses are on the public internet: by a table of our own, because that of Python differs from release to
release, and in how a host may be written as one. Pure.

From two registries, row by row: the "IANA IPv4 Special-Purpose Address Registry" and the "IANA IPv6 Special-Purpose
Address Registry", both as updated on 2025-10-09 (https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry); with what they leave to other documents: multicast, and
forms of IPv6 that once carried IPv4. All of them are refused, also those the registries call globally reachable: they
are services of the network (anycast relays, AS112), and no provider's API is there.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address

SPECIAL_IPV4: Final = (
    ("0.0.0.0/8", "this network", "RFC 791"),
    ("10.0.0.0/8", "private use", "RFC 1918"),
    ("100.64.0.0/10", "shared address space", "RFC 6598"),
    ("127.0.0.0/8", "loopback", "RFC 1122"),
    ("169.254.0.0/16", "link local, metadata services of clouds", "RFC 3927"),
    ("172.16.0.0/12", "private use", "RFC 1918"),
    ("192.0.0.0/24", "IETF protocol assignments", "RFC 6890"),
    ("192.0.2.0/24", "documentation", "RFC 5737"),
    ("192.31.196.0/24", "AS112", "RFC 7535"),
    ("192.52.193.0/24", "AMT", "RFC 7450"),
    ("192.88.99.0/24", "6to4 relays", "RFC 7526"),
    ("192.168.0.0/16", "private use", "RFC 1918"),
    ("192.175.48.0/24", "AS112", "RFC 7534"),
    ("198.18.0.0/15", "benchmarking", "RFC 2544"),
    ("198.51.100.0/24", "documentation", "RFC 5737"),
    ("203.0.113.0/24", "documentation", "RFC 5737"),
    ("224.0.0.0/4", "multicast", "RFC 5771"),
    ("240.0.0.0/4", "reserved", "RFC 1112"),
    ("255.255.255.255/32", "limited broadcast", "RFC 8190"),
)

SPECIAL_IPV6: Final = (
    ("::/128", "unspecified", "RFC 4291"),
    ("::1/128", "loopback", "RFC 4291"),
    ("::/96", "IPv4-compatible", "RFC 4291"),
    ("::ffff:0:0:0/96", "IPv4-translated", "RFC 2765"),
    ("64:ff9b:1::/48", "IPv4-IPv6 translation, local use", "RFC 8215"),
    ("100::/64", "discard only", "RFC 6666"),
    ("100:0:0:1::/64", "dummy prefix", "RFC 9780"),
    ("2001::/23", "IETF protocol assignments", "RFC 2928"),
    ("2001::/32", "Teredo", "RFC 4380"),
    ("2001:1::1/128", "port control protocol", "RFC 7723"),
    ("2001:1::2/128", "TURN", "RFC 8155"),
    ("2001:1::3/128", "DNS-SD service registration", "RFC 9665"),
    ("2001:2::/48", "benchmarking", "RFC 5180"),
    ("2001:3::/32", "AMT", "RFC 7450"),
    ("2001:4:112::/48", "AS112", "RFC 7535"),
    ("2001:10::/28", "ORCHID, deprecated", "RFC 4843"),
    ("2001:20::/28", "ORCHIDv2", "RFC 7343"),
    ("2001:30::/28", "drone remote identification", "RFC 9374"),
    ("2001:db8::/32", "documentation", "RFC 3849"),
    ("2620:4f:8000::/48", "AS112", "RFC 7534"),
    ("3fff::/20", "documentation", "RFC 9637"),
    ("5f00::/16", "segment routing", "RFC 9602"),
    ("fc00::/7", "unique local", "RFC 4193"),
    ("fe80::/10", "link local", "RFC 4291"),
    ("fec0::/10", "site local, deprecated", "RFC 3879"),
    ("ff00::/8", "multicast", "RFC 4291"),
)

CARRIERS: Final = (
    ("::ffff:0:0/96", 0, "IPv4-mapped", "RFC 4291"),
    ("64:ff9b::/96", 0, "IPv4-IPv6 translation", "RFC 6052"),
    ("2002::/16", 80, "6to4", "RFC 3056"),
)
"""Forms of IPv6 that stand for an IPv4 address, and the bits behind it: it is judged in their place."""

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that is assigned to the internet. What lies outside and is not in a table is nowhere yet."""

_IPV4: Final = tuple(IPv4Network(network) for network, _, _ in SPECIAL_IPV4)
_IPV6: Final = tuple(IPv6Network(network) for network, _, _ in SPECIAL_IPV6)
_CARRIERS: Final = tuple((IPv6Network(network), shift) for network, shift, _, _ in CARRIERS)
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+", re.ASCII)


def is_public(address: Address) -> bool:
    """Whether `address` is in no range of the tables above."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4)
    for network, shift in _CARRIERS:
        if address in network:
            return is_public(IPv4Address(int(address) >> shift & 0xFFFFFFFF))
    return address in GLOBAL_UNICAST and not any(address in network for network in _IPV6)


def literal(host: str) -> Address | None:
    """The address that `host` writes; None for a name.

    Numbers as the C library takes them are addresses as well: `127.1`, `2130706433`, `0177.0.0.1`, `0x7f.1`, `0`.

    Raises ValueError: it looks like one, and is none: what somebody's resolver makes of it is not known.
    """
    host = host.strip("[]").partition("%")[0].removesuffix(".")
    if ":" in host:
        return IPv6Address(host)
    parts = host.split(".")
    if (
        _NUMBER.fullmatch(parts[-1]) is None
    ):  # as browsers tell them apart (URL standard, 3.5): no name ends in a number
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError(f"{host} is no address")
    numbers = [_number(part) for part in parts]
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(numbers)):
        raise ValueError(f"{host} is no address")
    return IPv4Address(sum(number << 8 * (3 - place) for place, number in enumerate(first)) + last)


def _number(text: str) -> int:
    """In the C library's notation. An 8 or 9 after a leading zero is what some read as decimal: refused."""
    if len(text) > 32:  # the longest a way of writing 32 bits needs, and ample zeros
        raise ValueError("a number is too long for an address")
    if text[:2] in {"0x", "0X"}:
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") else int(text)
