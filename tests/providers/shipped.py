"""The shipped definitions, turned to the simulator's fakes: everything between a message and a result is the real one.

`Provider.exchange` is one request (renderer, HTTP over a socket, reader); `Provider.deliver` is a whole lane.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import msgspec

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE
from connector.definition.load import load
from connector.definition.tree import Constant, Definition, Limits, Login, Operation, Retry, Text
from connector.delivery.http.client import HttpTransport
from connector.delivery.lane import Lane, LaneSettings, LaneStatus
from connector.delivery.limits.circuit_breaker import BreakerSettings, BreakerState
from connector.delivery.queue.item import Item
from connector.errors import MessageError
from connector.model import Batch, Message, Outcome, Reply, Request, Result
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from connector.tools.simulator import Simulator
from connector.tools.simulator.fake import Fake
from tests.delivery.hosts import FakeHost

from .rows import ROWS

NAMES = sorted(file.stem for file in CATALOGUE.glob("*.yaml"))

DEMO = {
    # Of every fake: account, user or key id `demo`, secret, token or key `demo-secret`.
    **dict.fromkeys(
        (
            *("BULKSMS_TOKEN_ID", "EXOTEL_SID", "EXOTEL_KEY", "NIMBUS_USER", "NIMBUS_BIZ_USER", "PLIVO_AUTH_ID"),
            *("SMSINDIAHUB_USER", "PINPOINT_APPLICATION_ID", "TWILIO_ACCOUNT_SID", "VONAGE_API_KEY"),
            *("AWS_ACCESS_KEY_ID", "KANNEL_USER", "TENCENT_SECRET_ID", "ALIYUN_ACCESS_KEY_ID", "OVH_SMS_SERVICE"),
            *("OVH_APPLICATION_KEY", "OVH_CONSUMER_KEY", "JASMIN_USER", "SKEBBY_USER"),
        ),
        "demo",
    ),
    **dict.fromkeys(
        (
            *("BULKSMS_TOKEN_SECRET", "EXOTEL_TOKEN", "MSG91_AUTHKEY", "NIMBUS_AUTHKEY", "NIMBUS_BIZ_PASSWORD"),
            *("PLIVO_AUTH_TOKEN", "SMSINDIAHUB_API_KEY", "SMSINDIAHUB_PASSWORD", "TEXTLOCAL_API_KEY"),
            *("TWILIO_AUTH_TOKEN", "VONAGE_API_SECRET", "INFOBIP_API_KEY", "AWS_SECRET_ACCESS_KEY"),
            *("KANNEL_PASSWORD", "TENCENT_SECRET_KEY", "ALIYUN_ACCESS_KEY_SECRET", "OVH_APPLICATION_SECRET"),
            *("JASMIN_PASSWORD", "SKEBBY_PASSWORD", "SPEEDSMS_TOKEN"),
        ),
        "demo-secret",
    ),
    "AWS_REGION": "ap-south-1",
    "INFOBIP_HOST": "abc123.api.infobip.com",
    "KANNEL_URL": "https://kannel.example.com:13013",
    "JASMIN_URL": "https://jasmin.example.com:1401",
    "TENCENT_REGION": "ap-guangzhou",
    "TENCENT_SMS_APP_ID": "1400006666",
}
"""The environment of a user of all providers."""

QUICK = LaneSettings(wait=0.02, wait_max=0.1, breaker=BreakerSettings(window=0.3, delay=0.05, cap=0.1))
DELIVERY_SECONDS = 20.0
_origin = re.compile(r"https?://[^/]+")


@cache
def shipped(name: str, account: str = "demo") -> Definition:
    """A definition of the catalogue, as a user of all providers loads it."""
    values = {key: account if value == "demo" else value for key, value in DEMO.items()}
    return load(name, environment=Environment(values))


def message(number: int, **fields: Any) -> Message:
    """Message `number`, with everything any provider asks for. Its phone number is not a magic one."""
    given = {
        "message_id": f"m{number}",
        "to": f"+9198{number:07d}9",
        "campaign_id": "diwali",
        "body": "Hello Asha",
        "template_id": "1107160000000012345",
        "template_variables": {"name": "Asha"},
        "custom": {"sender": "ACMEIN", "entity": "1101450000000054321"},
    }
    return Message(**{**given, **fields})


def magic_message(number: int, magic: str, **fields: Any) -> Message:
    """Message `number` to a number that asks for an outcome (its last six digits)."""
    return message(number, to=f"+9198{number:02d}{magic}", **fields)


def as_asked(name: str, messages: Sequence[Message]) -> list[Message]:
    """The messages as events for this provider bring them: variables that have no names are a list."""
    if not ROWS[name].numbered:
        return list(messages)
    return [
        msgspec.structs.replace(each, template_variables=list(each.template_variables.values()))
        if isinstance(each.template_variables, dict)
        else each
        for each in messages
    ]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what its reply means.

    Attributes:
        outcomes: one per message in the request, in order.
        whole: the outcome of all, where one rule decided.
        left, invalid: messages that were not in the request.
    """

    operation: Operation
    request: Request
    reply: Reply
    messages: list[Message]
    outcomes: list[Outcome]
    whole: Outcome | None
    left: list[Message]
    invalid: list[str]

    @property
    def words(self) -> list[str]:
        return [outcome.then for outcome in self.outcomes]


@dataclass
class Delivery:
    """What a lane made of messages: results by message id, and how the lane stood at the end."""

    results: dict[str, Result] = field(default_factory=dict)
    status: LaneStatus | None = None

    @property
    def statuses(self) -> dict[str, str]:
        return {message_id: str(result.status) for message_id, result in self.results.items()}


class Provider:
    """A definition and the fake of the provider it is for."""

    def __init__(self, name: str, simulator: Simulator, definition: Definition, **http: Any) -> None:
        self.name = name
        self.simulator = simulator
        self.definition = turned(definition, f"{simulator.url}/{name}", **http)
        self.transport = HttpTransport(self.definition)

    @property
    def fake(self) -> Fake:
        return self.simulator.fakes[self.name]

    def set(self, **knobs: Any) -> None:
        """Put faults and options of the fake in force."""
        self.fake.set(msgspec.convert(knobs, type=self.fake.options))

    def log(self) -> list[dict[str, Any]]:
        """The requests the fake got."""
        return list(self.simulator.log.entries(self.name))

    def taken(self) -> list[dict[str, Any]]:
        """The messages the fake took."""
        return [record for request in self.log() for record in request["taken"]]

    def operation(self, messages: Sequence[Message]) -> Operation:
        """The one a lane takes for so many messages."""
        for operation in self.definition.operations:
            renderer = compile_operation(operation)
            if renderer.min_records <= len(messages) and all(map(renderer.fits, messages)):
                return operation
        raise AssertionError("no operation fits")

    async def exchange(self, *messages: Message, operation: str | None = None) -> Exchange:
        """Send one request. Raises RequestError where no reply came."""
        messages = tuple(as_asked(self.name, messages))
        by_name = {each.name: each for each in self.definition.operations}
        chosen = by_name[operation] if operation else self.operation(messages)
        renderer, reader = compile_operation(chosen), compile_response(chosen, self.definition.secrets)
        batch = Batch(uuid4().hex, SystemClock().wall())
        rendered = renderer.render(messages, batch)
        if rendered.request is None:
            raise rendered.invalid[0][1]
        reply = await self.transport.send(rendered.request, chosen.auth)
        sent = [messages[index] for index in rendered.sent]
        reading = reader.read(reply, sent, batch, SystemClock().wall())
        left = [messages[index] for index in rendered.left]
        invalid = [error.reason for _, error in rendered.invalid]
        return Exchange(chosen, rendered.request, reply, sent, list(reading.outcomes), reading.whole, left, invalid)

    async def deliver(
        self, *messages: Message, seconds: float = DELIVERY_SECONDS, through_pauses: bool = False, **changes: Any
    ) -> Delivery:
        """Run a lane until every message has its result, the breaker has opened, or `seconds` have passed.

        Args:
            through_pauses: an open breaker ends nothing.
        """
        delivery, clock = Delivery(), SystemClock()
        messages = tuple(as_asked(self.name, messages))

        def finish(items: Sequence[Item], results: Sequence[Result]) -> None:
            for result in results:
                assert result.message_id is not None
                assert result.message_id not in delivery.results, "one result per message"
                delivery.results[result.message_id] = result

        lane = Lane(
            replace(self.definition, limits=Limits(), retry=Retry(attempts=4, base=0.01, cap=0.02), **changes),
            host=FakeHost(finish),
            transport=self.transport,
            clock=clock,
            settings=QUICK,
        )
        origin = SimpleNamespace(topic="sms.messages", partition=0)
        expected = len(messages)
        for offset, each in enumerate(messages):
            item = Item(msgspec.json.encode(each), origin, offset, None, datetime.now(UTC))
            try:
                lane.offer(item, each)
            except MessageError:
                expected -= 1  # the stream makes its result
        running = asyncio.create_task(lane.run())
        until = clock.monotonic() + seconds
        while len(delivery.results) < expected and clock.monotonic() < until and not running.done():
            await asyncio.sleep(0.005)
            if lane.status.breaker is BreakerState.OPEN and not through_pauses:
                break
        delivery.status = lane.status
        lane.close()
        await running
        await lane.drain(clock.monotonic() + 1.0)
        return delivery


@asynccontextmanager
async def provided(
    name: str, account: str = "demo", definition: Definition | None = None, **http: Any
) -> AsyncIterator[Provider]:
    """A definition (the shipped one) against its fake on a real socket. `http`: transport options."""
    async with Simulator([name]) as simulator:
        provider = Provider(name, simulator, definition or shipped(name, account), **http)
        provider.set(account=account)
        try:
            if ROWS[name].login:  # what goes wrong goes wrong with requests, not with the login before them
                await provider.exchange(message(0))
                simulator.log.clear()
            yield provider
        finally:
            await provider.transport.close()


def turned(definition: Definition, address: str, **http: Any) -> Definition:
    """The definition with `address` in place of scheme and host; nothing else of a request changes."""
    operations = tuple(_operation(each, address) for each in definition.operations)
    return replace(definition, operations=operations, http=replace(definition.http, private_hosts=True, **http))


def _operation(operation: Operation, address: str) -> Operation:
    auth = operation.auth
    if isinstance(auth, Login):
        requests = tuple(replace(each, url=_turned(each.url, address)) for each in auth.requests)
        auth = replace(auth, requests=requests)
    return replace(operation, url=_turned(operation.url, address), auth=auth)


def _turned(url: Text | Constant, address: str) -> Text | Constant:
    if isinstance(url, Constant):
        return Constant(_origin.sub(address, str(url.value), count=1))
    first, *rest = url.parts
    assert isinstance(first, str)
    return Text((_origin.sub(address, first, count=1), *rest))


def header(request: Request, name: str) -> str | None:
    """A header of a request, whatever its case."""
    found: Mapping[str, str] = {key.lower(): value for key, value in request.headers}
    return found.get(name.lower())
