"""Hiding what logs, errors and pages must not show: phone numbers, texts and secrets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
NUMBER_DIGITS = 7
"""From so many digits on a run may be a phone number."""
SHOWN_DIGITS = 2
SECRET_CHARACTERS = 4
"""Shorter secrets are not searched for in texts: they would blot out half of every line."""

# First what is certainly none: our ids, UUIDs and dates. Then digits with the separators people put between them.
_NUMBER = re.compile(
    r"(?P<other>\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9-]))"
    rf"|\+?[0-9](?:[ ()-]{{0,2}}[0-9]){{{NUMBER_DIGITS - 1},}}"
)


def mask_phone(text: str) -> str:
    """Every phone number in `text` reduced to its last two digits: `+919812345678` → `+**********78`."""
    return _NUMBER.sub(lambda match: match["other"] or mask_number(match.group()), text)


def mask_number(text: str) -> str:
    """A value that is a phone number, whatever it looks like, reduced to its last two digits."""
    left = sum(character.isdigit() for character in text) - SHOWN_DIGITS
    masked = []
    for character in text:
        masked.append("*" if character.isdigit() and left > 0 else character)
        left -= character.isdigit()
    return "".join(masked)


class Secrets:
    """Values that must never be written, to be blotted out of any text. Grows while the program reads its settings."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Hide these as well; very short ones are left out."""
        self._values |= {value for value in values if len(value) >= SECRET_CHARACTERS}
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def hide(self, text: str) -> str:
        """`text` with every known secret replaced by `***`."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text
