"""What holds a message back, as far as the workers can say (`/status`). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from connector.config_text.units import format_duration
from connector.health.status_report import LaneReport, WorkerReport
from connector.stream.intake.unknown_names import Cause, shown


@dataclass(frozen=True, slots=True)
class Providers:
    """What workers say of their providers.

    Attributes:
        lanes: by provider; None where no worker could be asked.
        campaigns: those whose events have no provider.
        grace: seconds an event waits for a definition.
    """

    lanes: Mapping[str, LaneReport] | None
    campaigns: frozenset[str] = field(default_factory=frozenset)
    grace: float = 0.0

    def say(self, provider: Any, campaign: Any = None) -> str:
        """Why an event of this provider and campaign may have no result yet."""
        wait = f"it waits {format_duration(self.grace)} for it, then it ends `invalid`"
        if not isinstance(provider, str):
            if isinstance(campaign, str) and shown(campaign) in self.campaigns:
                return f"an event without provider, and campaign {shown(campaign)} names none; {wait}"
            return "an event without provider"
        named = f"provider {shown(provider)}"
        if self.lanes is None:
            return named
        lane = self.lanes.get(provider)
        if lane is None:
            near = get_close_matches(provider[:64].lower(), self.lanes, n=1)
            meant = f" (did you mean {near[0]}?)" if near else ""
            return f"{named} has no definition{meant}; {wait}"
        reason = f": {lane.reason}" if lane.reason else ""
        return f"{named} is {lane.state}{reason} ({lane.requests} of {lane.slots} requests under way)"


def providers_of(reports: Iterable[WorkerReport], grace: float) -> Providers:
    """What these workers say. Of several the one that is worst off speaks for a provider."""
    lanes: dict[str, LaneReport] = {}
    campaigns: set[str] = set()
    for report in reports:
        for name, lane in report.lanes.items():
            if name not in lanes or lane.state != "sending":
                lanes[name] = lane
        campaigns |= {it.name for it in report.unknown if it.cause == Cause.CAMPAIGN}
    # A worker that waits for its broker has no lanes: it cannot say what is defined.
    return Providers(lanes or None, frozenset(campaigns), grace)
