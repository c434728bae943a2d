"""Phone numbers as providers write them in replies."""

from __future__ import annotations

from typing import Final

NATIONAL: Final = {"86": 11}
USUALLY: Final = 10
"""Digits of a number without its calling code, at most, in the countries whose providers leave it out."""


def international(phone: str, country: str) -> str:
    """A number with its calling code: `09812345678`, `9812345678` and `919812345678` are `+919812345678` where
    `country` is 91. What is none is returned as it is.
    """
    text = phone.strip()
    digits = "".join(character for character in text if character.isdecimal() and character.isascii())
    if not digits.strip("0"):
        return phone
    if text.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if digits.startswith("0"):
        return f"+{country}{digits[1:]}"
    return f"+{digits}" if len(digits) > NATIONAL.get(country, USUALLY) else f"+{country}{digits}"


def key_of(phone: str) -> bytes:
    """What all spellings of an international number have in common: its digits. What is none stands for itself."""
    text = phone.strip()
    digits = "".join(character for character in text if character.isdecimal() and character.isascii())
    if not digits or any(character.isalpha() for character in text):
        return phone.encode("utf-8", "replace")
    return digits.encode()
