"""The events of all measurements: about 190 bytes, whatever the tests put into theirs."""

from __future__ import annotations

from typing import Any

from tests.integration import pipeline


def event(number: int, **fields: Any) -> dict[str, Any]:
    """Event `number`."""
    return pipeline.event(number, template_variables={"name": "Zoë", "n": number}, **fields)
