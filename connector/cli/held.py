"""What holds a message back, as far as the workers can say (`/status`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from connector.cli.output import note
from connector.config_text.units import format_duration
from connector.settings import Settings
from connector.stream.intake.unknown_names import Cause, shown

HEALTH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Providers:
    """What workers say of their providers.

    Attributes:
        lanes: by provider; None where no worker could be asked.
        campaigns: those whose events have no provider.
        grace: seconds an event waits for a definition.
    """

    lanes: Mapping[str, Mapping[str, Any]] | None
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
        reason = f": {lane['reason']}" if lane["reason"] else ""
        return f"{named} is {lane['state']}{reason} ({lane['requests']} of {lane['slots']} requests under way)"


async def ask_workers(settings: Settings, url: str | None) -> Providers:
    """Ask a worker. Of several behind one port, the one that is worst off speaks for a provider."""
    import aiohttp

    grace = settings.unknown_grace
    if url is None:
        if not settings.health.port:
            return Providers(None, grace=grace)
        host = settings.health.host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104  where it listens, not where we do
        url = f"http://{host}:{settings.health.port}"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HEALTH_SECONDS)) as session,
            session.get(f"{url.rstrip('/')}/status") as response,
        ):
            document = json.loads(await response.text())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        note(f"no worker answers at {url} ({type(error).__name__}): what providers do is not known")
        return Providers(None, grace=grace)
    reports = document.get("workers", [document])
    for version, number in sum((Counter(report.get("held", {})) for report in reports), Counter()).items():
        note(f"{number} events are held for a worker that reads format version {version}")
    for place in sorted({place for report in reports for place in report.get("unused", ())}):
        note(f"definitions on disk are not the ones in use: {place}; `sms-connector check` and the log say why")
    lanes: dict[str, dict[str, Any]] = {}
    for report in reports:
        for name, lane in report["lanes"].items():
            if name not in lanes or lane["state"] != "sending":
                lanes[name] = lane
    campaigns = {it["name"] for report in reports for it in report["unknown"] if it["cause"] == Cause.CAMPAIGN}
    # A worker that waits for its broker has no lanes: it cannot say what is defined.
    return Providers(lanes or None, frozenset(campaigns), grace)
