"""What a worker answers its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from connector.delivery.queue.item import Item
from connector.model import Message, Source
from connector.stream.pipeline import WorkerLaneHost
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.policy import Exemptions, SuppressionPolicy
from connector.suppressions.record import Phone


def host(policy: SuppressionPolicy | None) -> WorkerLaneHost:
    others = ("control", "permission", "results", "retry_routing", "progress", "budget")
    return WorkerLaneHost(**{name: cast(Any, None) for name in others}, suppressions=policy)


def asked(policy: SuppressionPolicy | None, *events: tuple[str, str, str | None]) -> Sequence[bool]:
    """Of events: topic, number and campaign. They are read from a retry topic."""
    origin: Any = SimpleNamespace(topic="sms.retry.5s", partition=0, live=True)
    now = datetime.now(UTC)
    items = [Item(b"", origin, it, None, now, source=Source(topic, 0, it)) for it, (topic, _, _) in enumerate(events)]
    return host(policy).suppressed(items, [Message("m", to, campaign_id=campaign) for _, to, campaign in events])


def test_only_where_somebody_must_not_be_texted_there_is_an_answer_for_each() -> None:
    """Anything else is taken for a reason not to send: a request to exempt people alone would be made again and again
    while the list grows.
    """
    phones = PhoneList()
    phones.add(Phone(919812345678, None))
    policy = SuppressionPolicy(phones, Exemptions(campaigns=["otp-*"], sources=["sms.otp"]), None)
    listed, other = "+919812345678", "+919800000001"
    assert asked(None, ("sms.messages", listed, None)) == ()
    assert asked(policy, ("sms.messages", other, None)) == ()
    assert asked(policy, ("sms.messages", listed, "otp-1"), ("sms.otp", listed, None)) == ()
    assert asked(policy, ("sms.messages", other, None), ("sms.messages", listed, "ads")) == [False, True]
