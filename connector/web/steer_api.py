"""Pausing and resuming providers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

import msgspec
from msgspec import Meta

from connector.clock import Clock
from connector.definition.keys import is_name
from connector.errors import ConnectorError
from connector.model import ProviderState
from connector.operating.audit_trail import REASON_CHARACTERS
from connector.operating.kafka_writer import KafkaWriter
from connector.operating.steering import WRITE_SECONDS, ControlDeed, DeedDone, NotRecordedError, steer
from connector.stream.control.table import provider_record
from connector.web.api_documents import ProviderDocument, SteeredProvider
from connector.web.callers import Role
from connector.web.console_view import ConsoleView
from connector.web.control_watch import ControlChange
from connector.web.endpoints import ApiCall, Endpoint, QueryParameter
from connector.web.plain_words import escaped
from connector.web.problems import HttpProblemError

SEEN_SECONDS = 3.0
"""How long the control topic may take to show what was just written."""

OpenWriter = Callable[[], AbstractAsyncContextManager[KafkaWriter]]


class ProviderStateBody(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it is to be paused, and why."""

    paused: bool
    reason: Annotated[str, Meta(min_length=3, max_length=REASON_CHARACTERS)]


class SteerApi:
    """The endpoint.

    Args:
        open_writer: connects to Kafka for one deed.
    """

    def __init__(self, view: ConsoleView, clock: Clock, open_writer: OpenWriter) -> None:
        self._view = view
        self._clock = clock
        self._open_writer = open_writer
        self._turn = asyncio.Lock()

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [
            Endpoint(
                "setProviderState",
                "PUT",
                "/api/providers/{name}/state",
                self._set_state,
                "Pause or resume. Answers when Kafka has it, not when every worker obeys: `obeyed` says that.",
                role=Role.OPERATOR,
                takes=ProviderStateBody,
                gives=SteeredProvider,
                tag="steer",
                parameters=(QueryParameter("If-Match", "ETag of what was seen.", place="header"),),
                statuses=(404, 409, 412, 503),
            )
        ]

    async def _set_state(self, call: ApiCall) -> SteeredProvider:
        name = call.path["name"]
        warnings = self._known(name)
        async with self._turn:  # of one console, one after the other
            seen = self._unchanged(name, call.http.headers.get("If-Match"))
            done = await self._steer(call, name, seen)
            warnings += done.warnings
            warnings += await self._overtaken(name, done, seen)
        found = self._view.steered(name)
        fields = {field: getattr(found, field) for field in ProviderDocument.__struct_fields__}
        return SteeredProvider(**fields, warnings=warnings)

    def _known(self, name: str) -> list[str]:
        """Warnings about a name. A slip would stop nothing, unnoticed. Raises HttpProblemError."""
        if not is_name(name):
            raise HttpProblemError(404, "this is no name of a provider")
        if any(name in report.lanes for report in self._view.fleet.reports):
            return []
        if self._view.fleet.reports and name not in self._view.control.table.paused:
            raise HttpProblemError(404, "no worker has this provider")
        return ["no worker that answers has this provider: whether anybody obeys is not known"]

    def _unchanged(self, name: str, wanted: str | None) -> ControlChange | None:
        """The newest record of it, which the person has seen. Raises HttpProblemError."""
        view = self._view
        if view.kafka.reachability.away():
            raise HttpProblemError(503, "Kafka does not answer the console: nothing can be changed")
        if not view.control.caught_up:
            raise HttpProblemError(503, "the control topic is still being read: try again in a moment")
        seen = view.control.of_provider(name)
        tag = "" if seen is None else str(seen.offset)
        if wanted is not None and wanted.strip() != "*" and wanted.strip().strip('"') != tag:
            who = "somebody" if seen is None or not seen.by else escaped(seen.by)
            state = "paused" if name in view.control.table.paused else "resumed"
            why = "" if seen is None or not seen.reason else f": {escaped(seen.reason)}"
            raise HttpProblemError(412, f"{who} has {state} it meanwhile{why}", headers={"ETag": f'"{tag}"'})
        return seen

    async def _steer(self, call: ApiCall, name: str, seen: ControlChange | None) -> DeedDone:
        body, topics = call.body, self._view.settings.topics
        key, value = provider_record(name, ProviderState(paused=body.paused))
        deed = ControlDeed(
            what="provider.pause" if body.paused else "provider.resume",
            target=name,
            key=key,
            value=value,
            unrecorded=body.paused,
            who=call.who.name,
            role=call.who.role.label,
            via=call.who.via,
            reason=escaped(body.reason),
            request=call.id,
            before="" if seen is None else str(seen.offset),
        )
        try:
            async with asyncio.timeout(4 * WRITE_SECONDS), self._open_writer() as writer:
                audit = topics.audit if writer.has(topics.audit) else None
                done = await steer(deed, writer, control=topics.control, audit=audit, clock=self._clock)
        except NotRecordedError as error:
            raise HttpProblemError(409, str(error)) from error
        except ConnectorError as error:
            raise HttpProblemError(503, str(error)) from error
        except TimeoutError as error:
            raise HttpProblemError(503, "Kafka does not answer: nothing is known to have been changed") from error
        if audit is None:
            missing = f"there is no topic {topics.audit}: nobody can look up who did it"
            return DeedDone(done.partition, done.offset, (*done.warnings, missing))
        return done

    async def _overtaken(self, name: str, done: DeedDone, seen: ControlChange | None) -> list[str]:
        """Whether somebody else has changed it between the look and the write: both are in the log, in one order."""
        if not await self._view.control.reached(done.partition, done.offset, SEEN_SECONDS):
            return ["written, but the control topic does not show it yet"]
        now = self._view.control.of_provider(name)
        if now is None:
            return []
        if now.offset > done.offset:
            return [f"{escaped(now.by) or 'somebody'} has changed it again at once: that holds now"]
        if now.before is not None and now.before != (None if seen is None else seen.offset):
            return ["somebody else changed it at the same moment; yours is the later one, and holds"]
        return []
