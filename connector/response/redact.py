"""What a provider echoes, without secrets and phone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

# A secret shorter than this is not looked for: it would be found in every other word.
SHORTEST_SECRET: Final = 4

# Nine to fifteen digits in a row (E.164 allows fifteen), with or without a plus sign; ids of letters and digits and
# longer numbers, as DLT template ids are, stay.
_PHONE: Final = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]{9,15}(?![0-9A-Za-z])")

# Digits written in groups, as people write phone numbers; masked only where they are a known one.
_GROUPS: Final = re.compile(r"\+?[0-9](?:[ .()/-]{0,2}[0-9]){6,17}")

# Digits that two writings of one phone number share: without country code, trunk zero and the first group.
_SHARED: Final = 7

_NOT_DIGITS: Final = re.compile(r"[^0-9]+")


class Redactor:
    """Masks the secrets of a definition and the phone numbers of a request, in any number of texts."""

    def __init__(self, secrets: Mapping[str, str], phones: Iterable[str] = ()) -> None:
        self._secrets = [
            (form, f"${{{name}}}")
            for name, value in sorted(secrets.items(), key=lambda pair: -len(pair[1]))  # one may be part of another
            if len(value) >= SHORTEST_SECRET
            for form in dict.fromkeys((value, quote(value, safe=""), quote_plus(value)))
        ]
        self._endings = {_digits(phone)[-_SHARED:] for phone in phones}

    def __call__(self, text: str) -> str:
        """`text` with each secret as `${NAME}` and each phone number as `***78`."""
        for form, name in self._secrets:
            if form in text:
                text = text.replace(form, name)
        if self._endings:
            text = _GROUPS.sub(self._mask_known, text)
        return _PHONE.sub(_mask, text)

    def _mask_known(self, run: re.Match[str]) -> str:
        return _mask(run) if _digits(run[0])[-_SHARED:] in self._endings else run[0]


def redact(text: str, secrets: Mapping[str, str], phones: Iterable[str] = ()) -> str:
    """`text` with each secret as `${NAME}` and each phone number as `***78`.

    `secrets` is name → value, as a definition holds them. Any run of 9 to 15 digits is taken for a phone number; those
    in `phones` are found in other writings too (`098123-45678`). Done twice it changes nothing more.
    """
    return Redactor(secrets, phones)(text)


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)


def _mask(run: re.Match[str]) -> str:
    return "***" + _digits(run[0])[-2:]
