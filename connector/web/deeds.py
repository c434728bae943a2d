"""What people do that changes something, written down before it is done and once it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import structlog

from connector.web.callers import Caller

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing somebody wants done.

    Attributes:
        caller: who.
        what: `definition.save`, `definition.undo`, `test.send`.
        target: of what: a name.
        reason: why, in their words.
        before, after: digests, where a text changes; `after` of a test: the message's id, by which it can be found.
        request: the id of the request that asked.
    """

    caller: Caller
    what: str
    target: str
    reason: str = ""
    before: str = ""
    after: str = ""
    request: str = ""


class DeedLog(Protocol):
    """Where deeds are written down.

    Implemented by `LoggedDeeds` (connector/web/deeds.py), put in place in `connector/web/studio_alone.py`.
    Implemented by `AuditedDeeds` (connector/web/audited_deeds.py), put in place in `connector/web/console_process.py`.
    """

    async def asked(self, deed: Deed) -> None:
        """Before it is done. Raises ConnectorError where it cannot be written down: then it is not done."""

    async def ended(self, deed: Deed, *, done: bool) -> None:
        """After it."""


class LoggedDeeds(DeedLog):
    """Lines of the log: of one person on their own machine."""

    async def asked(self, deed: Deed) -> None:
        """One line."""
        log.info("asked", what=deed.what, target=deed.target, who=deed.caller.name, request=deed.request)

    async def ended(self, deed: Deed, *, done: bool) -> None:
        """One line."""
        log.info("done" if done else "failed", what=deed.what, target=deed.target, request=deed.request)
