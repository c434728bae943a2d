"""Who must not be texted: the list, what it is read by, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from connector.stream.control.suppression_reader import SuppressionReader
from connector.stream.wiring.dependencies import Dependencies
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.policy import Exemptions, SuppressionPolicy


@dataclass(frozen=True, slots=True)
class Suppressing:
    """One list, which `reader` fills and `policy` looks into."""

    policy: SuppressionPolicy
    reader: SuppressionReader


def build_suppressing(deps: Dependencies) -> Suppressing | None:
    """None where nobody asks for it."""
    settings = deps.settings.suppressions
    if not settings.enabled:
        return None
    phones = PhoneList()
    reader = SuppressionReader(
        deps.cluster.options,
        cluster=deps.cluster,
        topic=deps.settings.topics.suppressions,
        phones=phones,
        folder=settings.folder,
        skipped=deps.skipped,
        clock=deps.clock,
    )
    exempt = Exemptions(settings.exempt_campaigns, settings.exempt_sources, settings.exempt_custom)
    policy = SuppressionPolicy(phones, exempt, settings.sender)
    return Suppressing(policy, reader)
