"""Moments at which something was changed, for the marks of the curves: control records, and definitions. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.model import CampaignState
from connector.stream.control.table import CAMPAIGN, PROVIDER, ControlTable
from connector.web.plain_words import plain_id, plain_words

KEPT = 500
STATES: Mapping[CampaignState, str] = {
    CampaignState.RUNNING: "changed",
    CampaignState.PAUSED: "paused",
    CampaignState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class CurveMark:
    """One of them, in a sentence."""

    at: datetime
    sentence: str


def kept_marks() -> deque[CurveMark]:
    """Room for the newest ones."""
    return deque(maxlen=KEPT)


def control_mark(at: datetime, key: str, table: ControlTable, by: str) -> CurveMark | None:
    """What a control record that was just taken in has done; None where it is no record of ours."""
    kind, _, name = key.partition(":")
    who = f" by {by}" if by else ""
    match f"{kind}:":
        case _ if not name:
            return None
        case it if it == PROVIDER:
            what = "paused" if name in table.paused else "resumed"
            return CurveMark(at, f"{plain_words(name, most=64)} {what}{who}")
        case it if it == CAMPAIGN:
            campaign = table.campaigns.get(name)
            what = "deleted" if campaign is None else STATES[campaign.state]
            return CurveMark(at, f"campaign {plain_id(name, most=64)} {what}{who}")
        case _:
            return None


class DefinitionChanges:
    """Notices that a worker has another definition of a provider than any worker had at the look before.

    Attributes:
        marks: the newest ones, the oldest first.
    """

    def __init__(self) -> None:
        self.marks = kept_marks()
        self._before: dict[str, set[str]] = {}

    def note(self, at: datetime, digests: Iterable[tuple[str, str]]) -> None:
        """What all workers that answer have now: provider and digest. A provider that nobody had is no change."""
        now: dict[str, set[str]] = {}
        for name, digest in digests:
            if digest:
                now.setdefault(name, set()).add(digest)
        for name, found in now.items():
            before = self._before.get(name)
            if before is not None and (new := found - before):
                self.marks.append(CurveMark(at, f"{name}: a new definition, {', '.join(sorted(new))}"))
        self._before |= now  # what no worker has at this moment may come back as it was
        if len(self._before) > KEPT:
            self._before = now
