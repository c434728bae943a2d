"""What SMS gateways know about numbers and texts, as far as the fakes show it."""

from __future__ import annotations

import re

INTERNATIONAL = re.compile(r"[1-9][0-9]{6,14}")
"""Country code and number, digits only."""

E164 = re.compile(r"\+?[1-9][0-9]{6,14}")
"""The same with or without the leading plus sign."""

INDIAN = re.compile(r"(?:91)?[6-9][0-9]{9}")
"""Ten digits, or 91 before them, without a plus sign: what Indian gateways take."""

# 3GPP TS 23.038: the basic character table, and the extension table whose characters count twice.
_ESCAPE = 0x1B
_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_BASIC = frozenset(_TABLE) - {"\x1b"}
_EXTENDED = frozenset(_EXTENSION.values())


def split_parts(text: str) -> list[str]:
    """The parts a text is sent in: 160 or 153 septets, or 70 or 67 UTF-16 units.

    Where an extension character or a surrogate pair would straddle a cut, the true number may be one higher.
    """
    if all(character in _BASIC or character in _EXTENDED for character in text):
        whole, single, part = sum(2 if character in _EXTENDED else 1 for character in text), 160, 153
    else:
        whole, single, part = len(text.encode("utf-16-le")) // 2, 70, 67
    if whole <= single:
        return [text]
    count = -(-whole // part)
    size = -(-len(text) // count)
    return [text[start : start + size] for start in range(0, len(text), size)]


def from_septets(octets: bytes) -> str:
    """The text of septets that stand in an octet each. Raises ValueError where one is none of the alphabet's."""
    text, septets = [], iter(octets)
    for septet in septets:
        if septet == _ESCAPE:
            escaped = next(septets, _ESCAPE)
            if escaped not in _EXTENSION:
                raise ValueError(f"0x1b{escaped:02x} is no character")
            text.append(_EXTENSION[escaped])
        elif septet >= len(_TABLE):
            raise ValueError(f"0x{septet:02x} is no septet")
        else:
            text.append(_TABLE[septet])
    return "".join(text)


def first_parts(text: str, count: int, *, seven_bit: bool, joined: bool) -> str:
    """What of a text fits `count` SMS that are filled one after the other; a longer text loses its end.

    Parts that a phone joins (`joined`) carry a header: they hold 153 septets or 67 units, not 160 or 70. In the GSM
    alphabet (`seven_bit`) what it does not have becomes a question mark.
    """
    whole, part = (160, 153) if seven_bit else (70, 67)
    size = part if joined else whole
    if not seven_bit:
        units = text.encode("utf-16-be")
        return text if len(units) <= 2 * whole else units[: 2 * size * count].decode("utf-16-be", "replace")
    text = "".join(character if character in _BASIC or character in _EXTENDED else "?" for character in text)
    widths = [2 if character in _EXTENDED else 1 for character in text]
    if sum(widths) <= whole:
        return text
    room, end = size, 0
    for width in widths:
        if width > room:
            count, room = count - 1, size
        if not count:
            break
        room, end = room - width, end + 1
    return text[:end]


def national(phone: str, country: str = "91") -> str:
    """With a trunk zero and without the country code: `+919812345678` → `09812345678`."""
    return "0" + digits(phone).removeprefix(country).lstrip("0")


def digits(phone: object) -> str:
    """The digits of a phone number, however it is written."""
    return "".join(filter(str.isdecimal, str(phone)))
