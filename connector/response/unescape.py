"""Texts read as a person or a decoder would read them: escapes undone, encoded runs decoded. Pure.

A provider echoes what it was sent in the form it was stored: percent-encoded, as HTML, as JSON, in hexadecimal. What
must not be shown is looked for in all of these. Nothing here says what that is: `marks` does.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

# `&amp;#37;41` takes three; a fourth shows that nothing is left.
ROUNDS: Final = 4

_BYTES: Final = re.compile(r"(?:[%=][0-9A-Fa-f]{2})+")  # percent-encoded and quoted-printable
_ESCAPE: Final = re.compile(
    r"\\[uU]\{([0-9A-Fa-f]{1,6})\}|(?:\\|%)[uU]([0-9A-Fa-f]{4})|\\[xX]([0-9A-Fa-f]{2})|\\([\"'/\\nrtbf])"
    r"|\\([0-3][0-7]{2})"
)
_WINDOWS: Final = {
    character: bytes([code]) for code in range(0x80, 0xA0) if (character := bytes([code]).decode("cp1252", "ignore"))
}
_MISREAD: Final = re.compile("[\u0080-\u00ff" + "".join(_WINDOWS) + "]{2,}")
_NAMED: Final = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}
_HEX: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[ :,-]?[0-9A-Fa-f]{2}){3,}[0-9A-Fa-f]?")
_BASE64: Final = re.compile(  # in lines of 64 or 76, or in one
    r"(?:[A-Za-z0-9+/_-]{60,}[ \r\n]{1,2})+[A-Za-z0-9+/_-]*={0,2}|[A-Za-z0-9+/_-]{6,}={0,2}"
)
_BREAKS: Final = re.compile(r"[ \r\n]+")
_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")  # as good as never what base64 makes of a text
_BASE32: Final = re.compile(r"[A-Z2-7]{8,}={0,6}|[a-z2-7]{8,}={0,6}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_BASE32_GROUP: Final = 8


class Run(NamedTuple):
    """A part of a text that may be encoded, and what it says under each encoding it may be in."""

    start: int
    end: int
    readings: list[str]


def unescaped(text: str) -> str:
    """`text` with every escape undone, as often as they are nested, in NFKC and without invisible characters."""
    for _ in range(ROUNDS):
        plain = _once(text)
        if plain == text:
            break
        text = plain
    return text


def _once(text: str) -> str:
    if "&" in text:
        text = html.unescape(text)
    if "%" in text or "=" in text:
        text = _BYTES.sub(_from_bytes, text)
    if "\\" in text or "%u" in text.lower():
        text = _ESCAPE.sub(_from_escape, text)
        if not text.isascii():  # two escapes may be one character
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if text.isascii():
        return text
    text = _MISREAD.sub(_reread, text)
    return unicodedata.normalize("NFKC", text).translate(_VISIBLE)


def _reread(match: re.Match[str]) -> str:
    """UTF-8 that somebody took for Latin-1 or Windows-1252: `Ã©` is `é`."""
    data = b"".join(_WINDOWS.get(it) or it.encode("latin-1", "replace") for it in match.group())
    try:
        return data.decode()
    except UnicodeDecodeError:
        return match.group()


def _from_bytes(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("%", "").replace("=", "")).decode("utf-8", "replace")


def _from_escape(match: re.Match[str]) -> str:
    if match[5]:
        return chr(int(match[5], 8))
    code = match[1] or match[2] or match[3]
    if code is None:
        return _NAMED.get(match[4], match[4])
    number = int(code, 16)
    return chr(number) if number <= 0x10FFFF else match.group()


def folded(text: str) -> str:
    """`text` for comparing, character for character: lower case, ASCII digits, and every blank, also `+`, one space."""
    if text.isascii():
        return text.lower().translate(_BLANKS)
    return text.translate(_FOLDED)


_BLANKS: Final = {ord(blank): " " for blank in "+\t\n\v\f\r"}


def _folded(character: str) -> str:
    if character == "+" or character.isspace():
        return " "
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    capital = character.upper()  # several small letters have one capital: an echo in capitals does not say which it was
    lower = (capital if len(capital) == 1 else character).lower()
    return lower[0]  # one letter has two in lower case: İ, the Turkish capital of i, which is i and a dot


class _Table(dict[int, str | None]):
    """What each character becomes, found out when it is first met: `translate` then takes a tenth of the time."""

    def __init__(self, of: Callable[[str], str | None]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, code: int) -> str | None:
        made = self[code] = self._of(chr(code))
        return made


_FOLDED: Final = _Table(_folded)
_VISIBLE: Final = _Table(lambda character: None if unicodedata.category(character) == "Cf" else character)


def encoded_runs(text: str) -> Iterator[Run]:
    """The parts of `text` that are hexadecimal, base64 or base32, or may be."""
    for match in _HEX.finditer(text):
        digits = re.sub(r"[^0-9A-Fa-f]", "", match.group())
        readings = [it for start in (0, 1) for it in _texts(_unhex(digits[start:]))]
        yield Run(match.start(), match.end(), readings)
    for match in _BASE64.finditer(text):
        if _WORD.fullmatch(match.group()):
            continue
        run = _BREAKS.sub("", match.group()).rstrip("=").translate(_URL_SAFE)
        readings = [it for start in range(4) for it in _texts(_unbase64(run[start:]))]
        yield Run(match.start(), match.end(), readings)
    for match in _BASE32.finditer(text):
        yield Run(match.start(), match.end(), _texts(_unbase32(match.group().rstrip("=").upper())))


def _unhex(digits: str) -> bytes:
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _unbase64(run: str) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    try:
        return base64.b64decode(run + "=" * (-len(run) % 4))
    except binascii.Error:
        return b""


def _unbase32(run: str) -> bytes:
    if len(run) % _BASE32_GROUP in {1, 3, 6}:  # no whole byte more
        run = run[:-1]
    try:
        return base64.b32decode(run + "=" * (-len(run) % _BASE32_GROUP))
    except binascii.Error:
        return b""


def _texts(data: bytes) -> list[str]:
    """What these bytes say. Words that happen to be base64 become noise: little of it is text."""
    texts = []
    plain = data.decode("utf-8", "ignore")
    if 2 * len(plain.encode()) >= len(data):
        texts.append(plain)
    if b"\0" in data:  # ASCII in UTF-16, whichever byte comes first
        texts.append(data.replace(b"\0", b"").decode("latin-1"))
    if len(data) % 2 == 0:  # gateways take Unicode texts so
        both = [data.decode("utf-16-be", "ignore"), data.decode("utf-16-le", "ignore")]
        texts += [wide for wide in both if wide.isprintable()]
    return [it for it in texts if len(it) >= 4]
