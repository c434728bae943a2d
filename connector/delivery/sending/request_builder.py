"""From a part to a request: decode, sort out what cannot be sent, render. Nothing happens until the lane acts on it."""

from __future__ import annotations

import random
import secrets
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace

import structlog

from connector.clock import Clock
from connector.definition.arguments import MISSING
from connector.definition.system import MESSAGE_ID, overridden
from connector.definition.walk import reads, refers
from connector.delivery.counts import LaneCounts
from connector.delivery.lane_host import LaneHost
from connector.delivery.outcomes.decision import Decision, OutcomeHandler
from connector.delivery.queue.attempt import Attempt, Part
from connector.delivery.queue.expiry import REASONS
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.route import Route
from connector.errors import MessageError
from connector.model import Batch, Message, ReferenceMaker, References, Status

log = structlog.get_logger(__name__)


class Router:
    """Chooses the operation of a message and names its window.

    Args:
        provider: for errors.
        routes: in order of preference.

    Attributes:
        provider: see above.
    """

    def __init__(self, provider: str, routes: Sequence[Route]) -> None:
        self.provider = provider
        self._first = routes[0]
        self._choices = [
            (
                index,
                None if route.operation.when is None else route.renderer.fits,
                # Without batching each message is a request: nothing to group by.
                route.renderer.batch_key if route.renderer.max_records > 1 else None,
            )
            for index, route in enumerate(routes)
        ]

    def windows(self, messages: Sequence[Message], items: Sequence[Item]) -> dict[WindowKey, list[Item]] | None:
        """Items by their windows, all at once; None where they have to be asked one by one. The hot path."""
        operation, renderer = self._first.operation, self._first.renderer
        keys = renderer.batch_keys(messages) if renderer.max_records > 1 else [None] * len(messages)
        if operation.when is not None or keys is None:
            return None
        campaigns, priorities = [message.campaign_id for message in messages], [item.priority for item in items]
        groups: defaultdict[tuple[str | None, Hashable, bool], list[Item]] = defaultdict(list)
        for key, item in zip(zip(campaigns, keys, priorities, strict=True), items, strict=True):
            groups[key].append(item)
        return {WindowKey(0, *key): group for key, group in groups.items()}  # a named key per window, not per message

    def key(self, message: Message, priority: bool, after: int = -1) -> WindowKey:
        """The window of a message: of the first operation behind `after` that it fits.

        Raises:
            MessageError: none fits, or the batch it belongs to cannot be determined.
        """
        for index, fits, batch_key in self._choices:
            if index > after and (fits is None or fits(message)):
                return WindowKey(
                    index, message.campaign_id, None if batch_key is None else batch_key(message), priority
                )
        raise MessageError(f"no operation of provider {self.provider!r} fits this message")


class RequestBuilder:
    """Makes requests of parts.

    Args:
        host: decodes the messages.
        counts: are kept.
        signer: makes what receipts name messages by; None where none are asked for.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        router: Router,
        *,
        host: LaneHost,
        outcome_handler: OutcomeHandler,
        counts: LaneCounts,
        clock: Clock,
        signer: ReferenceMaker | None = None,
    ) -> None:
        self._counts = counts
        self._routes = routes
        self._reading_message_id = {index for index, route in enumerate(routes) if reads(route.operation, MESSAGE_ID)}
        self._signer = signer
        self._referring = {index for index, it in enumerate(routes) if signer is not None and refers(it.operation)}
        self._router = router
        self._host = host
        self._outcome_handler = outcome_handler
        self._clock = clock
        # Unique, not secret: asking the system each time would let other threads go first.
        self._random = random.Random(secrets.randbits(256))  # noqa: S311

    def dismiss(self, dismissed: Sequence[tuple[Item, Status]]) -> Decision:
        """The results of messages that end without a request."""
        decision = Decision()
        for item, status in dismissed:
            message = self._message(item, decision)
            if message is not None:
                decision.add(item, self._outcome_handler.unsent(item, message, status, REASONS[status]))
        return decision

    def _message(self, item: Item, decision: Decision) -> Message | None:
        """Decode; None when it is no message any more, which then ends."""
        try:
            return self._host.decode([item])[0]
        except MessageError as error:
            decision.add(item, self._outcome_handler.unsent(item, None, Status.INVALID, error.reason))
            return None

    def prepare(self, part: Part) -> tuple[Attempt | None, Decision]:
        """The request of a part, None when none of its messages is to be sent now; and what becomes of the others."""
        route = self._routes[part.key.operation]
        decision = Decision()
        items, messages = self._sendable(part, decision)
        if not items:
            return None, decision
        if part.split is not None and part.split.budget <= 0:
            for item, message in zip(items, messages, strict=True):
                decision.add(item, self._outcome_handler.spent(item, message, part.split))
            return None, decision
        now = self._clock.monotonic()
        if part.sealed is not None and now < part.sealed.until and len(items) == len(part.items):
            batch = replace(
                part.sealed.batch, references=self._references(part.key, items, messages, part.sealed.batch.now)
            )
            changes = self._host.suppression_changes
            return Attempt(part, route, items, messages, part.sealed.request, batch, now, changes), decision
        if len(items) < route.renderer.min_records:
            self._pass_on(part, items, messages, decision)
            return None, decision
        return self._rendered(Part(part.key, items, None, part.split), messages, decision), decision

    def _sendable(self, part: Part, decision: Decision) -> tuple[list[Item], list[Message]]:
        """Decode; messages that came too late, must not be sent, or are none any more, end here."""
        wall = self._clock.wall()
        if not [1 for item in part.items if item.deadline is not None and item.deadline <= wall]:
            try:
                items, messages = part.items, self._host.decode(part.items)
            except MessageError:
                pass  # one of them: which, is found out below
            else:
                return self._not_suppressed(items, messages, decision)
        items, messages = [], []
        for item in part.items:
            message = self._message(item, decision)
            if message is None:
                continue
            if item.deadline is not None and item.deadline <= wall:
                decision.add(item, self._outcome_handler.unsent(item, message, Status.EXPIRED, REASONS[Status.EXPIRED]))
            else:
                items.append(item)
                messages.append(message)
        return self._not_suppressed(items, messages, decision)

    def _not_suppressed(
        self, items: list[Item], messages: list[Message], decision: Decision
    ) -> tuple[list[Item], list[Message]]:
        """Those whose numbers may be texted: asked before each request, as somebody may have opted out meanwhile."""
        suppressed = self._host.suppressed(items, messages)
        if not suppressed:
            return items, messages
        for item, message, is_suppressed in zip(items, messages, suppressed, strict=True):
            if is_suppressed:
                status = Status.SUPPRESSED
                decision.add(item, self._outcome_handler.unsent(item, message, status, REASONS[status]))
        return (
            [item for item, is_suppressed in zip(items, suppressed, strict=True) if not is_suppressed],
            [message for message, is_suppressed in zip(messages, suppressed, strict=True) if not is_suppressed],
        )

    def _pass_on(self, part: Part, items: list[Item], messages: list[Message], decision: Decision) -> None:
        """Too few for their operation: message by message to the next one that fits."""
        passed: dict[WindowKey, list[Item]] = {}
        for item, message in zip(items, messages, strict=True):
            try:
                key = self._router.key(message, part.key.high, part.key.operation)
            except MessageError as error:
                decision.add(item, self._outcome_handler.unsent(item, message, Status.INVALID, error.reason))
            else:
                passed.setdefault(key, []).append(item)
        decision.untouched += [Part(key, group) for key, group in passed.items()]

    def _rendered(self, part: Part, messages: list[Message], decision: Decision) -> Attempt | None:
        route = self._routes[part.key.operation]
        items = part.items
        batch = Batch(f"{self._random.getrandbits(128):032x}", self._clock.wall())
        batch.references = self._references(part.key, items, messages, batch.now)
        rendered = route.renderer.render(messages, batch)
        for index, error in rendered.invalid:
            result = self._outcome_handler.unsent(items[index], messages[index], Status.INVALID, error.reason)
            decision.add(items[index], result)
        if rendered.left:
            decision.untouched.append(Part(part.key, [items[index] for index in rendered.left], None, part.split))
        if rendered.request is None:
            return None
        if part.split is not None:
            part.split.budget -= 1
        if len(rendered.sent) < len(messages):
            items = [items[index] for index in rendered.sent]
            messages = [messages[index] for index in rendered.sent]
        if part.key.operation in self._reading_message_id:
            self._count_overridden(messages)
        part = Part(part.key, items, None, part.split)
        started, changes = self._clock.monotonic(), self._host.suppression_changes  # nothing has waited since it said
        return Attempt(part, route, items, messages, rendered.request, batch, started, changes)

    def _references(
        self, key: WindowKey, items: Sequence[Item], messages: Sequence[Message], now: float
    ) -> References | None:
        """What receipts will name the messages by, where their operation sends it."""
        if self._signer is None or key.operation not in self._referring:
            return None
        return self._signer.of(messages, [item.event() for item in items], now)

    def _count_overridden(self, messages: Sequence[Message]) -> None:
        """Their `custom.MessageID` goes before `message_id` for one release: whoever sends it is told, once."""
        number = sum(1 for message in messages if overridden(message) is not MISSING)
        if not number:
            return
        if not self._counts.custom_message_ids:
            log.warning(
                "events bring custom.MessageID, which is sent as $$MessageID; the next release sends their message_id: "
                "leave it out, or call the replacement by another name",
                provider=self._router.provider,
            )
        self._counts.custom_message_ids += number
