"""Points in time on the command line: `--since 2h`, `--since 2025-01-31T08:00:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from connector.config_text.units import UnitError, duration

LATEST = 253_402_300_799.0
"""The last second of the year 9999."""


def moment(milliseconds: float) -> datetime:
    """A Kafka timestamp; the nearest that a date can say, as anybody may write one."""
    return datetime.fromtimestamp(min(max(milliseconds / 1000, 0.0), LATEST), UTC)


class Moment(click.ParamType):
    """A time with a zone, or a duration before now."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See click."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - timedelta(seconds=duration(value))
        except UnitError:
            pass
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a duration (2h, 30m, 7d) nor a time (2025-01-31T08:00:00Z)", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} has no zone: add Z or an offset, as in 2025-01-31T08:00:00+05:30", param, ctx)
        return instant.astimezone(UTC)


class Seconds(click.ParamType):
    """A duration."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See click."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return duration(value)
        except UnitError as error:
            self.fail(f"{value!r} is {error.message}; {error.remedy}", param, ctx)


MOMENT = Moment()
SECONDS = Seconds()
