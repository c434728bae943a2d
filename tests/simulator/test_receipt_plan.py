"""When whom is told what: planned from a seed and a clock; what waits, what is repeated, within bounds. No I/O."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.tools.simulator.callbacks.bulksms_callbacks import BulkSmsCallbacks
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.callbacks.twilio_callbacks import TwilioCallbacks
from connector.tools.simulator.callbacks.vonage_callbacks import VonageCallbacks
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.receipts.fate import FINAL, Fate, NetworkState, NewsKind, SentMessage
from connector.tools.simulator.receipts.outbox import Outbox, Parcel
from connector.tools.simulator.receipts.plan import Plan, plan
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import AnswerVerdict, Failure, Repetition, Reporter

URL = "https://sms.example.com/r/x/token"
NOW = 1_764_400_000.0


def sent(to: str = "+15550012345", **more: Any) -> SentMessage:
    return SentMessage(to, "id-1", NOW, **{"url": URL, **more})


def planned(*messages: SentMessage, reporter: type[Reporter] = TwilioCallbacks, **knobs: Any) -> Plan:
    return plan(reporter("demo", "secret"), messages, ReceiptKnobs(**knobs), NOW)


def told(parcels: tuple[Parcel, ...]) -> list[NetworkState | NewsKind]:
    return [each.state or each.kind for parcel in sorted(parcels, key=lambda it: it.due) for each in parcel.news]


S = NetworkState
ON_THE_WAY = [S.PENDING, S.SENT]


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (None, [*ON_THE_WAY, S.DELIVERED]),
        (Fate.SENT_ONLY, ON_THE_WAY),
        (Fate.UNDELIVERED, [*ON_THE_WAY, S.UNDELIVERED]),
        (Fate.EXPIRED, [*ON_THE_WAY, S.EXPIRED]),
        (Fate.CONTRADICTION, [*ON_THE_WAY, S.UNDELIVERED, S.DELIVERED]),
        (Fate.NEVER, []),
        (Fate.BLOCKED, [S.BLOCKED]),
        (Fate.STOP, [*ON_THE_WAY, S.DELIVERED, NewsKind.REPLY]),
    ],
)
def test_the_number_says_what_becomes_of_the_message(
    fate: Fate | None, expected: list[NetworkState | NewsKind]
) -> None:
    number = f"+155500{fate.value if fate else '2345'}42"
    assert told(planned(sent(number), inbound=URL).later) == expected


def test_a_receipt_before_the_reply_is_the_first_one_only() -> None:
    found = planned(sent("+15550000542"))
    assert told(found.early) == [S.PENDING]
    assert told(found.later) == [S.SENT, S.DELIVERED]


def test_five_receipts_of_each_state_and_a_click_where_the_provider_tells_clicks() -> None:
    assert sorted(told(planned(sent("+15550001042")).later)) == sorted([*ON_THE_WAY, S.DELIVERED] * 5)
    assert told(planned(sent("+15550000942"), reporter=CleverTapCallbacks).later) == [S.DELIVERED, NewsKind.CLICK]
    assert NewsKind.CLICK not in told(planned(sent("+15550000942")).later)


def test_without_a_url_nobody_is_told_and_one_that_nobody_can_call_is_none() -> None:
    for url in (None, "", "no url", "ftp://example.com/", "http://", "http://[::1/x"):
        assert planned(sent(url=url)) == Plan((), ()), url
    assert {parcel.url for parcel in planned(sent(url="http://"), url="http://127.0.0.1/r").later} == {
        "http://127.0.0.1/r"
    }


def test_delays_are_within_their_bounds_and_times_grow() -> None:
    times = [parcel.due - NOW for parcel in planned(sent(), delay=(1, 3)).later]
    steps = [after - before for before, after in zip([0, *times], times, strict=False)]
    assert all(1 <= step <= 3 for step in steps)


def test_disorder_reverses_what_is_told_and_not_what_happened() -> None:
    found = planned(sent(), disorder=1).later
    assert told(found) == [S.DELIVERED, S.SENT, S.PENDING]
    happened = sorted((each for parcel in found for each in parcel.news), key=lambda it: it.at)
    assert [(it.state, it.sequence) for it in happened] == [(S.PENDING, 1), (S.SENT, 2), (S.DELIVERED, 3)]


def test_a_late_receipt_comes_later_than_it_happened() -> None:
    last = max(planned(sent(), late=1, late_by=1000).later, key=lambda it: it.due)
    assert last.due - last.news[0].at == 1000


def test_a_forgery_says_the_opposite_of_every_final_state_and_stands_beside_the_truth() -> None:
    parcels = planned(sent(), bad_signature=1).later
    forged = [parcel for parcel in parcels if parcel.forged]
    assert told(tuple(forged)) == [S.UNDELIVERED]
    assert told(tuple(it for it in parcels if not it.forged)) == [*ON_THE_WAY, S.DELIVERED]
    assert forged[0].url == URL  # Twilio signs; elsewhere the URL is another one
    other = [it for it in planned(sent(), reporter=CleverTapCallbacks, bad_signature=1).later if it.forged]
    assert other[0].url != URL
    assert other[0].url[:-1] == URL[:-1]


@pytest.mark.parametrize(("split", "sizes"), [(None, [10, 10, 10]), (4, [4, 4, 4, 4, 4, 4, 4, 2]), (99, [10, 10, 10])])
def test_lists_hold_as_many_as_the_provider_sends_together(split: int | None, sizes: list[int]) -> None:
    messages = [sent(f"+1555001{n:04d}") for n in range(15)]
    found = planned(*messages, reporter=BulkSmsCallbacks, split=split).later
    assert [len(parcel.news) for parcel in found] == sizes


def test_each_part_has_a_receipt_of_its_own_where_the_provider_counts_parts() -> None:
    found = planned(sent(parts=("A", "B")), reporter=VonageCallbacks).later
    assert sorted((each.part, each.state) for parcel in found for each in parcel.news) == sorted(
        (part, state) for part in (0, 1) for state in (*ON_THE_WAY, S.DELIVERED)
    )


shares = st.sampled_from([0.0, 0.3, 1.0])


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("drop", "duplicate", "disorder", "before_reply", "late", "bad_signature"), shares)
    ),
    st.integers(0, 3),
)
def test_a_run_is_repeatable_whatever_order_messages_come_in(knobs: dict[str, float], seed: int) -> None:
    messages = [sent(f"+1555001{n:04d}", ref=str(n)) for n in range(8)]

    def flat(found: Plan) -> list[Any]:
        rows = [
            (each.sent.to, str(each.state), parcel.due, parcel.forged, early)
            for early, parcels in ((True, found.early), (False, found.later))
            for parcel in parcels
            for each in parcel.news
        ]
        return sorted(rows)

    once = flat(planned(*messages, seed=seed, **knobs))
    assert once == flat(planned(*reversed(messages), seed=seed, **knobs))
    if knobs["drop"] == 0:
        truth = {(row[0], row[1]) for row in once if not row[3]}
        assert len(truth) == 8 * 3


def test_another_seed_is_another_run() -> None:
    assert planned(sent(), seed=1) != planned(sent(), seed=2)


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (Repetition(), []),
        (Repetition(waits=(60, 120, 240)), [60, 120, 240]),
        (Repetition(waits=(90, 180), then=900, until=3000), [90, 180, 900, 900, 900]),
        (Repetition(waits=(1,) * 5, until=3), [1, 1, 1]),
    ],
)
def test_repeats_come_after_the_documented_seconds_and_end(retry: Repetition, waits: list[float]) -> None:
    found = [retry.wait(attempt, Failure.SERVER) for attempt in range(1, 9)]
    assert [wait for wait in found if wait is not None] == waits
    assert found[len(waits)] is None


@pytest.mark.parametrize(
    ("fragment", "failure", "times"),
    [
        ("", Failure.CONNECT, 1),
        ("", Failure.SERVER, 0),
        ("#rc=5&rp=all", Failure.SERVER, 5),
        ("#rc=9&rp=all", Failure.CLIENT, 5),
        ("#rc=3&rp=5xx,ct", Failure.SERVER, 3),
        ("#rc=3&rp=5xx", Failure.CONNECT, 0),
        ("#rc=0", Failure.CONNECT, 0),
    ],
)
def test_twilio_repeats_as_the_fragment_of_the_url_asks(fragment: str, failure: Failure, times: int) -> None:
    retry = TwilioCallbacks("demo", "secret").retry(URL + fragment)
    assert [retry.wait(attempt, failure) is not None for attempt in range(1, 8)].count(True) == times


@pytest.mark.parametrize(
    ("name", "status", "body", "verdict"),
    [
        ("twilio", 204, b"", AnswerVerdict.TAKEN),
        ("twilio", 302, b"", AnswerVerdict.AGAIN),
        ("bulksms", 404, b"", AnswerVerdict.DISCARDED),
        ("bulksms", 302, b"", AnswerVerdict.AGAIN),
        ("bulksms", 503, b"", AnswerVerdict.AGAIN),
        ("aws-eum", 403, b"", AnswerVerdict.DISCARDED),
        ("aws-eum", 429, b"", AnswerVerdict.AGAIN),
        ("aws-pinpoint", 200, b"ok", AnswerVerdict.AGAIN),
        ("aws-pinpoint", 200, b'{"requestId":"n","timestamp":1}', AnswerVerdict.TAKEN),
    ],
)
def test_an_answer_means_what_the_provider_says_it_means(
    name: str, status: int, body: bytes, verdict: AnswerVerdict
) -> None:
    reporter = PROVIDERS[name]().reporter
    assert reporter is not None
    assert reporter.verdict(status, body) is verdict


def test_the_outbox_gives_what_is_due_in_the_order_of_time_and_no_more_at_once_than_allowed() -> None:
    box = Outbox(concurrency=2)
    box.put(Parcel(due, URL) for due in (3.0, 1.0, 2.0, 9.0))
    assert box.take(0.5) is None
    first, second = box.take(5.0), box.take(5.0)
    assert first is not None
    assert second is not None
    assert (first.due, second.due, box.take(5.0), box.next_due()) == (1.0, 2.0, None, None)
    box.finish(first)
    assert box.next_due() == 3.0
    box.again(second, 4.0)
    assert [parcel.due for _ in range(2) if (parcel := box.take(5.0))] == [3.0, 4.0]
    assert (box.waiting, box.under_way) == (3, 2)


def test_what_waits_is_bounded_and_what_had_no_room_is_counted() -> None:
    box = Outbox(max_waiting=5)
    box.put(Parcel(1.0, URL, planned(sent()).later[0].news * 2) for _ in range(4))
    assert (box.waiting, box.forgotten) == (4, 4)


def test_every_fake_tells_final_states_only_in_words_of_its_own() -> None:
    for name, fake in PROVIDERS.items():
        if fake.reports is not None:
            assert fake.reports.words.keys() >= FINAL, name
