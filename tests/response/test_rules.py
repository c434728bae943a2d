"""Which rule decides, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from connector.errors import DefinitionError
from connector.response.reply_reader import compile_response

from .build import NOW, batch, messages, operation, read, reader, reply, response

ACCEPT: dict[str, Any] = {"then": "accept"}


def decided(rules: list[dict[str, Any]], to: Any, **given: Any) -> Any:
    return read(reader(rules=rules, **given), to).outcomes[0]


@pytest.mark.parametrize(
    ("status", "holds"),
    [(200, True), (299, True), (199, False), (300, False), (503, True), (502, False)],
)
def test_status_is_any_of_the_ranges(status: int, holds: bool) -> None:
    outcome = decided([{"status": ((200, 299), (503, 503)), **ACCEPT}], reply("{}", status))
    assert (outcome.rule == "response.rules[0]") is holds


@pytest.mark.parametrize(
    ("headers", "holds"),
    [({"x_error": "quota exceeded"}, True), ({"x_error": "none"}, False), ({}, False)],
)
def test_header_is_searched_and_must_be_there(headers: dict[str, str], holds: bool) -> None:
    outcome = decided([{"header": {"X-Error": "quota|credit"}, "then": "pause"}], reply("{}", **headers))
    assert (outcome.then == "pause") is holds


CRLF = "(?m)^(?P<to>[0-9]+);FAIL$"


@pytest.mark.parametrize("body", ["7;FAIL\r\n8;FAIL\r\n", "9;OK\r\n7;FAIL\r\n9;OK", "7;FAIL\n", "7;FAIL\r\n"])
def test_a_line_ends_before_crlf_as_before_lf(body: str) -> None:
    outcome = decided([{"text": CRLF, "then": "reject", "code": "to"}], reply(body), decode=("none",))
    assert (outcome.then, outcome.code) == ("reject", "7")


def test_all_conditions_of_a_rule_must_hold() -> None:
    rules = [{"status": 200, "header": {"x-kind": "sms"}, "text": "(?P<word>OK)", "when": "word == 'OK'", **ACCEPT}]
    assert decided(rules, reply("OK", x_kind="sms")).then == "accept"
    assert decided(rules, reply("OK", x_kind="mms")).then == "unknown"
    assert decided(rules, reply("KO", x_kind="sms")).then == "unknown"
    assert decided(rules, reply("OK", 201, x_kind="sms")).then == "unknown"


def test_the_first_rule_that_holds_decides() -> None:
    rules = [{"when": "a", "then": "reject"}, {"status": 200, **ACCEPT}, {"when": "b", "then": "retry"}]
    assert decided(rules, reply({"a": 1, "b": 1})).rule == "response.rules[0]"
    assert decided(rules, reply({"b": 1})).rule == "response.rules[1]"


def test_the_definitions_rules_come_before_the_built_in_ones() -> None:
    rules = [{"status": ((500, 599),), "when": "code == 'DUP'", **ACCEPT}]
    assert decided(rules, reply({"code": "DUP"}, 500)).then == "accept"
    assert decided(rules, reply("<html>", 500)).then == "uncertain"
    assert decided(rules, reply({"code": "DUP"}, 400)).then == "reject"


def test_named_groups_of_text_are_the_document() -> None:
    rules = [{"text": r"^error \| (?P<code>\d+) \| (?P<why>.*)$", "then": "reject", "code": "code", "reason": "why"}]
    outcome = decided(rules, reply("error | 102 | no credit"), decode=("none",))
    assert (outcome.then, outcome.code, outcome.reason) == ("reject", "102", "no credit")


def test_text_without_groups_leaves_the_decoded_document() -> None:
    rules = [{"text": "credit", "then": "pause", "code": "code"}]
    assert decided(rules, reply({"code": 7, "message": "no credit"})).code == "7"


def test_named_groups_of_headers_are_the_document_too() -> None:
    rules = [
        {"status": 201, "header": {"location": "/messages/(?P<id>[^/]+)$", "x": "."}, "then": "accept", "id": "id"}
    ]
    outcome = decided(rules, reply({"id": "not this"}, 201, location="https://x.example/messages/m-7", x="y"))
    assert (outcome.then, outcome.provider_batch_id) == ("accept", "m-7")
    both = [
        {
            "header": {"x-code": r"(?P<code>\d+)"},
            "text": "because (?P<why>.*)",
            "when": "code == '7'",
            "then": "reject",
            "code": "code",
            "reason": "why",
        }
    ]
    outcome = decided(both, reply("because of it", x_code="E7"))
    assert (outcome.then, outcome.code, outcome.reason) == ("reject", "7", "of it")
    assert decided(both, reply("because of it", x_code="E8")).then == "unknown"


def test_what_a_cut_off_text_ends_with_is_not_believed() -> None:
    rules = [{"text": r"^OK (?P<id>\d+)$", "then": "accept", "id": "id"}, {"text": "^<html", "then": "retry"}]
    given = reader(decode=("none",), rules=rules)
    assert read(given, reply("OK 12")).outcomes[0].then == "accept"
    assert read(given, reply("OK 12", truncated=True)).outcomes[0].then == "unknown"
    assert read(given, reply("<html><body>", truncated=True)).outcomes[0].then == "retry"


def test_a_group_that_took_no_part_is_null() -> None:
    rules = [{"text": "(?P<ok>OK)|(?P<no>NO)", "when": "ok", **ACCEPT}, {"text": "(?P<no>NO)", "then": "reject"}]
    assert decided(rules, reply("OK")).then == "accept"
    assert decided(rules, reply("NO")).then == "reject"


def test_when_never_holds_on_what_cannot_be_decoded() -> None:
    rules = [{"when": "!error", **ACCEPT}]
    assert decided(rules, reply("<html>502</html>")).then == "unknown"
    assert decided(rules, reply("{}")).then == "accept"


def test_a_rule_by_status_alone_holds_whatever_the_body_is() -> None:
    outcome = decided([{"status": 202, "then": "accept", "id": "job"}], reply(b"\xff\x00", 202))
    assert (outcome.then, outcome.provider_message_id) == ("accept", None)


def test_the_id_of_a_rule_is_the_messages_or_the_batchs() -> None:
    rules = [{"when": "job", "then": "accept", "id": "job"}]
    single = read(reader(rules=rules, batched=False), reply({"job": 7})).outcomes[0]
    assert (single.provider_message_id, single.provider_batch_id) == ("7", None)
    batched = read(reader(rules=rules, batched=True), reply({"job": 7})).outcomes[0]
    assert (batched.provider_message_id, batched.provider_batch_id) == (None, "7")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (" a ", "a"),
        ("", None),
        ("  ", None),
        (None, None),
        (0, "0"),
        (5.0, "5"),
        (1.5, "1.5"),
        (True, "true"),
        (123456789012345678901234567890, "123456789012345678901234567890"),
        ({"a": [1]}, '{"a":[1]}'),
        ("a\x00b\x1b[31m", "a b [31m"),
        ("é", "é"),
        ("a\ud83d", "a?"),  # half of a surrogate pair cannot be written to Kafka
        ("x" * 501, "x" * 499 + "…"),
    ],
)
def test_values_become_bounded_text(value: Any, text: str | None) -> None:
    rules = [{"status": 200, "then": "reject", "id": "v", "code": "v", "reason": "v"}]
    outcome = decided(rules, reply({"v": value}), batched=False)
    assert (outcome.provider_message_id, outcome.code, outcome.reason) == (
        text,
        text,
        text if not isinstance(value, int) or value < 10**7 else "*" * 28 + "90",
    )


def test_secrets_and_phone_numbers_are_masked_in_reasons() -> None:
    rules = [{"status": 200, "then": "pause", "code": "key", "reason": "why"}]
    body = {"key": "k3y/secret", "why": "key k3y%2Fsecret of +91 98123-45678 refused " + "." * 440 + "k3y/secret"}
    outcome = decided(rules, reply(body), secrets={"${API_KEY}": "k3y/secret"})
    assert outcome.code == "${API_KEY}"
    assert outcome.reason.startswith("key ${API_KEY} of +** *****-***78 refused")
    assert "k3y" not in outcome.reason


# ---- waits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("999999999", 86400.0),
        ("2 seconds", 2.0),
        ("1 Minute", 60.0),
        ("250ms", 0.25),
        ("5 min.", 300.0),
        ("2h", 7200.0),
        ("30, 1", 30.0),
        ("1, 30", 30.0),
        ("5, Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tuesday, 14-Nov-23 22:14:20 GMT, 5", 60.0),
        ("Tue Nov 14 22:14:20 2023", 60.0),
        ("2023-11-14T22:14:20Z", 60.0),
        ("1700000060", 60.0),
        ("1700000060000", 60.0),
        ("30, soon, -7", 30.0),
        ("0", 0.0),
        ("9" * 15 + " days", 86400.0),
        ("9" * 400, None),
        (",".join(["1"] * 100_000), 1.0),
        ("-5", None),
        ("-5 seconds", None),
        ("2 fortnights", None),
        ("1e9", None),
        ("٣", None),
        ("soon", None),
        ("NaN", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, after: float | None) -> None:
    assert decided([], reply("", 429, retry_after=header)).after == after


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"x-ratelimit-reset": "60"}, 60.0),
        ({"x-rate-limit-reset": f"{NOW + 45:.0f}"}, 45.0),  # seconds since the epoch
        ({"x-ratelimit-reset": f"{(NOW + 45) * 1000:.0f}"}, 45.0),
        ({"x-ratelimit-reset": f"{NOW - 5:.0f}"}, 0.0),
        ({"ratelimit-reset": "7", "x-ratelimit-reset": "60"}, 7.0),
        ({"ratelimit": '"default";r=0;t=30', "ratelimit-reset": "7"}, 30.0),
        ({"retry-after": "3", "ratelimit-reset": "7"}, 3.0),
        ({"ratelimit-reset": "soon"}, None),
        ({"ratelimit-reset": "-7"}, None),
        ({}, None),
    ],
)
def test_when_a_limit_begins_anew_is_as_good_as_retry_after(headers: dict[str, str], after: float | None) -> None:
    """Only of a 429: other replies say the same of a limit that has not been reached."""
    for status, expected in ((429, after), (500, 3.0 if "retry-after" in headers else None)):
        to = reply("", status, **{name.replace("-", "_"): text for name, text in headers.items()})
        assert decided([], to).after == expected


def test_a_retry_date_counts_from_the_replys_own_date() -> None:
    to = reply("", 429, retry_after="Tue, 14 Nov 2023 10:01:00 GMT", date="Tue, 14 Nov 2023 10:00:00 GMT")
    assert decided([], to).after == 60.0


def test_retry_after_counts_for_every_rule_that_sends_again() -> None:
    for then in ("retry", "throttle", "pause", "uncertain"):
        assert decided([{"status": 200, "then": then}], reply("", retry_after="7")).after == 7.0
    assert decided([{"status": 200, "then": "reject"}], reply("", retry_after="7")).after is None


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("wait", 30.0), ("text", 12.0), ("30s", 30.0), ("5m", 300.0), ("45", 45.0), ("missing", 7.0), ("`0.25`", 0.25)],
)
def test_after_is_read_from_the_reply_or_constant(after: str, seconds: float) -> None:
    rules = [{"status": 200, "then": "retry", "after": after}]
    assert decided(rules, reply({"wait": 30, "text": "12"}, retry_after="7")).after == seconds


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("09:00 Asia/Kolkata", 1_700_019_000.0),  # now is 03:43 there
        ("03:44 Asia/Kolkata", 1_700_000_040.0),
        ("3:43 Asia/Kolkata", NOW - 20 + 86400),
        ("22:13:20 UTC", NOW + 86400),
        ("iso", NOW + 3600),
        ("naive", NOW + 3600),
        ("epoch", NOW + 100),
        ("millis", NOW + 100),
        ("past", NOW + 60),
        ("far", NOW + 7 * 86400),
        ("missing", NOW + 900),
        ("junk", NOW + 900),
    ],
)
def test_defer_waits_for_a_time_of_day_or_an_instant_of_the_reply(until: str, instant: float) -> None:
    body = {
        "iso": "2023-11-15T04:43:20+05:30",
        "naive": "2023-11-14 23:13:20",
        "epoch": int(NOW) + 100,
        "millis": str(int(NOW + 100) * 1000),
        "past": 1,
        "far": "9999-12-31T23:59:59Z",
        "junk": {"a": 1},
    }
    outcome = decided([{"status": 200, "then": "defer", "until": until}], reply(body))
    assert (outcome.then, outcome.until) == ("defer", instant)


def test_defer_without_until_takes_after() -> None:
    assert decided([{"status": 200, "then": "defer"}], reply("", retry_after="120")).until == NOW + 120


def test_until_passes_a_change_to_summer_time() -> None:
    by = reader(rules=[{"status": 200, "then": "defer", "until": "02:30 Europe/Berlin"}])
    before = 1_711_841_400.0  # 2024-03-31 00:30 there; at 02:00 the clock goes to 03:00
    until = by.read(reply(""), messages(1), batch(), before).outcomes[0].until
    assert until is not None
    assert 0 < until - before <= 4 * 3600


# ---- wrong definitions ----------------------------------------------------------------------------------------------


def test_every_wrong_expression_is_a_problem_with_its_path() -> None:
    given = response(
        rules=[
            {"when": "a ==", "then": "accept"},
            {"text": "(", "then": "accept"},
            {"header": {"x": "["}, "then": "accept"},
            {"when": "contians(a, b)", "then": "accept", "id": "last(a)"},
            {"status": 200, "then": "defer", "until": "09:00 Asia/Calcuta"},
            {"status": 200, "then": "defer", "until": "25:00 UTC"},
            {"status": 200, "then": "retry", "after": "a-b"},
        ],
        entries=[{"each": "a[", "match": "rest", "then": "accept"}],
    )
    with pytest.raises(DefinitionError) as caught:
        compile_response(operation(given))
    problems = {problem.path: problem for problem in caught.value.problems}
    assert set(problems) == {
        "response.rules[0].when",
        "response.rules[1].text",
        "response.rules[2].header.x",
        "response.rules[3].when",
        "response.rules[3].id",
        "response.rules[4].until",
        "response.rules[5].until",
        "response.rules[6].after",
        "response.entries[0].each",
    }
    assert problems["response.rules[3].when"].remedy == "did you mean `contains`?"
    assert "double quotes" in problems["response.rules[6].after"].remedy
