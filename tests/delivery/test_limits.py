"""Limiter, breaker, concurrency, backoff and hours, each alone with its clock driven."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.tree import Hours, Limits, Rate, Retry
from connector.delivery.limits.adaptive_concurrency import AdaptiveConcurrency
from connector.delivery.limits.backoff import Backoff
from connector.delivery.limits.circuit_breaker import BreakerSettings, BreakerState, CircuitBreaker
from connector.delivery.limits.rate_limiter import GRAINS, Meter, RateLimiter
from connector.delivery.limits.send_hours import SendHours
from tests.thorough import examples

# ---- limiter --------------------------------------------------------------------------------------------------------


@given(
    amount=st.integers(1, 500),
    seconds=st.sampled_from([1.0, 5.0, 60.0]),
    demand=st.lists(st.tuples(st.integers(1, 200), st.floats(0.0, 3.0)), min_size=5, max_size=80),
)
@settings(max_examples=examples(150), deadline=None)
def test_never_more_than_the_amount_in_any_window(amount: int, seconds: float, demand: list[tuple[int, float]]) -> None:
    """Counted exactly, as a strict provider would, over every window that ends with a grant."""
    now = 50.0
    meter = Meter(Rate(amount, seconds), now)
    grants: list[tuple[float, int]] = []
    for wanted, pause in demand:
        number = min(wanted, amount)
        now += pause
        now += meter.delay(number, now)
        assert meter.delay(number, now) == pytest.approx(0.0, abs=1e-6)
        meter.grant(number, now)
        grants.append((now, number))
        in_window = sum(granted for at, granted in grants if at > now - seconds + 1e-6)
        assert in_window <= amount + 1e-6


@given(st.integers(1, 1000), st.sampled_from([1.0, 5.0, 60.0]))
@settings(deadline=None)
def test_the_rate_is_reached_but_for_a_grain(amount: int, seconds: float) -> None:
    now = 0.0
    meter = Meter(Rate(amount, seconds), now)
    granted = 0
    while now < 20 * seconds:
        now += meter.delay(1, now)
        meter.grant(1, now)
        granted += 1
        assert len(meter._grants) <= GRAINS + 2
    assert granted >= 20 * amount * (1 - 2 / GRAINS) - amount / GRAINS - 2


def test_a_meter_starts_empty_and_fills_evenly() -> None:
    """A restart must not bring a second burst into the window of the process before."""
    meter = Meter(Rate(300, 5.0), 100.0)
    assert meter.delay(1, 100.0) > 0
    assert meter.delay(150, 100.0) == pytest.approx(2.5, abs=0.1)
    assert meter.delay(300, 100.0) == pytest.approx(5.0)


def test_a_request_must_fit_every_limit() -> None:
    limiter = RateLimiter(Limits(requests=(Rate(10, 1.0), Rate(15, 60.0)), records=(Rate(100, 1.0),)), 0.0)
    now = 120.0
    for _ in range(10):
        assert limiter.delay(10, now) == 0.0
        limiter.grant(10, now)
    assert limiter.delay(1, now) == pytest.approx(1.0, abs=0.1)
    now += 1.1
    for _ in range(5):
        assert limiter.delay(1, now) == 0.0
        limiter.grant(1, now)
    assert limiter.delay(1, now) == pytest.approx(58.9, abs=1.0)


def test_a_share_of_the_limits_is_at_least_one() -> None:
    limiter = RateLimiter(Limits(requests=(Rate(10, 1.0),), records=(Rate(1000, 1.0),)), 0.0)
    limiter.share(0.25)
    assert limiter.largest == 250
    limiter.share(0.0001)
    assert limiter.largest == 1
    assert limiter.delay(1, 10.0) == 0.0


def test_the_longest_hold_counts() -> None:
    limiter = RateLimiter(Limits(), 0.0)
    limiter.hold(30.0)
    limiter.hold(10.0)
    assert limiter.delay(1, 5.0) == 25.0
    assert limiter.delay(1, 30.0) == 0.0


# ---- breaker --------------------------------------------------------------------------------------------------------


def breaker(**changes: float) -> CircuitBreaker:
    return CircuitBreaker(BreakerSettings(**{"delay": 2.0, "cap": 16.0, **changes}), lambda: 0.5)  # type: ignore[arg-type]


def test_few_failures_are_no_outage() -> None:
    made = breaker()
    for number in range(4):
        made.failure(float(number), "down", started=float(number), probe=False)
    assert made.state is BreakerState.CLOSED


def test_it_opens_at_the_ratio_within_the_window() -> None:
    made = breaker(in_a_row=100)
    for number in range(5):
        made.success(float(number), started=float(number), probe=False)
    for number in range(4):
        made.failure(5.0 + number, "down", started=5.0 + number, probe=False)
    assert made.state is BreakerState.CLOSED
    made.failure(9.0, "down", started=9.0, probe=False)
    assert (made.state, made.reason) == (BreakerState.OPEN, "down")
    assert made.delay(9.0) == 2.0


def test_failures_in_a_row_open_it_once_they_have_gone_on_for_a_second_or_are_many() -> None:
    made = breaker(requests=1000)
    for number in range(100):
        made.success(number * 0.01, started=number * 0.01, probe=False)
    for number in range(5):
        made.failure(1.0 + number * 0.1, "down", started=1.0 + number * 0.1, probe=False, attempts=5)
    assert made.state is BreakerState.CLOSED
    made.look(1.9)
    assert made.state is BreakerState.CLOSED
    made.look(2.0)
    assert made.state is BreakerState.OPEN
    made = breaker(requests=1000)
    for number in range(20):
        assert made.state is BreakerState.CLOSED
        made.failure(1.0 + number * 0.001, "down", started=1.0, probe=False, attempts=5)
    assert made.state is BreakerState.OPEN


def test_a_request_from_before_shows_nothing_of_what_began_after_it() -> None:
    made = breaker(requests=1000)
    for number in range(5):
        made.failure(10.0 + number * 0.1, "down", started=10.0, probe=False, attempts=5)
    made.success(10.6, started=2.0, probe=False)
    assert made.doubtful(5)
    assert made.outage(10.0, 5)
    made.look(39.0)
    assert made.state is BreakerState.CLOSED
    made.look(41.0)  # nobody has told: somebody has to be asked with
    assert made.state is BreakerState.OPEN
    made.probe()
    made.success(50.0, started=49.0, probe=True)
    assert not made.doubtful(5)
    assert made.outage(45.0, 5)  # it left before it was known to work again
    assert not made.outage(51.0, 5)


@pytest.mark.parametrize(("attempts", "needed"), [(1, 2), (2, 2), (3, 3), (5, 5), (100, 5)])
def test_an_outage_is_known_before_it_has_used_up_a_messages_attempts(attempts: int, needed: int) -> None:
    assert breaker().in_a_row(attempts) == needed


def test_old_failures_are_forgotten() -> None:
    made = breaker(window=10.0, in_a_row=100)
    for number in range(4):
        made.failure(float(number), "down", started=float(number), probe=False)
    made.failure(13.5, "down", started=13.5, probe=False)
    assert made.state is BreakerState.CLOSED


def test_one_probe_at_a_time_with_doubling_delays_up_to_the_cap() -> None:
    made = breaker()
    made.pause(0.0, "no credit", probe=False)
    now, delays = 0.0, []
    for _ in range(5):
        delays.append(made.delay(now))
        now += made.delay(now)
        made.probe()
        assert made.delay(now) == float("inf")
        made.failure(now, "down", started=now, probe=True)
    assert delays == [2.0, 4.0, 8.0, 16.0, 16.0]
    now += made.delay(now)
    made.probe()
    made.success(now, started=now, probe=True)
    assert (made.state, made.delay(now)) == (BreakerState.CLOSED, 0.0)
    made.pause(now, "no credit", probe=False)
    assert made.delay(now) == 2.0


def test_replies_to_requests_that_left_before_do_not_close_it() -> None:
    made = breaker()
    made.pause(0.0, "no credit", probe=False)
    made.success(1.0, started=1.0, probe=False)
    made.failure(1.0, "late", started=1.0, probe=False)
    assert (made.state, made.reason) == (BreakerState.OPEN, "no credit")


def test_a_pause_lasts_as_long_as_the_reply_says() -> None:
    made = breaker()
    made.pause(0.0, "quota", probe=False, after=300.0)
    assert made.delay(0.0) == 300.0


def test_an_abandoned_probe_may_be_tried_again_at_once() -> None:
    made = breaker()
    made.pause(0.0, "no credit", probe=False)
    made.probe()
    made.abandon()
    assert made.delay(2.0) == 0.0


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 20.0)), max_size=60))
@settings(deadline=None)
def test_failures_counted_are_those_in_the_history(events: list[tuple[bool, float]]) -> None:
    made, now = breaker(requests=1000, in_a_row=1000), 0.0
    for failed, pause in events:
        now += pause
        if failed:
            made.failure(now, "down", started=now, probe=False)
        else:
            made.success(now, started=now, probe=False)
        assert made._failures == sum(failed for _, failed in made._history)


# ---- concurrency ----------------------------------------------------------------------------------------------------


def test_slots_grow_by_about_one_per_round_up_to_the_maximum() -> None:
    made = AdaptiveConcurrency(8)
    assert made.slots == 4
    for _ in range(4):
        made.replied(100, 0.2)
    assert made.slots in {4, 5}
    for _ in range(100):
        made.replied(100, 0.2)
    assert made.slots == 8


def test_only_overload_halves_and_once_per_round() -> None:
    made = AdaptiveConcurrency(8)
    for _ in range(50):
        made.replied(1, 0.2)
    for _ in range(8):  # requests that were under way together
        made.overloaded(10.0, 10.3)
    assert made.slots == 4
    made.overloaded(10.4, 10.6)
    assert made.slots == 2
    for start in range(20):
        made.overloaded(11.0 + start, 11.5 + start)
    assert made.slots == 1


def test_slow_replies_stop_growth_and_never_shrink() -> None:
    made = AdaptiveConcurrency(100)
    made.replied(1000, 0.2)
    slots = made._limit
    for _ in range(10):
        made.replied(1000, 0.6)
    assert made._limit == slots


def test_latency_is_compared_among_batches_of_a_size() -> None:
    made = AdaptiveConcurrency(100)
    made.replied(1, 0.05)
    slots = made._limit
    made.replied(1000, 1.0)
    assert made._limit > slots


def test_a_smaller_maximum_counts_at_once() -> None:
    made = AdaptiveConcurrency(8)
    made.resize(1)
    assert made.slots == 1


def test_what_was_reached_is_kept_in_proportion_when_the_share_changes() -> None:
    made = AdaptiveConcurrency(64)
    made.resize(1)  # a worker that has no partitions yet
    made.resize(64)
    assert made.slots == 32
    made.overloaded(0.0, 1.0)
    made.resize(32)
    assert made.slots == 8


# ---- backoff and hours ----------------------------------------------------------------------------------------------


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 500))
def test_delays_double_up_to_the_cap_with_full_jitter(attempts: int, uniform: float, after: float | None) -> None:
    made = Backoff(Retry(base=1.0, cap=60.0), lambda: uniform)
    delay = made.delay(attempts, after)
    assert delay == max(uniform * min(60.0, 2.0 ** min(attempts - 1, 100)), after or 0.0)


def wall(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("hours", "now", "opens"),
    [
        (Hours(9 * 60, 21 * 60, "Asia/Kolkata"), "2025-03-01T12:00", "2025-03-01T12:00"),
        (Hours(9 * 60, 21 * 60, "Asia/Kolkata"), "2025-03-01T08:59", "2025-03-01T09:00"),
        (Hours(9 * 60, 21 * 60, "Asia/Kolkata"), "2025-03-01T21:00", "2025-03-02T09:00"),
        (Hours(22 * 60, 6 * 60, "Europe/Berlin"), "2025-03-01T23:30", "2025-03-01T23:30"),  # passes midnight
        (Hours(22 * 60, 6 * 60, "Europe/Berlin"), "2025-03-01T05:59", "2025-03-01T05:59"),
        (Hours(22 * 60, 6 * 60, "Europe/Berlin"), "2025-03-01T06:00", "2025-03-01T22:00"),
        (Hours(9 * 60, 21 * 60, "Europe/Berlin"), "2025-03-29T22:00", "2025-03-30T09:00"),  # an hour is skipped
        (Hours(0, 24 * 60, "Europe/Berlin"), "2025-03-01T23:59", "2025-03-01T23:59"),
    ],
)
def test_hours_are_those_of_the_zones_clock(hours: Hours, now: str, opens: str) -> None:
    assert SendHours(hours).opens_at(wall(now, hours.zone)) == wall(opens, hours.zone)


@given(
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 1, 1)),  # noqa: DTZ001
)
@settings(deadline=None)
def test_the_opening_is_open_and_not_in_the_past(start: int, end: int, moment: datetime) -> None:
    schedule = SendHours(Hours(start, end, "America/New_York"))
    now = moment.replace(tzinfo=UTC).timestamp()
    opening = schedule.opens_at(now)
    assert opening >= now
    assert schedule.opens_at(opening) == opening


def test_hours_need_no_zone_data_of_the_system() -> None:
    """Slim images have none."""
    code = "from connector.definition.tree import Hours; from connector.delivery.limits.send_hours import SendHours; "
    code += "SendHours(Hours(540, 1260, 'Asia/Kolkata'))"
    env = {**os.environ, "PYTHONTZPATH": ""}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
