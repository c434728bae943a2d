"""The exact requests that events would become: grouped and rendered as a lane does, without sending anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import orjson

from connector.definition.check_receipts import needed_references
from connector.definition.signing import login_names
from connector.definition.tree import Auth, Definition, Login, Sign
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.route import Route, compile_routes
from connector.delivery.sending.request_builder import Router
from connector.errors import MessageError
from connector.masking import MASK
from connector.model import Batch, Message, Priority, ReferenceMaker, Request, Source
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens
from connector.request.signer import Clockwork, Signer
from connector.workbench.events import NamedEvent

RECEIVER: Final = "https://receiver.invalid"
TOPIC: Final = "sms.messages"
"""Where events of files would stand."""


@dataclass(frozen=True, slots=True)
class RenderedRequest:
    """One request, and the events in it.

    Attributes:
        operation: by name.
        auth: what is added when it is sent.
        request: with a mask for what is made of secrets.
        batch: as it was rendered with.
        events: in the order of its records.
        key: what all of its messages have in common.
    """

    operation: str
    auth: Auth
    request: Request
    batch: Batch
    events: tuple[NamedEvent, ...]
    key: WindowKey

    @property
    def messages(self) -> list[Message]:
        """Of its events."""
        return [event.message for event in self.events if event.message is not None]


@dataclass(slots=True)
class RenderPlan:
    """What would be sent; and what could not be, with the reason.

    Attributes:
        routes: the operations, as `WindowKey.operation` counts them.
    """

    routes: Sequence[Route] = ()
    requests: list[RenderedRequest] = field(default_factory=list)
    invalid: list[tuple[NamedEvent, str]] = field(default_factory=list)


def plan_requests(
    definition: Definition, events: Sequence[NamedEvent], now: float, receive_url: str | None = None
) -> RenderPlan:
    """Group and render as a lane does when all events wait in their windows; ids of batches depend only on events.

    `receive_url`: with it, what receipts are known by is shown as well.
    """
    routes = compile_routes(definition)
    plan = RenderPlan(routes)
    signer = _signer(definition.name, routes, receive_url)
    router = Router(definition.name, routes)
    windows: dict[WindowKey, list[NamedEvent]] = {}

    def offer(event: NamedEvent, after: int = -1) -> None:
        if event.message is None:
            plan.invalid.append((event, event.fault))
            return
        try:
            key = router.key(event.message, event.message.priority is Priority.HIGH, after)
        except MessageError as error:
            plan.invalid.append((event, error.reason))
        else:
            windows.setdefault(key, []).append(event)

    for event in events:
        offer(event)
    while windows:
        key = next(iter(windows))
        waiting = windows.pop(key)
        route = routes[key.operation]
        while waiting:
            if len(waiting) < route.renderer.min_records:
                for event in waiting:
                    offer(event, key.operation)
                break
            waiting = _render(key, waiting, now, plan, signer)
    return plan


def _signer(name: str, routes: Sequence[Route], receive_url: str | None) -> ReferenceMaker | None:
    """Makes references as long as real ones, which prove nothing; None where they would be left out."""
    needed = any(True for route in routes for _ in needed_references(route.operation))
    if receive_url is None and not needed:
        return None
    return ReferenceSigner(Tokens([MASK], [TOPIC]), name, receive_url or RECEIVER)


def _render(
    key: WindowKey, waiting: list[NamedEvent], now: float, plan: RenderPlan, signer: ReferenceMaker | None
) -> list[NamedEvent]:
    """Render one request of the first of `waiting`; gives those that wait on."""
    route = plan.routes[key.operation]
    taken, later = waiting[: route.renderer.max_records], waiting[route.renderer.max_records :]
    messages = [event.message for event in taken if event.message is not None]
    batch = Batch(_batch_id(messages), now)
    if signer is not None:
        batch.references = signer.of(messages, [Source(TOPIC, 0, index) for index in range(len(messages))], now)
    rendered = route.renderer.render(messages, batch)
    plan.invalid += [(taken[index], error.reason) for index, error in rendered.invalid]
    if rendered.request is not None:
        sent = tuple(taken[index] for index in rendered.sent)
        request = _added(rendered.request, route.operation.auth, batch)
        plan.requests.append(RenderedRequest(route.operation.name, route.operation.auth, request, batch, sent, key))
    return [taken[index] for index in rendered.left] + later


def _added(request: Request, auth: Auth, batch: Batch) -> Request:
    """With what is added when it is sent; a mask stands for signatures and tokens."""
    clockwork = Clockwork(batch.now, lambda: hashlib.blake2b(batch.id.encode(), digest_size=16).hexdigest())
    match auth:
        case Sign(additions):
            return Signer(additions).sign(request, clockwork, masked=True).request
        case Login():
            names = login_names(auth)
            signer = Signer(auth.use, names=names, place="auth.login.use")
            return signer.sign(request, clockwork, dict.fromkeys(names, MASK), masked=True).request
    return request


def _batch_id(messages: Sequence[Message]) -> str:
    """The connector draws them at random; here the same events show the same request."""
    names = "\n".join(message.message_id for message in messages)
    return hashlib.blake2b(names.encode(errors="replace"), digest_size=16).hexdigest()


def references(definition: Definition, events: Iterable[NamedEvent]) -> list[str]:
    """The definition's `${NAME}` that no event holds: a shell must never put a secret where a user wrote its name."""
    texts = [orjson.dumps(msgspec.to_builtins(event.message)).decode() for event in events]
    return [reference for reference in definition.secrets if not any(reference in text for text in texts)]
