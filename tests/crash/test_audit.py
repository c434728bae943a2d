"""The audit finds each thing that can go wrong, counts it once, and allows exactly what the faults account for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from connector.cli.demo.audit import Event, SeenMessage
from connector.model import Result, Source, Status
from tests.crash.audit import Evidence, Moment, Recorded, Send, audit, read_event, read_send
from tests.crash.deeds import compare_deeds
from tests.kafka.records import Record

AT = datetime(2025, 1, 1, tzinfo=UTC)
COUNT = 4


def source(number: int) -> Source:
    return Source("in", number % 2, number // 2)


def event(number: int) -> Event:
    return Event(source(number), f"m{number}", f"+91981{number:06d}")


def record(number: int, status: Status = Status.ACCEPTED, *, appended: float = 102.0) -> Recorded:
    at = source(number)
    result = Result(status, at, AT, f"m{number}", provider_message_id=f"id{number}")
    return Recorded(result, f"in/{at.partition}/{at.offset}", appended, at.partition)


def send(*numbers: int, time: float = 100.0, worker: str = "w0", answered: bool = True, again: str = "") -> Send:
    seen = tuple(SeenMessage(f"+91981{number:06d}", f"m{number}", taken=True) for number in numbers)
    return Send(time, worker, seen, {f"m{number}": f"id{number}{again}" for number in numbers}, answered)


def evidence() -> Evidence:
    """Four events, one request with all of them, four results."""
    return Evidence(
        [event(n) for n in range(COUNT)],
        [record(n) for n in range(COUNT)],
        [send(*range(COUNT))],
        0,
        answer_seconds=1.0,
        request_messages=8,
    )


def test_a_run_without_faults_has_no_complaints() -> None:
    found = audit(evidence())
    assert list(found.complaints()) == []
    assert (found.messages, found.statuses, found.allowed) == (COUNT, {"accepted": COUNT}, 0)


def _lose(it: Evidence) -> None:
    it.results = it.results[1:]


def _double(it: Evidence) -> None:
    it.results = [*it.results, record(2)]


def _send_twice(it: Evidence) -> None:
    it.sends = [*it.sends, send(1, 2, time=101.0, again="x")]


def _send_after_result(it: Evidence) -> None:
    it.sends = [*it.sends, send(3, time=103.0)]
    it.moments = [Moment("w0", 100.5, "killed")]


def _without_header(it: Evidence) -> None:
    it.results = [replace(it.results[0], settles=""), *it.results[1:]]


def _elsewhere(it: Evidence) -> None:
    it.results = [replace(it.results[0], partition=1), *it.results[1:]]


def _id_of_another(it: Evidence) -> None:
    swapped = record(0)
    swapped.result.provider_message_id = "id3"
    it.results = [swapped, *it.results[1:]]


def _repeat(it: Evidence, status: Status, earlier: int | None) -> None:
    """One more event of m0's partition, with its id."""
    again = replace(event(0), source=Source("in", 0, 9))
    result = Result(status, again.source, AT, "m0", duplicate_of=None if earlier is None else source(earlier))
    it.events = [*it.events, again]
    it.results = [*it.results, Recorded(result, "in/0/9", 101.0, 0)]


def _repeat_sent(it: Evidence) -> None:
    _repeat(it, Status.ACCEPTED, None)
    it.sends = [*it.sends, send(0, time=101.0)]


def _repeats_another(it: Evidence) -> None:
    _repeat(it, Status.DUPLICATE, 2)


def _accepted_unsent(it: Evidence) -> None:
    it.sends = [send(0, 1, 2)]
    it.results[3].result.provider_message_id = None


def _rejected_but_taken(it: Evidence) -> None:
    it.results = [record(0, Status.REJECTED), *it.results[1:]]


def _unknown(it: Evidence) -> None:
    it.results = [record(0, Status.UNKNOWN), *it.results[1:]]


def _guess_a_broken_reply(it: Evidence) -> None:
    it.sends = [replace(it.sends[0], doubtful=True)]
    it.results = [*(record(number, Status.UNKNOWN) for number in range(3)), record(3)]


def _send_again_what_a_broken_reply_was_for(it: Evidence) -> None:
    it.sends = [replace(it.sends[0], doubtful=True), send(0, 1, time=101.0, again="x")]
    it.results = [record(number, Status.UNKNOWN) for number in range(COUNT)]


def _read_for_long(it: Evidence) -> None:
    it.readings = [0.01, 2]


def _guess(it: Evidence) -> None:
    it.doubtful = it.doubtful_least = 2
    _unknown(it)


def _send_while_unwritable(it: Evidence) -> None:
    """Sent before, again while nothing could be written, and written in the end; accounted for by a kill."""
    it.unwritable = [(100.5, 101.5)]
    it.sends = [*it.sends, send(1, 2, time=101.0, again="x")]
    it.moments = [Moment("w0", 100.5, "killed")]


def _behind(it: Evidence) -> None:
    it.uncommitted = 3


def _before_its_time(it: Evidence) -> None:
    it.send_at = {"m1": 100.1, "m2": 99.9, "m3": 100.0}


def _beyond_the_cap(it: Evidence) -> None:
    it.over_cap = 3


@pytest.mark.parametrize(
    ("spoil", "name", "count"),
    [
        (_lose, "lost", 1),
        (_double, "duplicated_results", 1),
        (_send_twice, "duplicated_sends", 2),
        (_send_after_result, "needless", 1),
        (_without_header, "misplaced", 1),
        (_elsewhere, "misplaced", 1),
        (_id_of_another, "misplaced", 1),
        (_repeat_sent, "misjudged", 1),
        (_repeats_another, "misjudged", 1),
        (_accepted_unsent, "denied", 1),
        (_rejected_but_taken, "denied", 1),
        (_unknown, "unknown", 1),
        (_guess, "guessed", 1),
        (_behind, "uncommitted", 3),
        (_before_its_time, "early", 1),
        (_beyond_the_cap, "over_cap", 3),
        (_send_while_unwritable, "unreported", 2),
        (_guess_a_broken_reply, "guessed", 1),
        (_send_again_what_a_broken_reply_was_for, "duplicated_sends", 2),
        (_read_for_long, "reading", 2),
    ],
)
def test_each_broken_promise_is_found_and_is_the_only_one(
    spoil: Callable[[Evidence], None], name: str, count: int
) -> None:
    it = evidence()
    spoil(it)
    found = audit(it)
    assert getattr(found, name) == count
    assert [complaint.split(":")[0].replace(" ", "_") for complaint in found.complaints()] == [name]


def test_only_sends_of_what_was_owed_while_nothing_could_be_written_count_as_unreported() -> None:
    it = evidence()
    assert audit(it).unreported is None
    it.unwritable = [(90.0, 91.0)]
    assert audit(it).unreported == 0  # sent later
    it.unwritable = [(102.5, 103.0)]
    assert audit(it).unreported == 0  # written before
    it.unwritable = [(101.0, 101.5)]
    assert audit(it).unreported == 1
    it.results = it.results[1:]
    it.sends = [*it.sends, send(0, time=200.0)]
    assert audit(it).unreported == 2  # never written: whatever is sent later was sent without a report


def test_an_event_that_repeats_an_earlier_one_is_not_sent_and_says_so() -> None:
    it = evidence()
    _repeat(it, Status.DUPLICATE, 0)
    assert list(audit(it).complaints()) == []
    it.sends = [*it.sends, send(0, time=101.0)]
    assert [complaint.split(":")[0] for complaint in audit(it).complaints()] == ["duplicated sends"]


def test_a_hard_kill_allows_what_was_at_the_provider_and_no_more() -> None:
    it = evidence()
    it.sends = [send(0, time=98.0), send(1, 2, 3, time=100.0), send(0, time=99.95, worker="w1")]
    it.sends += [send(1, 2, time=101.0, worker="w1")]
    it.moments = [Moment("w0", 100.5, "killed")]
    found = audit(it)
    assert found.allowed == 3  # not the request answered at 99.0, not the other worker's
    assert found.duplicated_sends == 3  # m0, m1, m2
    assert list(found.complaints()) == []
    it.sends += [send(3, 2, time=101.5, worker="w1")]
    assert [complaint.split(",")[0] for complaint in audit(it).complaints()] == ["duplicated sends: 5"]


def test_on_a_busy_machine_a_result_may_take_as_long_as_the_slowest_one_of_that_worker_did() -> None:
    it = evidence()
    it.sends = [send(0, time=90.0), send(1, 2, 3, time=98.5), send(1, 2, 3, time=101.0, worker="w1")]
    it.moments = [Moment("w0", 100.5, "killed")]
    assert [complaint.split(",")[0] for complaint in audit(it).complaints()] == ["duplicated sends: 3"]
    it.results = [record(0, appended=93.0), *it.results[1:]]
    assert list(audit(it).complaints()) == []
    it.sends = [replace(it.sends[0], answered=False), *it.sends[1:], send(0, time=92.0)]  # not the way from a lost one
    assert audit(it).allowed == 1


def test_a_reply_that_got_lost_allows_its_messages_to_be_sent_again_only_under_resend() -> None:
    it = evidence()
    it.sends = [send(0, 1, 2, 3, answered=False), send(0, 1, 2, 3, time=101.0)]
    assert list(audit(it).complaints()) == []
    it.report = True
    assert [complaint.split(":")[0] for complaint in audit(it).complaints()] == ["duplicated sends"]


def test_under_report_what_was_at_the_provider_may_be_unknown_and_is_not_sent_again() -> None:
    it = evidence()
    it.report = True
    it.results = [record(0, Status.UNKNOWN), *it.results[1:]]
    assert [complaint.split(":")[0] for complaint in audit(it).complaints()] == ["unknown"]
    it.moments = [Moment("w0", 100.5, "killed")]
    found = audit(it)
    assert list(found.complaints()) == []
    assert (found.allowed, found.allowed_unknown) == (0, COUNT + 8)


def test_a_result_may_settle_the_retry_record_that_has_inherited_its_event() -> None:
    it = evidence()
    it.results = [replace(it.results[0], settles="retry.5s/0/9"), *it.results[1:]]
    it.inherited = {"retry.5s/0/9": "retry.1s/0/4", "retry.1s/0/4": "in/0/0"}
    assert list(audit(it).complaints()) == []
    it.inherited = {"retry.5s/0/9": "in/0/1"}
    assert audit(it).misplaced == 1
    it.inherited = {}
    assert audit(it).misplaced == 1
    it.purged = ("retry.5s/",)  # what it settled was deleted with it
    assert list(audit(it).complaints()) == []


def test_a_line_of_the_simulators_log_is_read_with_worker_messages_and_whether_it_was_answered() -> None:
    line = {
        "n": 1, "time": 5.0, "provider": "json", "path": "/json/send", "status": 200, "fault": None, "count": 2,
        "taken": [{"to": "+911", "ref": "m1", "id": "a"}], "refused": [{"to": "+912", "ref": "m2", "code": "x"}],
        "values": {"worker": "w3"},
    }  # fmt: skip
    found = read_send(orjson.dumps(line))
    assert found == Send(
        5.0, "w3", (SeenMessage("+911", "m1", True), SeenMessage("+912", "m2", False)), {"m1": "a"}, True
    )
    later = read_send(orjson.dumps(line | {"refused": [{"to": "+912", "ref": "m2", "code": "temporary"}]}))
    assert [message.ref for message in later.seen] == ["m1"]  # refused for now: to be sent again
    assert not read_send(orjson.dumps(line | {"status": None, "fault": "drop after"})).answered
    assert not read_send(orjson.dumps(line | {"status": 503, "fault": "error"})).answered
    assert read_send(orjson.dumps(line | {"fault": "broken headers"})).doubtful


def test_an_event_is_known_by_its_place() -> None:
    assert read_event(source(3), b'{"message_id": "m3", "to": "+1"}') == Event(source(3), "m3", "+1")


def _deed(topic: str, offset: int, value: object, **headers: bytes) -> Record:
    return Record(topic, 0, offset, b"k", orjson.dumps(value), headers, 1_000 + offset)


def test_a_deed_needs_a_record_before_it_and_what_stops_messages_needs_none() -> None:
    asked = [
        _deed("audit", 0, {"state": "asked", "request": "r0"}),
        _deed("audit", 9, {"state": "asked", "request": "late"}),
        _deed("audit", 1, {"state": "asked", "request": "r2", "after": "test-1"}),
        _deed("audit", 2, {"state": "done", "request": "never-asked"}),
    ]
    control = [
        _deed("control", 3, {"paused": False}, request=b"r0"),
        _deed("control", 4, {"paused": True}, request=b"unknown"),
        _deed("control", 5, {"paused": False}, request=b"late"),
        _deed("control", 6, {"paused": False}, request=b"never-asked"),
        _deed("control", 7, {"paused": False}),
    ]
    source = [_deed("in", 3, {"message_id": "test-1"}, test=b"true"), _deed("in", 4, {"message_id": "m1"})]
    source.append(_deed("in", 5, {"message_id": "test-2"}, test=b"true"))
    found = compare_deeds(control, source, asked)
    assert (found.done, found.unrecorded) == (5, ("control/0/5", "control/0/6", "in/0/5"))
