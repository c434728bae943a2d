"""CloudEvents 1.0 over Kafka: binary (attributes in headers `ce_…`) or structured (all in the value).

Which of them it is says the header `content-type`, as the Kafka binding has it; a JSON value with a `specversion` is
taken for structured without one too.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from connector.errors import MessageError

PREFIX = "ce_"
CONTENT_TYPE = "content-type"
STRUCTURED = "application/cloudevents"
REQUIRED = ("id", "source", "specversion", "type")


def attributes(headers: Mapping[str, str]) -> dict[str, Any] | None:
    """Those of a binary event; None where it is none, and may be a structured one."""
    if headers.get(CONTENT_TYPE, "").lower().startswith(STRUCTURED) or "ce_specversion" not in headers:
        return None
    found: dict[str, Any] = {name.removeprefix(PREFIX): it for name, it in headers.items() if name.startswith(PREFIX)}
    found.pop("data", None)
    _check(found)
    return found


def structured(document: Any) -> tuple[dict[str, Any], Any]:
    """Attributes and data of an event that is one JSON object. Raises MessageError."""
    if not isinstance(document, dict) or "specversion" not in document:
        raise MessageError("it is no CloudEvent: it has neither headers `ce_…` nor a `specversion`")
    found = {name: value for name, value in document.items() if name not in {"data", "data_base64"}}
    _check(found)
    if "data_base64" not in document:
        return found, document.get("data")
    try:
        return found, base64.b64decode(document["data_base64"], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise MessageError("data_base64: not Base64") from None


def message(found: Mapping[str, Any], data: Any) -> dict[str, Any]:
    """The message that data is, with the event's id where it has none of its own."""
    if not isinstance(data, dict):
        raise MessageError("data: not an object; name its fields in `message`")
    return data if data.get("message_id") is not None else {**data, "message_id": found["id"]}


def _check(found: Mapping[str, Any]) -> None:
    for name in REQUIRED:
        if not isinstance(found.get(name), str) or not found[name]:
            raise MessageError(f"it is no CloudEvent: {name}: missing, or no text")
    if not found["specversion"].startswith("1."):
        raise MessageError("it is a CloudEvent of another version than 1.0")
