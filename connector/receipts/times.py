"""When a provider says that it happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from connector.definition.receipt_tree import At
from connector.response.reply_values import TIME_LENGTH

_LATEST: Final = 253_402_214_399.0  # a day before the year 9999 ends, in every zone


def moments(at: At) -> Callable[[Any], float | None]:
    """A function from a value to seconds since the epoch; None for what is no time as the definition says it."""
    zone = ZoneInfo(at.zone) if at.zone is not None else UTC
    if at.format in ("unix", "unix_ms"):
        factor = 1000 if at.format == "unix_ms" else 1

        def number(value: Any) -> float | None:
            try:
                seconds = float(value) / factor if isinstance(value, (int, float, str)) else None
            except (ValueError, OverflowError):
                return None
            return seconds if seconds is not None and 0 < seconds <= _LATEST else None

        return number

    def written(value: Any) -> float | None:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or len(value) > TIME_LENGTH:
            return None
        text = value.strip()
        try:
            moment = datetime.fromisoformat(text) if at.format == "iso" else datetime.strptime(text, at.format)  # noqa: DTZ007
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            seconds = moment.timestamp()
        except (ValueError, OverflowError):
            return None
        # What other clocks cannot say is no time: `0001-01-01` is how some providers write that there is none.
        return seconds if 0 < seconds <= _LATEST else None

    return written
