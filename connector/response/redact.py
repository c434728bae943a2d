"""What a provider echoes, without secrets and phone numbers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, quote_plus

from connector.masking import SECRET_CHARACTERS, mask_phone


class Redactor:
    """Writes `${NAME}` where a definition's secrets stand, plain or percent-encoded. Made once per definition."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._forms = [
            (form, name)
            for name, value in sorted(secrets.items(), key=lambda pair: -len(pair[1]))  # one may be part of another
            if len(value) >= SECRET_CHARACTERS
            for form in dict.fromkeys((value, quote(value, safe=""), quote_plus(value)))
        ]

    def __call__(self, text: str) -> str:
        for form, name in self._forms:
            if form in text:
                text = text.replace(form, name)
        return text


def redact(text: str, secrets: Mapping[str, str]) -> str:
    """`text` with each secret as `${NAME}` and each phone number reduced to its last two digits.

    `secrets` is `${NAME}` → value, as a definition holds them. Whatever looks like a phone number is masked: a reason
    given for a whole request stands in the results of all its messages.
    """
    return mask_phone(Redactor(secrets)(text))
