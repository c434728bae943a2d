"""Records of the audit topic, as the API says them, and what is known of deeds whose end nobody has written. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from connector.operating.audit_trail import AuditRecord, DeedState
from connector.operating.steering import WRITE_SECONDS
from connector.stream.control.table import CAMPAIGN, PROVIDER
from connector.web.api_documents import DeedDocument
from connector.web.control_watch import ControlWatch
from connector.web.plain_words import plain_id, plain_words

UNDER_WAY_SECONDS = 6 * WRITE_SECONDS
"""A deed that has not ended within it will not say any more how it ended."""
KINDS = {"provider": PROVIDER, "campaign": CAMPAIGN}


class DeedDocuments:
    """Makes them, as of one moment."""

    def __init__(self, control: ControlWatch, now: datetime) -> None:
        self._control = control
        self._now = now
        self._ended = {it.request for _, _, it in control.deeds if it.state is not DeedState.ASKED}

    def of(self, records: Iterable[AuditRecord]) -> list[DeedDocument]:
        """Anybody with access may have written them."""
        return [self._document(it) for it in records]

    def _document(self, it: AuditRecord) -> DeedDocument:
        return DeedDocument(
            at=it.at,
            who=_words(it.who, 128),
            role=_words(it.role, 32),
            via=it.via,
            what=_words(it.what, 64),
            target=plain_id(it.target) or "",
            reason=_words(it.reason, 256),
            before=_id(it.before),
            after=_id(it.after),
            request=_id(it.request),
            done=it.state.value,
            error=_words(it.error, 256),
            known=self._known(it),
        )

    def _known(self, it: AuditRecord) -> str:
        """Of a deed that was asked for: what is known of it, where no record says how it ended."""
        if it.state is not DeedState.ASKED or it.request in self._ended:
            return ""
        if it.request in self._control.requests:
            return "It was done: its record is in the control topic."
        if (self._now - it.at).total_seconds() < UNDER_WAY_SECONDS:
            return "It is under way."
        kind = KINDS.get(it.what.partition(".")[0])
        if kind is not None and it.via != "cli":  # the command line does not say what it saw
            newest = self._control.changes.get(f"{kind}{it.target}")
            if it.before == ("" if newest is None else str(newest.offset)):
                return "It was not done: the control topic has no record of it, and none since."
        return "Whether it was done is not known: who was doing it ended before it could be said."


def _words(text: str, most: int) -> str:
    return plain_words(text, most=most) or ""


def _id(text: str) -> str:
    return plain_id(text, most=64) or ""
