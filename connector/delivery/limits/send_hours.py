"""Send windows: `hours` of a definition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connector.definition.tree import Hours


class SendHours:
    """When a provider may be sent to, by its local clock."""

    def __init__(self, hours: Hours) -> None:
        self._hours = hours
        self._zone = ZoneInfo(hours.zone)

    def opens_at(self, wall: float) -> float:
        """Wall seconds of the next moment sending is allowed: `wall` itself while it is."""
        local = datetime.fromtimestamp(wall, self._zone)
        minute = local.hour * 60 + local.minute
        start, end = self._hours.start, self._hours.end
        allowed = start <= minute < end if start <= end else minute >= start or minute < end
        if allowed or start == end:
            return wall
        day = local.date() if minute < start else local.date() + timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self._zone)
        opening = midnight.replace(hour=start // 60, minute=start % 60)  # wall clock arithmetic: right when zones shift
        return opening.astimezone(UTC).timestamp()
