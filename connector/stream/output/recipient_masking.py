"""What a result says about its recipient, by the setting `results.to`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from connector.model import Result
from connector.response.redact import hide_number
from connector.settings.model import Results

SHOWN_DIGITS = 3


def presenter(results: Results) -> Callable[[Result], None] | None:
    """A function that changes a result in place before it leaves; None where `to` stays as in the event."""
    if results.to == "masked":
        return _masked
    if results.to == "hashed":
        salt = results.salt
        assert salt is not None, "settings refuse `hashed` without a salt"
        key = salt.get_secret_value().encode()

        def hashed(result: Result) -> None:
            if result.to is not None:
                digits = result.to.lstrip("+")
                _hide_in_ids(result, digits)
                result.to = hmac.new(key, digits.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

        return hashed
    return None


def _masked(result: Result) -> None:
    if result.to is not None:
        _hide_in_ids(result, result.to.lstrip("+"))
        result.to = "*" * (len(result.to) - SHOWN_DIGITS) + result.to[-SHOWN_DIGITS:]


def _hide_in_ids(result: Result, number: str) -> None:
    """Some providers make their ids of the phone number (SMSINDIAHUB's older API does)."""
    if result.provider_message_id is not None:
        result.provider_message_id = hide_number(result.provider_message_id, number)
    if result.provider_batch_id is not None:
        result.provider_batch_id = hide_number(result.provider_batch_id, number)
