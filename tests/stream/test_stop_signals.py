"""Signals at every moment: before anybody is in charge, while something is waited for, twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from connector.stream.shutdown.stop_signals import StopSignals


@pytest.fixture
def signals() -> Iterator[StopSignals]:
    """Installed for one test."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    taken = StopSignals()
    taken.install()
    yield taken
    for number, handler in before.items():
        signal.signal(number, handler)


async def forever() -> str:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()
    return "never"


async def seven() -> int:
    await asyncio.sleep(0)
    return 7


def test_a_signal_that_came_before_anybody_was_in_charge_is_told_to_the_next_one(signals: StopSignals) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    told: list[signal.Signals] = []
    signals.tell(told.append)
    assert told == [signal.SIGTERM]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_one_counts(signals: StopSignals, number: signal.Signals) -> None:
    told: list[signal.Signals] = []
    signals.tell(told.append)
    for each in (number, signal.SIGTERM, signal.SIGINT):
        os.kill(os.getpid(), each)
    assert told == [number]
    assert signals.number is number


def test_what_waits_is_given_up_when_a_signal_comes(signals: StopSignals) -> None:
    assert signals.run(forever()) is None


def test_what_begins_after_a_signal_is_given_up_at_once(signals: StopSignals) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    assert signals.run(asyncio.sleep(3600, 1)) is None


def test_without_a_signal_there_is_a_result_or_an_error(signals: StopSignals) -> None:
    async def wrong() -> None:
        raise ValueError("wrong")

    assert signals.run(seven()) == 7
    with pytest.raises(ValueError, match="wrong"):
        signals.run(wrong())


def test_sighup_ends_nobody_before_somebody_takes_it(signals: StopSignals) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    assert signals.number is None
