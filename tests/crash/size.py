"""How large a scenario is, and what follows from it: its events."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from connector.tools.simulator.fake import Magic
from tests import marked
from tests.crash.registry import as_avro
from tests.kafka.records import Event

REPEAT_ROUNDS = 400
"""A message repeats one of its partition that came at most so many of them before it."""
SCHEDULE_SECONDS = 30
ORDINARY = 10_000
"""The simulator gives numbers that end in 000001 to 000008 outcomes of their own."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is. Times in seconds.

    Attributes:
        messages: of its first phase.
        records, slots: messages per request, requests at once of the whole group.
        latency: of the provider.
        session: short where a worker is killed, as in production where nothing should be noticed.
        on_uncertain: of the definition.
        temporary: of so many messages one is refused for now, each time it is sent; 0 for none.
        refused: of so many messages one is refused for good; 0 for none.
        retry: how those are repeated until they end `failed`.
        scheduled: one message in so many has a `send_at`, up to SCHEDULE_SECONDS ahead; 0 for none.
        repeats: one message in so many has the id of an earlier one of its partition; 0 for none.
        providers: definitions, each with a simulator of its own; messages take turns.
        http_total: time-out of a request.
        receipts: receipts are asked for: their topics are made.
        avro: events are written so, and there is a schema registry.
        suppresses: workers look whom they must not text.
        lookups: they bring no reference, and have to be looked up.
        unknown_run: of the definitions, where they have one: connector 0.1 does not know it.
    """

    messages: int = 14_000
    partitions: int = 6
    campaigns: int = 5
    records: int = 50
    slots: int = 8
    latency: float = 0.25
    session: float = 3.0
    on_uncertain: str = "resend"
    http_total: float = 5.0
    replication: int = 1
    temporary: int = 0
    refused: int = 0
    scheduled: int = 0
    repeats: int = 0
    retry: str = "{attempts: 3, base: 3s, cap: 6s}"
    providers: tuple[str, ...] = ("fake",)
    unknown_run: str | None = None
    receipts: bool = False
    avro: bool = False
    suppresses: bool = False
    lookups: bool = False

    @property
    def at_once(self) -> int:
        """Messages that can be at the providers at one moment."""
        return self.records * self.slots * len(self.providers)

    def event(self, number: int, partitions: int) -> Event:
        """Partitions, providers and campaigns take turns, campaigns in short runs as a service makes them."""
        place, number = number % partitions, self._named(number, partitions)
        campaign = f"c{number // 7 % self.campaigns}"
        document = {
            "message_id": f"m{number}",
            "to": self.phone(number),
            "provider": self.providers[number // 3 % len(self.providers)],
            "campaign_id": campaign,
            "body": f"hello {marked.TEXT}",
            "custom": {"hid": f"h-{campaign}"},
        }
        if self.scheduled and number % self.scheduled == 0:
            ahead = number * 31 % (10 * SCHEDULE_SECONDS) / 10  # every tenth of a second, in no order
            document["send_at"] = datetime.fromtimestamp(time.time() + ahead, UTC).isoformat()
        return Event(as_avro(document, number) if self.avro else orjson.dumps(document), partition=place)

    def phone(self, number: int) -> str:
        """Whom message `number` is to."""
        magic = ""
        if self.temporary and number % self.temporary == 0:
            magic = Magic.TEMPORARY
        elif self.refused and number % self.refused == 0:
            magic = Magic.PERMANENT
        return f"+91{number:07d}{magic}" if magic else f"+9198{ORDINARY + number:08d}"

    def _named(self, number: int, partitions: int) -> int:
        """Whose id and recipient the message has: its own, or those of one that came soon or long before it."""
        if not self.repeats or number % self.repeats:
            return number
        earlier = number - partitions * (1 + number // self.repeats % REPEAT_ROUNDS)
        return number if earlier < 0 else earlier
