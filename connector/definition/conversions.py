"""What a value is as text or as JSON: for filters, and for the formats it lands in."""

from __future__ import annotations

from typing import Any

import orjson

from connector.definition.octets import Octets
from connector.errors import MessageError


def as_text(value: Any) -> str:
    """A value as it stands inside longer text: text as it is, everything else as compact JSON."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, Octets):
        return value.written()
    return as_json(value)


def as_json(value: Any) -> str:
    """Compact JSON text; raises MessageError for what JSON cannot hold."""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, orjson.JSONEncodeError):
        raise MessageError("the value cannot be written as JSON") from None


def scalar(value: Any) -> str:
    """A text or a number as text; raises MessageError for a structure."""
    if type(value) is str:  # once per filter and message
        return value
    if isinstance(value, dict | list):
        raise MessageError("takes a text or a number, not an object or a list")
    return as_text(value)
