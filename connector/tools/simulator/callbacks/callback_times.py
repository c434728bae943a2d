"""Times as callbacks write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30))
CST = timezone(timedelta(hours=8))


def utc(seconds: float, form: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


def indian(seconds: float) -> str:
    """`YYYY-MM-DD HH:MM:SS`, the local time of India, without saying so."""
    return datetime.fromtimestamp(seconds, IST).strftime("%Y-%m-%d %H:%M:%S")


def infobip(seconds: float) -> str:
    """`2026-11-26T16:00:58.647+0000`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def chinese(seconds: float) -> str:
    """`YYYY-MM-DD HH:MM:SS`, the local time of China, without saying so."""
    return datetime.fromtimestamp(seconds, CST).strftime("%Y-%m-%d %H:%M:%S")
