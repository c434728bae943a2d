"""A lane with everything around it faked: a provider that does as it is told, and a stream that keeps the results."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec

from connector.definition.tree import (
    UNKNOWN_RUN,
    Auth,
    Batching,
    Constant,
    Definition,
    Hours,
    Limits,
    NoAuth,
    Object,
    Operation,
    Retry,
)
from connector.delivery.http.transport import MayLeave, always
from connector.delivery.lane import Lane
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.queue.item import Item
from connector.delivery.route import Route
from connector.errors import MessageError, RequestError, WithheldError
from connector.model import Batch, Message, Outcome, Reply, Request, Result, Status

from .hosts import FakeHost, decode_message
from .virtual import LoopClock

ACCEPT = Outcome("accept", rule="fake")
Answer = Outcome | RequestError | dict[str, Outcome]
"""For a whole request, for each message by its id, or no reply at all."""

FOUR_SLOTS = Limits(concurrency=4)
FIVE_ATTEMPTS = Retry()
USUAL = LaneSettings()


def operation(name: str = "send", **changes: Any) -> Operation:
    plain = Operation(
        name=name,
        path="",
        method="POST",
        url=Constant("https://sms.example.com/"),
        query=Object(()),
        headers=Object(()),
        auth=NoAuth(),
        kind="json",
        body=None,
        batching=None,
        response=None,
    )
    return replace(plain, **changes)


@dataclass
class FakeRenderer:
    """Requests whose body is the list of message ids. `body: "bad"` cannot be rendered; equal `to` never meet."""

    max_records: int = 10
    min_records: int = 1
    wanted: Callable[[Message], bool] = lambda message: True
    key_parts: Sequence[str] = ("$$TemplateID",)

    def fits(self, message: Message) -> bool:
        return self.wanted(message)

    def batch_key(self, message: Message) -> Any:
        if message.template_id == "no key":
            raise MessageError("the campaign has no template")
        return (message.template_id,)

    def batch_keys(self, messages: Sequence[Message]) -> list[Any] | None:
        keys = [(message.template_id,) for message in messages]
        return None if ("no key",) in keys else keys

    def render(self, messages: Sequence[Message], batch: Batch) -> Any:
        seen: set[str] = set()
        sent, invalid, left = [], [], []
        for index, message in enumerate(messages):
            if message.body == "bug":
                raise RuntimeError("a renderer never raises")
            if message.body == "bad":
                invalid.append((index, MessageError("body is bad")))
            elif message.to in seen:
                left.append(index)
            else:
                seen.add(message.to)
                sent.append(index)
        batch.count = len(sent)
        body = json.dumps({"batch": batch.id, "ids": [messages[i].message_id for i in sent]}).encode()
        request = Request("POST", "https://sms.example.com/", (), body) if sent else None
        return SimpleNamespace(request=request, sent=sent, invalid=invalid, left=left)


class FakeReader:
    """Replies carry their meaning with them (`Call.answer`)."""

    def read(self, reply: Any, messages: Sequence[Message], batch: Batch, now: float) -> Any:
        answer = reply.answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Outcome):
            return SimpleNamespace(outcomes=[answer] * len(messages), whole=answer)
        return SimpleNamespace(outcomes=[answer.get(m.message_id, ACCEPT) for m in messages], whole=None)


@dataclass
class Call:
    """One request as the provider saw it."""

    at: float
    ids: list[str]
    batch: str
    request: Request


@dataclass
class FakeProvider:
    """Answers requests after `latency` seconds (or those of `latency_of`), as `answer` says; `connecting`: before each
    can leave.
    """

    clock: LoopClock
    latency: float = 0.2
    connecting: float = 0.0
    answer: Callable[[Call], Any] = lambda call: ACCEPT
    latency_of: Callable[[Call], float] | None = None
    calls: list[Call] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    token_refreshes: int = 0

    async def send(self, request: Request, auth: Auth, may_leave: MayLeave = always) -> Any:
        if self.connecting:
            await asyncio.sleep(self.connecting)
        if not may_leave():
            raise WithheldError
        document = json.loads(request.body or b"")
        call = Call(self.clock.monotonic(), document["ids"], document["batch"], request)
        self.calls.append(call)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.latency if self.latency_of is None else self.latency_of(call))
        finally:
            self.under_way -= 1
        answer = self.answer(call)
        if isinstance(answer, BaseException) and not isinstance(answer, AssertionError):
            raise answer
        return SimpleNamespace(status=200, headers={}, body=b"", truncated=False, answer=answer)

    async def close(self) -> None: ...


class World:
    """A lane, its provider and what came of its messages. Made inside a virtual loop."""

    def __init__(
        self,
        *,
        operations: Sequence[Operation] = (),
        renderers: Sequence[FakeRenderer] = (),
        limits: Limits = FOUR_SLOTS,
        retry: Retry = FIVE_ATTEMPTS,
        settings: LaneSettings = USUAL,
        caught_up: bool = True,
        await_permission: Callable[[Operation, str, Sequence[Item]], Awaitable[bool]] | None = None,
        park: Callable[[Sequence[Item], float], object] | None = None,
        hours: Hours | None = None,
        unknown_run: int | None = UNKNOWN_RUN,
        **lane: Any,
    ) -> None:
        self.clock = LoopClock()
        self.provider = FakeProvider(self.clock)
        self.results: dict[str, Result] = {}
        self.finished: list[list[str]] = []
        self.host = FakeHost(self._finish, park=park, await_permission=await_permission)
        self.host.caught_up = caught_up
        self.more_comes = False  # whoever offers wakes the lane after the last one
        operations = operations or [operation(batching=Batching((("msgs",),), 1, 10))]
        renderers = renderers or [FakeRenderer()]
        self.definition = Definition(
            "acme", "acme.yaml", tuple(operations), limits=limits, retry=retry, hours=hours, unknown_run=unknown_run
        )
        reader = FakeReader()
        self.lane = Lane(
            self.definition,
            host=self.host,
            transport=self.provider,
            clock=self.clock,
            settings=settings,
            routes=[Route(op, rend, reader) for op, rend in zip(operations, renderers, strict=True)],
            **{"uniform": lambda: 0.5, **lane},
        )
        self._offset = 0
        self.items: dict[str, Item] = {}

    def _finish(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        assert len(items) == len(results) > 0
        for item, result in zip(items, results, strict=True):
            message_id = decode_message(item.raw).message_id
            assert message_id not in self.results, "one result per message"
            assert result.source.offset == item.offset
            self.results[message_id] = result
        self.finished.append([result.message_id or "" for result in results])

    def offer(
        self, *ids: str, campaign: str = "c1", priority: bool = False, expires: float | None = None, **fields: Any
    ) -> None:
        items, messages = [], []
        for message_id in ids:
            self._offset += 1
            fields.setdefault("body", "Hello")
            to = fields.pop("to", None) or f"+9198{self._offset:08d}"
            message = Message(message_id=message_id, to=to, provider="acme", campaign_id=campaign, **fields)
            deadline = None if expires is None else self.clock.wall() + expires
            origin = SimpleNamespace(topic="sms.messages", partition=0)
            item = Item(msgspec.json.encode(message), origin, self._offset, None, datetime.now(UTC), deadline)
            item.priority = priority
            self.items[message_id] = item
            items.append(item)
            messages.append(message)
        if not self.lane.offer_all(items, messages):
            for item, message in zip(items, messages, strict=True):
                self.lane.offer(item, message)
        if not self.more_comes:
            self.lane.wake()

    def offer_again(self, item: Item) -> None:
        self.lane.offer(item, decode_message(item.raw))
        self.lane.wake()

    async def run(self, seconds: float) -> None:
        """Let the lane run for a time; what goes wrong in it is raised here."""
        running = asyncio.create_task(self.lane.run())
        await asyncio.wait([running], timeout=seconds)
        if not running.done():
            running.cancel()
            await asyncio.wait([running])
            return
        await running

    @property
    def statuses(self) -> dict[str, str]:
        return {message_id: str(result.status) for message_id, result in self.results.items()}

    @property
    def sent(self) -> list[list[str]]:
        return [call.ids for call in self.provider.calls]


def names(count: int, prefix: str = "m") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


__all__ = ["ACCEPT", "Call", "FakeRenderer", "Reply", "Status", "World", "names", "operation"]
