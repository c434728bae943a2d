"""What a reply says, as what an outcome holds: bounded text, seconds to wait, an instant."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# Longest id, code or reason, in characters: results stay small whatever a provider writes.
TEXT_LENGTH: Final = 500

# Characters of a text that are looked at before it is bounded: a page in place of a sentence costs no more.
TEXT_READ: Final = 8 * TEXT_LENGTH

# Characters a time or a wait may have: an HTTP date has 29. What is longer is none, and is not searched for one.
TIME_LENGTH: Final = 100

# Longest wait a reply can ask for, seconds. A provider's slip must not stop a lane for good; a wait that is really
# longer is asked for again after it.
LONGEST_AFTER: Final = 24 * 3600.0

# `defer`: never sooner than this, seconds, because it is not counted as an attempt and a time in the past would loop.
SOONEST_UNTIL: Final = 60.0

# `defer`: never later than this, seconds: longer than any send window is closed.
LATEST_UNTIL: Final = 7 * 24 * 3600.0

# `defer` where the reply holds no readable time, seconds.
UNTIL_WITHOUT_TIME: Final = 15 * 60.0

# Epoch values above this are milliseconds (as seconds it is the year 5138).
_MILLISECONDS: Final = 1e11

_EPOCH: Final = 1e9
"""From here on a number in a header is a time and no wait."""

RESET_HEADERS: Final = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_RESET_IN: Final = re.compile(r";\s*t=(\d{1,9})\b", re.ASCII)

_CONTROL: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")
_CLOCK: Final = re.compile(r"\s*(\d{1,2}):(\d{2})(?::(\d{2}))?\s+([A-Za-z][\w+/-]*)\s*", re.ASCII)
_NUMBER: Final = re.compile(r"\s*\d{1,15}(\.\d{1,9})?\s*", re.ASCII)
_DURATION: Final = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)?\s*", re.ASCII)
_WAITS_READ: Final = 1024
_SPOKEN: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)\.?", re.ASCII)
_SPOKEN_UNITS: Final = {
    word: seconds
    for seconds, words in (
        (0.001, "ms msec msecs millisecond milliseconds"),
        (1.0, "s sec secs second seconds"),
        (60.0, "m min mins minute minutes"),
        (3600.0, "h hr hrs hour hours"),
        (86400.0, "d day days"),
    )
    for word in words.split()
} | {"": 1.0}
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
_UNITS: Final = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


# ---- text -----------------------------------------------------------------------------------------------------------


def to_text(value: Any) -> str | None:
    """A value as text without control characters; None for null and for nothing but blanks. Not bounded yet."""
    if value is None:
        return None
    text = (value if isinstance(value, str) else _written(value))[:TEXT_READ]
    if text.isascii() and text.isprintable():  # nearly always
        return text.strip() or None
    # Halves of surrogate pairs cannot be written to Kafka.
    return text.encode("utf-8", "replace").decode().translate(_CONTROL).strip() or None


def bounded(text: str | None) -> str | None:
    """At most TEXT_LENGTH characters, the last one `…` where something was cut off."""
    if text is None or len(text) <= TEXT_LENGTH:
        return text
    return text[: TEXT_LENGTH - 1] + "…"


def short_text(value: Any) -> str | None:
    """A value as bounded text: an id, mostly."""
    if value.__class__ is str and len(value) <= TEXT_LENGTH and value.isascii() and value.isprintable():
        return value.strip() or None
    return bounded(to_text(value))


def scalar_key(value: Any) -> str | None:
    """A value of a reply as what messages are matched by: text; None for what is no text and no whole number.

    919812345678.0 is 919812345678: some encoders write every number as a float, and the digits of its text would be
    another phone number.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return _written(value) if isinstance(value, int) else None


def _written(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    try:
        if value.__class__ is int:
            return str(value)
        pieces: list[str] = []
        length = 0
        for piece in _JSON.iterencode(value):  # piece by piece: a whole reply is not written for its first words
            pieces.append(piece)
            length += len(piece)
            if length > TEXT_READ:
                break
        return "".join(pieces)
    except (ValueError, RecursionError):  # more than 4,300 digits; nested too deeply
        return ""


# ---- waits ----------------------------------------------------------------------------------------------------------


def constant_after(source: str) -> float | None:
    """The seconds of `30`, `30s`, `5m`, `1h`; None for what is no constant."""
    found = _DURATION.fullmatch(source)
    return min(float(found[1]) * _UNITS[found[2]], LONGEST_AFTER) if found else None


def read_after(value: Any, now: float) -> float | None:
    """Seconds from `now`, out of what a reply says: a number, its text, a duration, an HTTP date or an ISO one."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        seconds = float(value) if abs(value) < _MILLISECONDS else math.inf
    elif isinstance(value, str) and len(value) <= TIME_LENGTH and _DURATION.fullmatch(value):
        return constant_after(value)
    else:
        instant = read_instant(value)
        if instant is None:
            return None
        seconds = instant - now
    return min(max(seconds, 0.0), LONGEST_AFTER) if not math.isnan(seconds) else None


def retry_after(header: str | None, date: str | None, now: float) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3), a date counted from the reply's own Date where it has one.

    Several values, of one header or of several, are those of the proxies on the way: the largest counts. What cannot be
    read says nothing.
    """
    if header is None:
        return None
    server_now = _http_date(date[:TIME_LENGTH]) if date else None
    if server_now is None:
        server_now = now
    waits = [_one_wait(part.strip(), server_now, now) for part in header[:_WAITS_READ].split(",")]
    return max((wait for wait in waits if wait is not None), default=None)


def _one_wait(text: str, server_now: float, now: float) -> float | None:
    """Seconds of `30`, `2 seconds`, an HTTP or ISO date, or a time since the epoch."""
    found = _SPOKEN.fullmatch(text)
    if found is None:
        return None if text.startswith(("-", "+")) else read_after(text, server_now)
    unit = _SPOKEN_UNITS.get(found[2].lower())
    if unit is None:
        return None
    number = float(found[1])
    if not found[2] and number >= _EPOCH:
        number = (number / 1000 if number >= _MILLISECONDS else number) - now
    return min(max(number * unit, 0.0), LONGEST_AFTER)


def reset_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until a rate limit begins anew, as the usual headers say it; None where none of them does.

    `RateLimit: …;t=30` (draft-ietf-httpapi-ratelimit-headers), or a number that is seconds from now or, where it is as
    large, a time in seconds or milliseconds since the epoch.
    """
    found = _RESET_IN.search(headers.get("ratelimit", "")[:TEXT_LENGTH])
    texts = [found[1] if found else None, *map(headers.get, RESET_HEADERS)]
    text = next(
        (text for text in texts if text is not None and len(text) <= TIME_LENGTH and _NUMBER.fullmatch(text.strip())),
        None,
    )
    if text is None:
        return None
    seconds = float(text)
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    if seconds >= _EPOCH:
        seconds -= now
    return min(max(seconds, 0.0), LONGEST_AFTER)


# ---- instants -------------------------------------------------------------------------------------------------------


def constant_until(source: str) -> Callable[[float], float] | None:
    """A function from now to the next `09:00 Asia/Kolkata` after it; None for what is no time of day.

    Raises ValueError when it is one, but the time or the zone does not exist.
    """
    found = _CLOCK.fullmatch(source)
    if found is None:
        return None
    hour, minute, second, name = int(found[1]), int(found[2]), int(found[3] or 0), found[4]
    at = time(hour, minute, second)
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone `{name}`") from None

    def until(now: float) -> float:
        today = datetime.fromtimestamp(now, zone).date()
        candidates = (datetime.combine(today + timedelta(days=days), at, zone).timestamp() for days in range(3))
        return next(candidate for candidate in candidates if candidate > now)

    return until


def read_until(value: Any, now: float) -> float:
    """Seconds since the epoch, out of what a reply says; within bounds, whatever it says."""
    instant = read_instant(value)
    if instant is None:
        return now + UNTIL_WITHOUT_TIME
    return min(max(instant, now + SOONEST_UNTIL), now + LATEST_UNTIL)


def read_instant(value: Any) -> float | None:
    """Seconds since the epoch, of a number (seconds or milliseconds), an ISO or an HTTP date; None for anything else.

    A date without a zone is taken as UTC.
    """
    if isinstance(value, str):
        if len(value) > TIME_LENGTH:
            return None
        if not _NUMBER.fullmatch(value):
            return _iso_date(value) or _http_date(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        return None
    return value / 1000 if value > _MILLISECONDS else float(value)


def _iso_date(text: str) -> float | None:
    try:
        return _timestamp(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> float | None:
    try:
        return _timestamp(parsedate_to_datetime(text))
    except Exception:  # the library's parser raises half a dozen types on text that is no date
        return None


def _timestamp(date: datetime) -> float:
    return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
