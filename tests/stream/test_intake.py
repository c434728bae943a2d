"""What intake makes of events and of messages that are filed anew: lane, retry topic or result."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from connector.clock import ManualClock
from connector.definition.tree import Definition, Retry
from connector.delivery.limits.backoff import Backoff
from connector.delivery.outcomes.decision import OutcomeHandler
from connector.delivery.queue.item import Item
from connector.errors import MessageError
from connector.model import Campaign, CampaignState, Result, Status
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable, campaign_record, decode_message
from connector.stream.intake.budget import Budget
from connector.stream.intake.intake import Intake
from connector.stream.intake.refusals import Refusals
from connector.stream.intake.unknown_fields import EventDecoder, UnknownFieldsPolicy
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from tests.stream.restoring import restorer

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()


class FakeLane:
    """Takes everything but `body: bad`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offered: list[str] = []
        self.open_count = self.open_bytes = self.windows = 0
        self.refusing = False
        self.status = SimpleNamespace(opens_in=0.0)

    def accepts(self, message) -> bool:
        return True

    def offer_all(self, items, messages) -> bool:
        if any(message.body == "bad" for message in messages):
            return False
        self.offered += [message.message_id for message in messages]
        return True

    def offer(self, item, message) -> None:
        if message.body == "bad":
            raise MessageError("no operation fits")
        self.offered.append(message.message_id)

    def expected_wait(self) -> float:
        return 60.0


class Bench:
    """Intake with two lanes."""

    def __init__(
        self,
        max_age: float | None = None,
        dry_run: bool = False,
        grace: float = 600,
        tiers: dict[float, str] | None = None,
        unknown_fields: UnknownFieldsPolicy = "report",
        **shares: float,
    ) -> None:
        self.clock = ManualClock(wall=NOON)
        self.a, self.b = FakeLane("a"), FakeLane("b")
        self.lanes = lanes = cast(Any, {"a": self.a, "b": self.b})
        self.control = ControlTable(self.clock, most=1 << 20, topic="sms.control")
        self.results: dict[str, str] = {}
        self.finals: list[Result] = []
        self.moved: list[str] = []
        self.budget = Budget(messages=100, bytes_=1 << 20, shares=shares)
        waits = Tiers(tiers or {5.0: "r.5s", 30.0: "r.30s", 3600.0: "r.1h"})
        self.unknown = UnknownNames(lanes, grace=grace, clock=self.clock)
        self.reader = EventDecoder(unknown_fields, self.clock)
        self.intake = Intake(
            lanes,
            control=self.control,
            failover=Failover(lanes),
            results=SimpleNamespace(add=self._finish),
            retries=SimpleNamespace(move=self._move),
            retry_routing=RetryRouting(waits, retries=SimpleNamespace(move=self._move), clock=self.clock, longest=300),
            sources=["m"],
            refusals=Refusals(dry_run=dry_run),
            restorer=restorer(waits),
            unknown=self.unknown,
            reader=self.reader,
            budget=self.budget,
            clock=self.clock,
            allowed=lambda to: True,
            max_age=max_age,
        )

    def read(self, **timestamps: int | None) -> None:
        """Events of these ids, as they come from the log with these timestamps."""
        partition = Partition("m", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
        records: list[Any] = [
            SimpleNamespace(offset=offset, value=self.item(message_id=name).raw, key=None, timestamp=at, headers=())
            for offset, (name, at) in enumerate(timestamps.items())
        ]
        self.intake.admit(partition, records)

    def _finish(self, items, results) -> None:
        self.finals += results
        self.results |= {result.message_id: str(result.status) for result in results}

    def _move(self, items, moved) -> None:
        self.moved += [it.topic for it in moved]

    def item(self, topic: str = "m", received: float = 0.0, uncertain: bool = False, **fields: Any) -> Item:
        event = {"message_id": "m1", "to": "+919812345678", "provider": "a", "campaign_id": "c", **fields}
        origin = SimpleNamespace(topic=topic, partition=0, live=True)
        received_at = datetime.fromtimestamp(NOON + received, UTC)
        return Item(msgspec.json.encode(event), origin, 7, None, received_at, uncertain=uncertain)

    def campaign(self, **fields: Any) -> None:
        self.control.apply(*campaign_record("c", Campaign(**fields)))


def test_what_is_filed_anew_reaches_its_lane_at_once():
    """Also beside one that no longer fits, which ends `invalid`."""
    bench = Bench()
    bench.intake.refile([bench.item(), bench.item(message_id="m2", body="bad"), bench.item(message_id="m3")])
    assert bench.a.offered == ["m1", "m3"]
    assert bench.results == {"m2": "invalid"}


def test_nothing_is_filed_anew_for_a_partition_that_has_gone():
    """Its new owner reads the event again."""
    bench = Bench()
    item = bench.item()
    item.origin.live = False
    bench.intake.refile([item])
    assert (bench.a.offered, bench.results, bench.moved) == ([], {}, [])


@pytest.mark.parametrize(
    ("campaign", "topic", "moved"),
    [
        ({"state": CampaignState.PAUSED}, "m", "r.5s"),
        ({"state": CampaignState.PAUSED}, "r.5s", "r.30s"),  # it climbs
        ({"hours": "14:00-15:00 UTC"}, "m", "r.1h"),
        ({"hours": "12:00-12:30 UTC"}, "m", None),
        ({}, "m", None),
    ],
)
def test_a_campaign_says_whether_its_messages_wait(campaign, topic, moved):
    """In a retry topic: they would hold memory and their partition back."""
    bench = Bench()
    bench.campaign(**campaign)
    bench.intake.refile([bench.item(topic)])
    assert bench.moved == ([moved] if moved else [])
    assert bench.a.offered == ([] if moved else ["m1"])


@pytest.mark.parametrize(("uncertain", "status"), [(False, "cancelled"), (True, "unknown")])
def test_messages_of_a_cancelled_campaign_end(uncertain, status):
    """What an earlier request may have brought to the provider is not called unsent."""
    bench = Bench()
    bench.campaign(state=CampaignState.CANCELLED)
    bench.intake.refile([bench.item(uncertain=uncertain)])
    assert bench.results == {"m1": status}


@pytest.mark.parametrize(
    ("fields", "received", "status"),
    [
        ({"provider": None, "campaign_id": None}, 0, "invalid"),  # nobody could ever supply it
        ({"provider": None}, 0, None),
        ({"provider": None}, -601, "invalid"),
        ({"provider": "new"}, 0, None),
        ({"provider": "new"}, -601, "invalid"),
    ],
)
def test_a_provider_that_is_not_known_yet_is_waited_for(fields, received, status):
    """Its definition, or its campaign, may be on the way: for `unknown_grace`."""
    bench = Bench()
    bench.intake.refile([bench.item(received=received, **fields)])
    assert bench.results == ({"m1": status} if status else {})
    assert bench.moved == ([] if status else ["r.5s"])


def test_a_campaign_that_comes_later_names_the_provider():
    """Its waiting messages then go there."""
    bench = Bench()
    bench.campaign(provider="b")
    bench.intake.refile([bench.item(provider=None)])
    assert bench.b.offered == ["m1"]


def test_a_reserve_is_not_diverted_until_half_of_it_is_used():
    """A lane that holds its share sends bulk to a retry topic; what has memory of its own waits in memory."""
    bench = Bench(urgent=0.2)
    bench.budget.charge("m", 40, 0)
    bench.a.open_count = 40  # what the reserve leaves is 80
    bench.intake.refile([bench.item(), bench.item("urgent", message_id="m2")])
    assert (bench.moved, bench.a.offered) == (["r.30s"], ["m2"])
    bench.budget.charge("urgent", 10, 0)
    bench.intake.refile([bench.item("urgent", message_id="m3")])
    assert bench.moved == ["r.30s", "r.30s"]


@pytest.mark.parametrize(
    ("own", "others", "several", "moved"),
    [
        ((49, 0), (0, 0), True, False),
        ((50, 0), (0, 0), True, True),  # half of 100
        ((25, 0), (50, 0), True, True),  # half of what another one leaves
        ((24, 0), (50, 0), True, False),
        ((1, 1 << 19), (0, 0), True, True),  # by bytes
        ((50, 0), (0, 0), False, False),  # nobody to leave room for
    ],
)
def test_a_lane_that_does_not_get_on_leaves_as_much_free_as_it_holds(own, others, several, moved):
    """Also beside others of its kind: however many are down, one that works finds room."""
    bench = Bench()
    if not several:
        del bench.lanes["b"]
    bench.a.open_count, bench.a.open_bytes = own
    bench.budget.charge("m", own[0] + others[0], own[1] + others[1])
    bench.intake.refile([bench.item()])
    assert bool(bench.moved) is moved


@pytest.mark.parametrize("unknown", [-1, None], ids=["none was set", "an old format"])
def test_an_event_without_a_timestamp_has_no_age(unknown):
    """Its neighbours have theirs."""
    bench = Bench(max_age=60.0)
    now = int(NOON * 1000)
    bench.read(old=now - 60_000, undated=unknown, new=now - 59_999)
    assert bench.results == {"old": "expired"}
    assert bench.a.offered == ["undated", "new"]


DAMAGED = b'{"message_id": "m1", "provider": "a", "to": "+919812345678", "body": "Hi \\ud83d"}'


def test_an_event_that_is_not_valid_json_ends_with_its_identity():
    bench = Bench()
    item = bench.item()
    item.raw = DAMAGED
    bench.intake.refile([item])
    (result,) = bench.finals
    assert (result.status, result.message_id, result.provider, result.to) == ("invalid", "m1", "a", "+919812345678")
    assert result.reason is not None
    assert result.reason.startswith("the event cannot be read: body: half of a character")


@pytest.mark.parametrize("uncertain", [False, True])
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_ends_at_intake_says_as_much_as_what_ends_in_a_lane(dry_run, uncertain):
    """One builder: segments, dry run, attempts, and `unknown` where an earlier request may have been taken."""
    bench = Bench(dry_run=dry_run)
    body = "n" * 161
    item = bench.item(body=body, expires_at=datetime.fromtimestamp(NOON - 1, UTC), uncertain=uncertain)
    item.attempts = 2
    bench.intake.refile([item])
    backoff = Backoff(Retry(), lambda: 0.5)
    definition = Definition(name="a", file="a.yaml", operations=())
    outcome_handler = OutcomeHandler(definition, backoff=backoff, clock=bench.clock, dry_run=dry_run)
    ours = outcome_handler.unsent(
        item, decode_message(item.raw), Status.EXPIRED, "older than max_age or past expires_at"
    )
    assert bench.finals == [ours]
    assert (ours.segments, ours.dry_run, ours.attempts) == (2, dry_run, 2)
    assert ours.status is (Status.UNKNOWN if uncertain else Status.EXPIRED)


@pytest.mark.parametrize(("grace", "waits"), [(600, [5, 30, 300, 300]), (60, [5, 30, 30]), (3, [5]), (0, [])])
@pytest.mark.parametrize("fields", [{"provider": "new"}, {"provider": None}], ids=["provider", "campaign"])
def test_an_event_without_a_definition_waits_longer_each_time(grace, waits, fields):
    """A handful of retry records per event, where waiting in the shortest tier writes a hundred."""
    bench = Bench(grace=grace, tiers={5.0: "r.5s", 30.0: "r.30s", 300.0: "r.5m", 3600.0: "r.1h"})
    topic, found = "m", []
    while not bench.finals:
        bench.intake.refile([bench.item(topic, **fields)])
        if bench.moved:
            topic = bench.moved.pop()
            delay = {"r.5s": 5, "r.30s": 30, "r.5m": 300, "r.1h": 3600}[topic]
            found.append(delay)
            bench.clock.advance(delay)
    assert found == waits
    assert bench.results == {"m1": "invalid"}
    assert sum(bench.unknown.counts.values()) == 1, "an event counts once, however often it is looked at"


def test_an_event_that_expires_meanwhile_waits_no_longer_than_that():
    bench = Bench()
    expires_at = datetime.fromtimestamp(NOON + 20, UTC)
    bench.intake.refile([bench.item("r.5s", provider="new", expires_at=expires_at)])
    assert bench.moved == ["r.5s"]


def test_a_reason_names_the_provider_that_may_have_been_meant():
    bench = Bench()
    bench.a.name = "acme"
    bench.lanes["acme"] = bench.lanes.pop("a")
    bench.intake.refile([bench.item(provider="acne"), bench.item(provider="acne", received=-601, message_id="m2")])
    assert [result.reason for result in bench.finals] == ["no provider definition `acne`; did you mean `acme`?"]


@pytest.mark.parametrize(("policy", "status"), [("ignore", None), ("report", None), ("invalid", "invalid")])
def test_an_unknown_field_ends_an_event_where_that_is_wanted_and_only_where_it_is_first_read(policy, status):
    bench = Bench(unknown_fields=policy)
    partition = Partition("m", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
    raw = bench.item(message_id="odd", expire_at="soon").raw
    good = bench.item(message_id="good").raw
    records: list[Any] = [
        SimpleNamespace(offset=offset, value=value, key=None, timestamp=None, headers=())
        for offset, value in enumerate((raw, good))
    ]
    bench.intake.admit(partition, records)
    assert bench.results == ({"odd": status} if status else {})
    if status:
        assert (
            bench.finals[0].reason
            == "the event cannot be read: `expire_at`: no field of a message; did you mean expires_at?"
        )
    bench.results.clear()
    bench.intake.refile([bench.item(message_id="waited", expire_at="soon")])
    assert bench.results == {}, "it was taken before"
