"""What a reply means that no rule of the definition meets."""

from __future__ import annotations

import pytest

from connector.model import Outcome, Reply
from connector.response.reply_reader import compile_response

from .build import messages, operation, read, reader, reply


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (429, "throttle"),
        (300, "pause"),
        (301, "pause"),
        (399, "pause"),
        (401, "pause"),
        (402, "pause"),
        (403, "pause"),
        (404, "pause"),
        (405, "pause"),
        (407, "pause"),
        (400, "split"),
        (413, "split"),
        (414, "split"),
        (422, "split"),
        (431, "split"),
        (421, "retry"),
        (425, "retry"),
        (408, "uncertain"),
        (500, "uncertain"),
        (503, "uncertain"),
        (599, "uncertain"),
        (406, "reject"),
        (410, "reject"),
        (499, "reject"),
        (100, "unknown"),
        (199, "unknown"),
        (600, "unknown"),
        (0, "unknown"),
    ],
)
@pytest.mark.parametrize("described", [True, False])
def test_each_status_has_its_outcome_with_and_without_a_response(status: int, then: str, described: bool) -> None:
    by = reader() if described else compile_response(operation(None))
    reading = read(by, reply("{}", status), 3)
    assert reading.whole is not None
    assert [outcome.then for outcome in reading.outcomes] == [then] * 3
    assert reading.whole.then == then
    assert reading.whole.rule.startswith("built-in")


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (200, "unknown"),
        (204, "unknown"),
        (400, "unknown"),
        (401, "unknown"),
        (404, "unknown"),
        (414, "unknown"),
        (101, "unknown"),
        (999, "unknown"),
        (302, "pause"),
        (421, "retry"),
        (425, "retry"),
        (429, "throttle"),
        (408, "uncertain"),
        (500, "uncertain"),
        (503, "uncertain"),
    ],
)
@pytest.mark.parametrize("described", [True, False])
def test_of_a_reply_that_cannot_be_read_the_status_alone_decides(status: int, then: str, described: bool) -> None:
    """No rule is asked, not even one of the status alone: what it would go on to read is not there."""
    rules = [{"status": "100-599", "then": "accept", "id": "'x'"}]
    by = reader(rules=rules) if described else compile_response(operation(None))
    whole = read(by, Reply(status, {"retry-after": "7"}, fault="it broke off"), 3).whole
    assert whole is not None
    assert (whole.then, whole.after) == (then, None if then == "unknown" else 7.0)
    assert whole.reason.endswith(": it broke off")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_accept_only_where_response_is_absent(status: int) -> None:
    assert read(compile_response(operation(None)), reply("<html>", status)).outcomes[0].then == "accept"
    assert read(reader(), reply("{}", status)).outcomes[0].then == "unknown"


def test_split_of_one_message_is_reject() -> None:
    assert read(reader(), reply("{}", 400), 1).whole == Outcome(
        "reject", reason="HTTP 400 Bad Request", rule="built-in 400"
    )


def test_no_messages_give_no_outcomes() -> None:
    assert read(reader(), reply("{}", 400), 0).outcomes == []


def test_the_reason_of_unknown_says_why_a_body_cannot_be_read() -> None:
    outcome = read(reader(), reply("<html>oops</html>", 200)).outcomes[0]
    assert outcome.then == "unknown"
    assert outcome.reason == "the reply cannot be decoded: not JSON (expecting value at character 1) (HTTP 200 OK)"


def test_one_outcome_object_stands_for_all_messages() -> None:
    reading = read(reader(), reply("", 500), 5)
    assert all(outcome is reading.whole for outcome in reading.outcomes)
    assert len(messages(5)) == len(reading.outcomes)
