"""Waiting for brokers that do not answer: for how long, and what ends it."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import IllegalStateError, KafkaConnectionError, TopicAuthorizationFailedError
from structlog.testing import capture_logs

from connector.clock import ManualClock
from connector.errors import ConfigurationError, ConnectorError
from connector.kafka import outage
from connector.kafka.outage import Outlast


class Broker:
    """Raises these in turn, a second apart, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.clock = ManualClock()
        self.asked = 0
        self._errors = list(errors)

    async def ask(self) -> str:
        self.asked += 1
        self.clock.advance(1)
        if self._errors:
            raise self._errors.pop(0)
        return "answer"

    async def outlast(self, *, patience: float = 10, limit: float = 1e9, wanted: Any = lambda: True) -> str | None:
        return await Outlast(self.clock, patience=patience, limit=limit)(self.ask, doing="asking", wanted=wanted)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "AGAIN_SECONDS", 0)


AWAY, REFUSED = KafkaConnectionError("no broker"), TopicAuthorizationFailedError("t")


async def test_an_answer_is_an_answer_and_nothing_is_logged() -> None:
    with capture_logs() as logs:
        assert await Broker().outlast() == "answer"
    assert logs == []


async def test_an_outage_is_told_once_and_its_end_too() -> None:
    with capture_logs() as logs:
        assert await Broker(*[AWAY] * 500).outlast() == "answer"
    assert [(it["event"], it["doing"]) for it in logs] == [
        ("Kafka does not answer; asking again until it does", "asking"),
        ("Kafka answers again", "asking"),
    ]
    assert logs[1]["seconds"] == 501


async def test_who_is_not_wanted_any_more_gives_up_without_an_answer() -> None:
    broker = Broker(*[AWAY] * 500)
    assert await broker.outlast(wanted=lambda: broker.asked < 3) is None
    assert broker.asked == 3


async def test_a_missing_permission_is_waited_for_as_long_as_patience_lasts() -> None:
    assert await Broker(*[REFUSED] * 5).outlast(patience=5) == "answer"
    with pytest.raises(ConfigurationError, match="asking: the brokers refuse it for 5 s") as caught:
        await Broker(*[REFUSED] * 6).outlast(patience=5)
    assert caught.value.exit_code == 78


async def test_patience_begins_anew_after_an_outage() -> None:
    assert await Broker(*[REFUSED] * 4, AWAY, *[REFUSED] * 4).outlast(patience=5) == "answer"


async def test_a_limit_ends_an_outage_with_what_it_was() -> None:
    with pytest.raises(ConnectorError, match="asking: Kafka does not answer: KafkaConnectionError") as caught:
        await Broker(*[AWAY] * 500).outlast(limit=30)
    assert caught.value.exit_code == 1


async def test_what_does_not_pass_is_raised_as_it_is() -> None:
    broker = Broker(IllegalStateError("not assigned"))
    with pytest.raises(IllegalStateError):
        await broker.outlast()
    assert broker.asked == 1
