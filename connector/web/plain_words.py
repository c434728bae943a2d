"""Words of others, as a page may show them: what providers and events say is hostile text. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from connector.masking import mask_number, mask_phone

MOST_CHARACTERS = 256
SHOWN_OF_HASH = 8

# Other, control; format (bidi overrides and isolates, zero width); surrogates; private use; unassigned; line and
# paragraph separators.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain_words(text: str | None, *, most: int = MOST_CHARACTERS) -> str | None:
    """A text in which nothing is invisible, changes the direction of others, or looks like a phone number."""
    if text is None:
        return None
    return escaped(mask_phone(text[: 4 * most]))[:most]


def plain_id(text: str | None, *, most: int = MOST_CHARACTERS) -> str | None:
    """An id: its digits are no phone number, and without them it leads nowhere."""
    return None if text is None else escaped(text[: 4 * most])[:most]


def escaped(text: str) -> str:
    """Characters that do not show, as what they are written with."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if unicodedata.category(character) not in HIDDEN else f"\\u{ord(character):04x}" for character in text
    )


def plain_json(value: Any) -> bytes:
    """A document as JSON in which no text, whoever wrote it, holds what does not show; but for ends of lines."""
    data = msgspec.json.encode(value)
    if b"\\" in data:
        data = _ESCAPE.sub(_visible, data)
    plain = data.isascii() and b"\x7f" not in data
    return data if plain else data.decode().translate(_VISIBLE).encode()


_SHORT = {b"b": 0x08, b"f": 0x0C, b"r": 0x0D}
_ESCAPE = re.compile(rb"\\(?:u([0-9a-f]{4})|(.))")


def _visible(escape: re.Match[bytes]) -> bytes:
    """An escape of JSON for a character that does not show, escaped once more."""
    code, short = escape.groups()
    if code is None and short not in _SHORT:
        return escape.group()
    return b"\\\\u%04x" % (int(code, 16) if code else _SHORT[short])


class _Visible(dict[int, int | str]):
    """What stands for each character; found out when it is met first."""

    def __missing__(self, code: int) -> int | str:
        self[code] = found = code if unicodedata.category(chr(code)) not in HIDDEN else f"\\\\u{code:04x}"
        return found


_VISIBLE = _Visible()


def plain_number(text: str | None) -> str | None:
    """A recipient: the last two digits of a number; the beginning of a hash."""
    if text is None:
        return None
    if len(text) == 64 and all(character in "0123456789abcdef" for character in text):
        return f"{text[:SHOWN_OF_HASH]}…"
    return mask_number(escaped(text)[:32])


def span(seconds: float) -> str:
    """A span of time as people say it: `45 s`, `16 min`, `3 h 52 min`, `2 d`."""
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} d"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
