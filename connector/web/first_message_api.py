"""Test sends: to numbers of `web.test_numbers` only, by their place in the list, through a worker."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from connector.definition.keys import NAME
from connector.errors import ConnectorError
from connector.model import Message, Result
from connector.operating.audit_trail import REASON_CHARACTERS
from connector.settings.web import Web
from connector.stream.intake.unreadable import fault
from connector.web.callers import Role
from connector.web.deeds import Deed, DeedLog
from connector.web.endpoints import ApiCall, Endpoint
from connector.web.event_stream import begin_events, event_bytes
from connector.web.first_message import EventTransport, WrittenEvent, send_and_follow, trial_event
from connector.web.plain_words import plain_id, plain_words
from connector.web.problems import HttpProblemError
from connector.web.serving import Chapter


class FirstMessageBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent.

    Attributes:
        provider: definition that workers use.
        number: place in `web.test_numbers`, from 0.
        reason: why, for the audit log.
        event: what else it says; `to`, `provider` and `message_id` are ours.
    """

    provider: Annotated[str, Meta(pattern=rf"^{NAME}\Z")]
    number: Annotated[int, Meta(ge=0)]
    reason: Annotated[str, Meta(min_length=3, max_length=REASON_CHARACTERS)]
    event: dict[str, Any] = {}


class FirstMessageEnd(msgspec.Struct, omit_defaults=True):
    """What became of it. No status: there is no result yet, and `sms-connector trace` says what holds it."""

    message_id: str
    status: str = ""
    code: str | None = None
    reason: str | None = None
    provider_message_id: str | None = None
    http_status: int | None = None
    attempts: int = 0


class FirstMessageApi(Chapter):
    """The endpoint.

    Args:
        settings: the section `web`.
        events: reach Kafka.
        deeds: where it is written down first.
    """

    def __init__(self, settings: Web, events: EventTransport, deeds: DeedLog) -> None:
        self._numbers = settings.test_numbers
        self._events = events
        self._deeds = deeds

    def endpoints(self) -> list[Endpoint]:
        """One, where there are numbers to send to."""
        if not self._numbers:
            return []
        return [
            Endpoint(
                "testSend",
                "POST",
                "/api/studio/test",
                self._send,
                "One real SMS to a number of `web.test_numbers`: `written` with its place, then `result`.",
                role=Role.EDITOR,
                takes=FirstMessageBody,
                gives=FirstMessageEnd,
                media="text/event-stream",
                tag="steer",
                statuses=(422, 503),
            )
        ]

    async def _send(self, call: ApiCall) -> web.StreamResponse:
        body: FirstMessageBody = call.body
        if body.number >= len(self._numbers):
            raise HttpProblemError(422, f"web.test_numbers has {len(self._numbers)} numbers")
        number, message_id = self._numbers[body.number], f"test-{uuid.uuid4()}"
        value = trial_event(body.event, number, body.provider, message_id)
        try:
            msgspec.json.decode(value, type=Message)
        except msgspec.DecodeError as error:
            raise HttpProblemError(422, f"the event is no message: {fault(value, error)}") from None
        deed = Deed(call.who, "test.send", body.provider, body.reason, after=message_id, request=call.id)
        await self._deeds.asked(deed)
        places: list[WrittenEvent] = []
        told = send_and_follow(self._events, number.encode(), value, places.append)
        response: web.StreamResponse | None = None
        try:
            async for each in told:
                if response is None:
                    response = await begin_events(call)
                await response.write(_event(each, message_id))
        except ConnectorError as error:
            if response is None:
                raise HttpProblemError(503, str(error)) from None
            await response.write(event_bytes("problem", {"title": str(error), "status": 503}))
        finally:
            await told.aclose()
            await self._deeds.ended(deed, done=bool(places))
        assert response is not None
        await response.write_eof()
        return response


def _event(each: WrittenEvent | Result | None, message_id: str) -> bytes:
    if isinstance(each, WrittenEvent):
        return event_bytes("written", each)
    if each is None:
        return event_bytes("result", FirstMessageEnd(message_id))
    end = FirstMessageEnd(
        message_id,
        str(each.status),
        plain_words(each.code, most=64),
        plain_words(each.reason),
        plain_id(each.provider_message_id, most=128),
        each.http_status,
        each.attempts,
    )
    return event_bytes("result", end)
