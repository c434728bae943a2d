"""Texts as bytes in the charsets that providers ask for. What a charset cannot hold is never replaced by another
character: the message is invalid, and told at which character.

GSM 03.38 is written one byte a character (unpacked), as HTTP APIs take it. Source: 3GPP TS 23.038, 6.2.1.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

from connector.definition.gsm import BASIC, EXTENSION
from connector.errors import MessageError

_ASCII: Final = "".join(map(chr, range(128)))
_ESCAPE: Final = b"\x1b"
_GSM: Final = {
    **{char: bytes([code + (code > 26)]) for code, char in enumerate(BASIC)},  # 27 is the escape
    **{
        char: _ESCAPE + bytes([code])
        for char, code in zip(EXTENSION, b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", strict=True)
    },
}
_gsm_name = re.compile(r"gsm[-_ ]?(0?3[-_. ]?38|7)?", re.IGNORECASE).fullmatch

# Codecs that are no charsets of a text, and those of which nobody can say which bytes they write.
_NONE: Final = {
    "utf-16": "write 'utf-16-be' or 'utf-16-le'",
    "utf-32": "write 'utf-32-be' or 'utf-32-le'",
    "utf-8-sig": "write 'utf-8'",
    **dict.fromkeys(("utf-7", "idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"), ""),
    **dict.fromkeys(("mbcs", "oem"), ""),
}
KNOWN: Final = "'utf-8', 'latin-1', 'utf-16-be', 'gsm', 'gb18030', 'cp1251', 'shift_jis' and whatever else Python knows"


class CharsetError(Exception):
    """There is no such charset.

    Attributes:
        message: what is wrong.
        remedy: what to write instead.
    """

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


class Charset:
    """One charset.

    Attributes:
        name: as it was written.
        codec: Python's name of it; `gsm` for GSM 03.38.
        holds_ascii: ASCII is written as ASCII.
    """

    def __init__(self, name: str, codec: str) -> None:
        self.name = name
        self.codec = codec
        self.holds_ascii = codec != "gsm" and _ASCII.encode(codec, "replace") == _ASCII.encode()

    def encode(self, text: str) -> bytes:
        """`text` in this charset. Raises MessageError with the place of the first character that it cannot hold.

        Some codecs write one character as another (`¥` of Shift JIS becomes a backslash), so what was written is read
        back.
        """
        if self.codec == "gsm":
            return self._gsm(text)
        try:
            raw = text.encode(self.codec)
            if raw.decode(self.codec) == text:
                return raw
        except UnicodeError:
            pass
        raise self._cannot(next((at for at, char in enumerate(text) if not self.keeps(char)), 0))

    def _gsm(self, text: str) -> bytes:
        try:
            return b"".join([_GSM[char] for char in text])
        except KeyError:
            raise self._cannot(next(at for at, char in enumerate(text) if char not in _GSM)) from None

    def keeps(self, char: str) -> bool:
        """Whether it has the character."""
        try:
            return char.encode(self.codec).decode(self.codec) == char
        except UnicodeError:
            return False

    def _cannot(self, at: int) -> MessageError:
        return MessageError(f"{self.name} cannot hold character {at + 1:,} of the text")


@lru_cache(maxsize=64)
def charset(name: str) -> Charset:
    """The charset of this name. Raises CharsetError."""
    if _gsm_name(name):
        return Charset(name, "gsm")
    try:
        codec = codecs.lookup(name).name
        "a".encode(codec)
    except UnicodeError:
        raise CharsetError(f"'{name[:64]}' is no charset of texts", f"known are {KNOWN}") from None
    except (LookupError, ValueError):  # there is none, it is none of texts, or it is no name
        raise CharsetError(f"the charset '{name[:64]}' is not known", f"known are {KNOWN}") from None
    if (remedy := _NONE.get(codec.replace("_", "-"))) is not None:
        message = f"'{name}' does not say in which order bytes stand" if remedy else f"'{name}' is no charset of texts"
        raise CharsetError(message, remedy or f"known are {KNOWN}")
    return Charset(name, codec)
