"""What a result says about its recipient, by the setting `results.to`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from connector.model import Result
from connector.settings.model import Results

SHOWN_DIGITS = 3


def presenter(results: Results) -> Callable[[Result], None] | None:
    """A function that changes `to` of a result in place; None where it stays as in the event."""
    if results.to == "masked":
        return _mask
    if results.to == "hashed":
        salt = results.salt
        assert salt is not None, "settings refuse `hashed` without a salt"
        key = salt.get_secret_value().encode()

        def hashed(result: Result) -> None:
            if result.to is not None:
                digits = result.to.lstrip("+").encode("utf-8", "replace")
                result.to = hmac.new(key, digits, hashlib.sha256).hexdigest()

        return hashed
    return None


def _mask(result: Result) -> None:
    if result.to is not None:
        result.to = "*" * (len(result.to) - SHOWN_DIGITS) + result.to[-SHOWN_DIGITS:]
