"""What only shows when definitions and settings are seen together."""

from __future__ import annotations

from collections.abc import Iterable

from connector.config_text.units import format_duration
from connector.definition.tree import Definition
from connector.errors import Problem
from connector.settings.cross_checks import FINISH_SECONDS
from connector.settings.model import Settings


def misfits(definitions: Iterable[Definition], settings: Settings) -> list[Problem]:
    """Every request must end before the drain does, or a stop or rebalance cuts it off: its messages are sent again.

    What a definition does not say is the setting `timeouts.http_total`, which the settings check themselves.
    """
    drain = settings.timeouts.drain
    longest = drain - FINISH_SECONDS
    return [
        Problem(
            f"total {format_duration(definition.http.total)} does not fit timeouts.drain {format_duration(drain)}: "
            f"a request must end {format_duration(FINISH_SECONDS)} before the drain does, or it is cut off",
            f"lower it to {format_duration(longest)}, or raise timeouts.drain to "
            f"{format_duration(definition.http.total + FINISH_SECONDS)}",
            file=definition.file,
            path="http.total",
        )
        for definition in definitions
        if definition.http.total is not None and definition.http.total > longest
    ]
