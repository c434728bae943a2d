# ruff: noqa: E501 - lines of libraries are as long as they are
"""What libraries log becomes one sentence a state, with a count, in words that people who operate it know."""

from __future__ import annotations

import logging

import pytest

from connector.clock import ManualClock
from connector.errors import Problem, TopicError
from connector.library_logs import AWAY, CALM_SECONDS, REPEAT_SECONDS, STATES, LibraryLines

# As they were written while brokers were killed, restarted, paused and cut off: logger, level, line → broker, why.
LINES = [
    ("aiokafka", "Unable connect to node with id 1: [Errno 111] Connect call failed ('127.0.0.1', 20640)", "1", "connection refused"),
    ("aiokafka", "Unable connect to \"127.0.0.1:20640\": [Errno 111] Connect call failed ('127.0.0.1', 20640)", "127.0.0.1:20640", "connection refused"),
    ("aiokafka", "Unable connect to node with id 3: [Errno -2] Name or service not known", "3", "no such host"),
    ("aiokafka", "Unable to update metadata from [1]", "1", None),
    ("aiokafka", "Unable to update metadata from [1, 2]", "", None),
    ("aiokafka", "Unable to request metadata from node with id 1: KafkaConnectionError('Connection at 127.0.0.1:20640 closed')", "1", "connection closed"),
    ("aiokafka.consumer.fetcher", "Failed fetch messages from 1: NodeNotReadyError: Attempt to send a request to node which is not ready (node id 1).", "1", None),
    ("aiokafka.consumer.fetcher", "Failed fetch messages from 2: [Error 7] RequestTimedOutError", "2", "no answer in time"),
    ("aiokafka.producer.sender", "Got error produce response: NodeNotReadyError: no connection to node 1", "1", None),
    ("aiokafka.consumer.group_coordinator", "Error sending OffsetCommitRequest to node 1 [NodeNotReadyError: …] -- marking coordinator dead", "1", None),
    ("aiokafka.consumer.group_coordinator", "Group Coordinator Request failed: NodeNotReadyError: Attempt to send a request to node which is not ready (node id 1).", "1", None),
    ("aiokafka.consumer.group_coordinator", "Heartbeat session expired - marking coordinator dead", "", None),
    ("aiokafka.consumer.group_coordinator", "Heartbeat failed for group g: coordinator (node 1) is either not started or not valid", "1", None),
]  # fmt: skip


class Log:
    """A handler's filter, and what passed it."""

    def __init__(self, level: int = logging.INFO) -> None:
        self.clock = ManualClock()
        self.lines = LibraryLines(self.clock, level=level)
        self.written: list[logging.LogRecord] = []

    def write(
        self, logger: str, message: str, *args: object, level: int = logging.ERROR, error: Exception | None = None
    ) -> None:
        info = (type(error), error, None) if error is not None else None
        record = logging.LogRecord(logger, level, "x.py", 1, message, args, info)
        if self.lines.filter(record):
            self.written.append(record)

    def told(self) -> list[str]:
        return [record.getMessage() for record in self.written]


@pytest.mark.parametrize(("logger", "line", "broker", "why"), LINES, ids=[line[:40] for _, line, *_ in LINES])
def test_a_broker_that_is_away_is_one_warning_that_names_it_and_why(
    logger: str, line: str, broker: str, why: str | None
) -> None:
    log = Log()
    log.write(logger, line)
    (record,) = log.written
    assert (record.getMessage(), record.levelname, record.name) == (AWAY, "WARNING", "kafka")
    assert vars(record).get("broker", "") == broker
    assert vars(record).get("why") == why


def test_an_outage_is_told_once_and_then_once_a_minute_with_a_count() -> None:
    log = Log()
    for _ in range(int(REPEAT_SECONDS) + 1):
        for logger, line, broker, _why in LINES:
            if broker in ("", "1"):
                log.write(logger, line)
        log.clock.advance(1)
    first, second = log.written
    assert "tries" not in vars(first)
    assert vars(second)["seconds"] == REPEAT_SECONDS
    assert vars(second)["tries"] > 300


def test_each_broker_is_told_by_itself_and_however_many_are_named_memory_is_bounded() -> None:
    log = Log()
    for number in range(3 * STATES):
        log.write("aiokafka", "Unable connect to node with id %s: [Errno 111] x", number)
    assert len(log.written) == 3 * STATES
    assert len(log.lines._states) <= STATES


def test_that_brokers_answer_again_is_told_once_when_they_have_for_some_seconds() -> None:
    log = Log()
    assert log.lines.answering() is None
    log.write("aiokafka", "Failed fetch messages from 1: closed")
    log.clock.advance(20)
    log.write("aiokafka", "Unable connect to node with id 1: closed")
    log.clock.advance(CALM_SECONDS - 1)
    assert log.lines.answering() is None
    log.clock.advance(2)
    assert log.lines.answering() == 20
    assert log.lines.answering() is None
    log.write("aiokafka", "Unable to update metadata from [1]")
    assert len(log.written) == 2, "it is another outage"


@pytest.mark.parametrize(
    ("logger", "line"),
    [
        ("aiokafka.consumer.group_coordinator", "Heartbeat failed for group g because it is rebalancing"),
        (
            "aiokafka.consumer.group_coordinator",
            "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError",
        ),
        ("aiokafka.consumer.group_coordinator", "Marking the coordinator dead (node 1)for group g."),
        ("aiokafka.consumer.group_coordinator", "Error sending X to node 1 [[Error 16] NotCoordinatorForGroupError]"),
        ("connector.stream.faust.app", "[^-BufferingApp]: Starting..."),
        ("connector.stream.faust.consumer", "[^--ChunkConsumer]: Consumer shutting down for user cancel."),
        ("faust.worker", "[^QuietWorker]: We experienced a crash! Reraising original exception..."),
    ],
)
def test_what_is_ordinary_is_for_debug_only(logger: str, line: str) -> None:
    level = logging.INFO if logger.startswith("connector") else logging.ERROR
    quiet, loud = Log(), Log(logging.DEBUG)
    quiet.write(logger, line, level=level)
    loud.write(logger, line, level=level)
    assert (quiet.told(), loud.told()) == ([], [line])


def test_what_is_not_known_is_passed_on_and_repeated_with_a_count() -> None:
    log = Log()
    for _ in range(100):
        log.write("aiokafka.consumer.fetcher", "Something %s new", "quite", level=logging.WARNING)
        log.clock.advance(1)
    assert log.told() == ["Something quite new"] * 2
    assert vars(log.written[1])["tries"] == 59


def test_a_crash_of_a_service_has_its_traceback_and_no_label_unless_it_is_for_a_person_to_mend() -> None:
    log = Log()
    log.write("connector.stream.faust.app", "[^-App]: Crashed reason=%r", KeyError("x"), error=KeyError("x"))
    assert log.told() == ["Crashed reason=KeyError('x')"]
    assert log.written[0].exc_info
    mend = TopicError([Problem("there is no topic")])
    log.write("connector.stream.faust.app", "[^-App]: Crashed reason=%r", mend, error=mend)
    assert len(log.written) == 1


@pytest.mark.parametrize("logger", ["connector.x", "aiokafkaesque", "aiohttp.server", "asyncio"])
def test_lines_of_others_are_as_they_are(logger: str) -> None:
    log = Log()
    for _ in range(10):
        log.write(logger, "[x] Unable to update metadata from [1]")
    assert log.told() == ["[x] Unable to update metadata from [1]"] * 10


def test_what_is_below_the_level_of_the_settings_is_not_written() -> None:
    log = Log(logging.WARNING)
    log.write("aiokafka", "Topic x is not available during auto-create initialization", level=logging.WARNING)
    assert log.told() == []
