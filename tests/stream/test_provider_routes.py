"""Which provider takes a message that names none: the first route that fits, and by weight always the same one."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.model import Campaign, Message, ProviderRoute
from connector.stream.control.provider_routes import provider_of
from connector.stream.control.table import ControlTable, campaign_record
from tests.stream.test_intake import Bench
from tests.thorough import examples


def route(use: str, prefix: str | None = None, weight: int | None = None) -> ProviderRoute:
    return ProviderRoute(use, prefix, weight)


def message(to: str = "+919812345678", message_id: str = "m1") -> Message:
    return Message(message_id, to)


INDIA = [route("msg91", "+91"), route("twilio", "1"), route("vonage")]


@pytest.mark.parametrize(
    ("routes", "to", "found"),
    [
        (INDIA, "+919812345678", "msg91"),
        (INDIA, "919812345678", "msg91"),  # events may leave the plus sign out, and so may routes
        (INDIA, "+14155550100", "twilio"),
        (INDIA, "+4915112345678", "vonage"),
        (INDIA[:2], "+4915112345678", None),
        (list(reversed(INDIA)), "+919812345678", "vonage"),  # in the order they are written
        ([route("a", "+91", 0), route("b")], "+919812345678", "b"),  # drained
        ([route("a", weight=0), route("b", weight=0)], "+919812345678", None),
        ([route("a", "+91", 1), route("b", weight=1_000_000)], "+919812345678", "a"),  # shares with those of its prefix
        ([], "+919812345678", None),
    ],
)
def test_the_first_route_that_fits_decides(routes, to, found):
    assert provider_of(routes, message(to)) == found


def test_messages_are_shared_out_by_weight():
    routes = [route("a", weight=70), route("b", weight=30), route("c", weight=0), route("d")]
    counts = Counter(provider_of(routes, message(message_id=f"m{number}")) for number in range(10_000))
    assert counts.keys() == {"a", "b"}
    assert 6_800 < counts["a"] < 7_200


IDS = st.text(max_size=40)
WEIGHTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1)


@settings(max_examples=examples(200))
@given(IDS, WEIGHTS, st.randoms())
def test_the_choice_is_the_messages_alone(message_id, weights, random):
    """Not of the order of routes, of the worker, or of the Python process."""
    routes = [route(name, None, weight) for name, weight in weights.items()]
    found = provider_of(routes, message(message_id=message_id))
    random.shuffle(routes)
    assert provider_of(routes, message(to="+14155550100", message_id=message_id)) == found


def test_the_choice_is_the_same_in_every_version():
    """A worker of another version, or a restart, must not send a message to another provider: pinned."""
    routes = [route("a", weight=1), route("b", weight=1)]
    chosen = "".join(provider_of(routes, message(message_id=f"m{number}")) or "" for number in range(16))
    assert chosen == PINNED


PINNED = "abababbbaabaabab"


@settings(max_examples=examples(200))
@given(IDS, WEIGHTS, st.sampled_from("abcdef"), st.integers(0, 1000))
def test_only_messages_that_have_to_move_do(message_id, weights, name, weight):
    """To a provider that gets more, or from one that gets less."""
    before = provider_of([route(it, None, own) for it, own in weights.items()], message(message_id=message_id))
    changed = {**weights, name: weight}
    after = provider_of([route(it, None, own) for it, own in changed.items()], message(message_id=message_id))
    if after != before:
        assert after == name if weight > weights.get(name, 0) else before == name


def test_an_events_own_provider_goes_first_then_its_campaigns_then_the_settings():
    control = ControlTable(ManualClock(), most=1 << 20, topic="c", routes=[route("fallback")])
    control.apply(*campaign_record("one", Campaign(provider="one")))
    control.apply(*campaign_record("many", Campaign(providers=(route("indian", "+91"),))))
    for fields, found in (
        ({"provider": "own", "campaign_id": "one"}, "own"),
        ({"campaign_id": "one"}, "one"),
        ({"campaign_id": "many"}, "indian"),
        ({"campaign_id": "many", "to": "+14155550100"}, "fallback"),
        ({"campaign_id": "unknown"}, "fallback"),
        ({}, "fallback"),
    ):
        item = Bench().item(**{"provider": None, "campaign_id": None, **fields})
        assert control.message_of(item).provider == found
        assert control.waiting([item])[0].provider == found, "when its request is made, as when it was admitted"


def test_messages_go_to_the_lane_that_was_chosen():
    bench = Bench()
    bench.control = bench.intake._control = ControlTable(
        bench.clock, most=1 << 20, topic="c", routes=[route("a", "+91"), route("b")]
    )
    bench.intake.refile(
        [bench.item(provider=None, campaign_id=None), bench.item(message_id="m2", provider=None, to="+14155550100")]
    )
    assert (bench.a.offered, bench.b.offered) == (["m1"], ["m2"])


@pytest.mark.parametrize(
    "record",
    [
        b'{"providers":[{"prefix":"+91"}]}',
        b'{"providers":[{"use":"a","prefix":"x"}]}',
        b'{"providers":[{"use":"a","weight":-1}]}',
        b'{"providers":[{"use":"a","wieght":1}]}',  # it says something, and nobody knows what
        b'{"providers":[' + b'{"use":"a"},' * 100 + b'{"use":"a"}]}',
    ],
)
def test_a_campaign_whose_routes_cannot_be_read_is_paused(record):
    control = ControlTable(ManualClock(), most=1 << 20, topic="c")
    control.apply(b"campaign:c", record)
    assert control.state("c") == "paused"


def test_a_campaign_says_its_routes_as_it_was_given_them():
    campaign = Campaign(providers=(route("a", "+91"), route("b", weight=3)))
    assert msgspec.json.decode(campaign_record("c", campaign)[1] or b"") == {
        "providers": [{"use": "a", "prefix": "+91"}, {"use": "b", "weight": 3}]
    }
