"""Which addresses are public, whatever Python and aiohttp think of them."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.addresses import CARRIERS, SPECIAL_IPV4, SPECIAL_IPV6, is_public, literal

# Every row of the two registries that the module names but those of forms that carry an IPv4 address, and what other
# documents set apart.
EVERY_SPECIAL_RANGE = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 ::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128
2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28
2001:db8::/32 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
"""


@pytest.mark.parametrize("written", EVERY_SPECIAL_RANGE.split())
def test_no_address_of_a_special_range_is_public(written: str) -> None:
    network = ip_network(written)
    for place in (0, 1, network.num_addresses // 2, network.num_addresses - 1):
        if place < network.num_addresses:
            address = network[place]
            assert not is_public(address)
            if isinstance(address, IPv4Address):
                for carrier in carriers(address):
                    assert not is_public(carrier)


def test_forms_of_ipv6_that_carry_an_address_are_judged_by_it() -> None:
    assert {network for network, _, _, _ in CARRIERS} == {"::ffff:0:0/96", "64:ff9b::/96", "2002::/16"}


def test_the_tables_hold_networks_with_a_name_and_a_source() -> None:
    for network, name, source in (*SPECIAL_IPV4, *SPECIAL_IPV6):
        ip_network(network)
        assert name
        assert source.startswith("RFC ")


def carriers(address: IPv4Address) -> list[IPv6Address]:
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(number),
        IPv6Address(0xFFFF << 48 | number),
    ]


@pytest.mark.parametrize(
    "written",
    [
        "8.8.8.8", "1.1.1.1", "172.32.0.1", "172.15.255.255", "100.63.255.255", "198.20.0.0", "192.0.1.0", "223.0.0.1",
        "2600::1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
    ],
)  # fmt: skip
def test_other_addresses_are_public(written: str) -> None:
    assert is_public(ip_address(written))


@given(st.ip_addresses(v=6).filter(lambda address: address not in IPv6Network("2000::/3")))
def test_of_ipv6_only_what_is_assigned_to_the_internet_is_public(address: IPv6Address) -> None:
    carried = address in IPv6Network("::ffff:0:0/96") or address in IPv6Network("64:ff9b::/96")
    assert carried or not is_public(address)


@given(st.ip_addresses(v=4), st.integers(1, 4), st.lists(st.sampled_from("dox"), min_size=4, max_size=4))
def test_every_way_to_write_an_address_is_that_address(address: IPv4Address, count: int, notations: list[str]) -> None:
    octets = list(address.packed)
    numbers = [*octets[: count - 1], int.from_bytes(bytes(octets[count - 1 :]), "big")]
    form = {"d": str, "o": lambda number: f"0{number:o}", "x": lambda number: f"0x{number:X}"}
    written = ".".join(form[notation](number) for number, notation in zip(numbers, notations, strict=False))
    assert literal(written) == literal(f"{written}.") == address


@pytest.mark.parametrize(
    "name", ["example.com", "localhost", "1.example", "a.b.c.d", "0x", "127.0.0.1.example.com", "x1"]
)
def test_names_are_no_addresses(name: str) -> None:
    assert literal(name) in (None, IPv4Address(0))


@pytest.mark.parametrize(
    "written",
    ["256.1.1.1", "1.2.3.4.5", "089", "1.2.3.256", "4294967296", "a.1", "1..2", "[::g]", "0" * 99 + "1", "1.-2.3"],
)
def test_what_is_neither_a_name_nor_an_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"address|octet|literal|permitted|character"):
        assert literal(written) is not None
