"""What stands in a callback: entries, replies, clicks, or why it cannot be said; as providers document them."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import DefinitionError
from connector.receipts.callback import Kind, Meaning, Reading, Refused, State, Why
from connector.receipts.receipt_reader import ReceiptBounds, ReceiptReader, UnreadableEntry
from tests.receipts.build import KEYS, NOW, SOURCE, definition, post, proved, reader, token

SECRET_PATH = f"/r/acme/{KEYS.url_secrets.of('acme')}"


def _states(read: ReceiptReader, reading: Reading) -> list[State | str]:
    found = [read.meaning(entry.document) for entry in reading.entries]
    return [each.state if isinstance(each, Meaning) else each.reason for each in found]


TWILIO = """
verify: url
decode: form
id: MessageSid
state: MessageStatus
states: {delivered: delivered, undelivered: [undelivered, failed], sent: sent, pending: [queued, sending]}
code: ErrorCode
replies:
  - when: "SmsStatus == 'received'"
    id: MessageSid
    from: From
    to: To
    text: Body
    parts: NumSegments
    intent: OptOutType
    reply: {status: 200, type: text/xml, body: "<Response/>"}
reply: {status: 204}
"""


def test_a_token_in_the_url_says_whose_it_is(tmp_path: Path) -> None:
    read = reader(tmp_path, TWILIO)
    form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30003", "SmsStatus": "undelivered"}
    reading = proved(read, post(f"/m/acme/{token()}", form))
    (entry,) = reading.entries
    assert entry.token is not None
    assert entry.token.source == SOURCE  # type: ignore[union-attr]
    assert read.meaning(entry.document) == Meaning(State.UNDELIVERED, "SM1", "30003")
    assert (reading.answer.status, reading.answer.body) == (204, b"")


def test_a_reply_on_the_same_url(tmp_path: Path) -> None:
    read = reader(tmp_path, TWILIO)
    form = {
        "SmsStatus": "received",
        "From": "+14155550100",
        "To": "+1",
        "Body": "STOP",
        "NumSegments": "1",
        "OptOutType": "STOP",
    }
    reading = proved(read, post(SECRET_PATH, form))
    (inbound,) = reading.inbound
    assert (inbound.kind, inbound.sender, inbound.text, inbound.parts) == (Kind.OPT_OUT, "+14155550100", "STOP", 1)
    assert (reading.answer.body, reading.answer.type, reading.entries) == (b"<Response/>", "text/xml", [])


def test_lists_in_lists_with_the_fields_around_them(tmp_path: Path) -> None:
    read = reader(
        tmp_path,
        """
decode: [form, {json: data}]
each: ["[]", "report[]"]
match: {batch: requestId, "To|digits": number}
verify: url
state: status
states: {delivered: "1", undelivered: [2, 16], blocked: ["9", "17"]}
reason: "failedReason || desc"
at: {value: date, format: "%Y-%m-%d %H:%M:%S", zone: Asia/Kolkata}
""",
    )
    report = [{"number": "919812345678", "status": "1", "date": "2026-11-26 15:30:00", "desc": "DELIVERED"}]
    report.append({"number": "919812345679", "status": "9", "date": "never", "desc": "NDNC"})
    data = json.dumps([{"requestId": "346", "report": report}, {"requestId": "347", "report": []}])
    reading = proved(read, post(SECRET_PATH, {"data": data}))
    assert [entry.match for entry in reading.entries] == [
        {"batch": "346", "To|digits": "919812345678"},
        {"batch": "346", "To|digits": "919812345679"},
    ]
    first, second = (read.meaning(entry.document) for entry in reading.entries)
    assert first == Meaning(State.DELIVERED, reason="DELIVERED", at=1_795_687_200.0)
    assert second == Meaning(State.BLOCKED, reason="NDNC")


CLEVERTAP = "extends: clevertap\nverify: url"


def test_clevertaps_own_format(tmp_path: Path) -> None:
    read = reader(tmp_path, CLEVERTAP)
    meta = token()
    body = [
        {"event": "delivered", "data": [{"ts": 1435322805, "meta": meta, "description": "Delivered to handset"}]},
        {
            "event": "clicked",
            "data": [{"ts": 1435322805, "meta": meta, "url": "www.CleverTap.com", "shorturl": "ct9.io/1"}],
        },
        {"event": "replied", "data": [{"ts": 1435322805, "meta": meta, "toPhone": "5555", "incomingText": "STOP"}]},
        {
            "event": "failed",
            "data": [{"ts": 1435322805, "meta": meta, "code": "901", "description": "DND"}, {"meta": "x"}],
        },
    ]
    reading = proved(read, post(SECRET_PATH, json.dumps(body).encode()))
    assert _states(read, reading) == [State.DELIVERED, State.BLOCKED]
    assert [each.kind for each in reading.inbound] == [Kind.CLICK, Kind.OPT_OUT]
    assert [each.why for each in reading.unmatched] == [Why.FOREIGN]
    assert reading.inbound[0].token is not None
    assert reading.answer.type == "application/json"


def test_base64_inside_of_entries(tmp_path: Path) -> None:
    read = reader(
        tmp_path,
        "verify: url\neach: 'records[]'\nunpack: {base64: data}\nstate: event_type\nstates: {delivered: _SMS.SUCCESS}\n"
        "match: {token: attributes.ref}",
    )
    event = {"event_type": "_SMS.SUCCESS", "attributes": {"ref": token()}}
    body = {"requestId": "1", "records": [{"data": b64encode(json.dumps(event).encode()).decode()}]}
    assert _states(read, proved(read, post(SECRET_PATH, json.dumps(body).encode()))) == [State.DELIVERED]


def test_xml_text_and_query(tmp_path: Path) -> None:
    read = reader(tmp_path, "verify: url\ndecode: xml\nstate: dlr.state\nstates: {delivered: OK}")
    assert _states(read, proved(read, post(f"/m/acme/{token()}", b"<dlr><state>OK</state></dlr>"))) == [State.DELIVERED]
    read = reader(tmp_path, "verify: url\ndecode: query\nstate: s\nstates: {delivered: 1, sent: 8}")
    got = proved(read, post(f"/m/acme/{token()}", query="s=1", method="GET"))
    assert _states(read, got) == [State.DELIVERED]


PLAIN = "verify: url\nstate: status\nstates: {delivered: [DELIVRD, 1], undelivered: UNDELIV}\nmatch: {id: id}"


def test_a_word_that_is_not_known_is_kept_and_never_guessed(tmp_path: Path) -> None:
    read = reader(tmp_path, PLAIN)
    reading = proved(read, post(SECRET_PATH, b'{"id": 7, "status": "ODD"}'))
    assert reading.entries[0].match == {"id": "7"}
    assert read.meaning(reading.entries[0].document) == Meaning(State.UNKNOWN, code="ODD")


@pytest.mark.parametrize(
    ("body", "why", "words"),
    [
        (b"", Why.UNREADABLE, "empty"),
        (b"{", Why.UNREADABLE, ""),
        (b"[1]", Why.UNREADABLE, "no map"),
        (b'"x"', Why.UNREADABLE, "no map"),
        (b"\xff\xfe", Why.UNREADABLE, ""),
        (b"[" * 100_000, Why.UNREADABLE, ""),
        (b'{"id": 1}', Why.UNREADABLE, "no state"),
        (b'{"id": 1, "status": null}', Why.UNREADABLE, "no state"),
        (b'{"status": "DELIVRD"}', Why.UNKNOWN, "names a message"),
        (b'{"status": "DELIVRD", "id": {}}', Why.UNKNOWN, "names a message"),
        (json.dumps([{"id": 1, "status": "DELIVRD"}] * 11).encode(), Why.UNREADABLE, "more than 10"),
    ],
)
def test_what_cannot_be_read_says_why_and_is_kept(tmp_path: Path, body: bytes, why: Why, words: str) -> None:
    reading = proved(reader(tmp_path, PLAIN, ReceiptBounds(entries=10)), post(SECRET_PATH, body))
    (unmatched,) = reading.unmatched
    assert unmatched.why is why
    assert words in unmatched.reason
    assert reading.entries == []
    assert not unmatched.whole or unmatched.document == body


def test_an_empty_list_is_a_probe_and_no_fault(tmp_path: Path) -> None:
    reading = proved(reader(tmp_path, PLAIN), post(SECRET_PATH, b"[]"))
    assert (reading.entries, reading.unmatched, reading.answer.status) == ([], [], 200)


def test_xml_bombs_and_documents_of_entities_are_refused(tmp_path: Path) -> None:
    read = reader(tmp_path, "verify: url\ndecode: xml\nstate: a\nstates: {delivered: x}")
    bomb = b'<!DOCTYPE a [<!ENTITY x "x">]><a>&x;</a>'
    assert [each.why for each in proved(read, post(f"/m/acme/{token()}", bomb)).unmatched] == [Why.UNREADABLE]


def test_numbers_that_have_no_room_and_halves_of_characters_are_kept(tmp_path: Path) -> None:
    read = reader(tmp_path, PLAIN)
    body = b'{"id": 123456789012345678901234567890, "status": "DELIVRD", "text": "\\ud83d"}'
    reading = proved(read, post(SECRET_PATH, body))
    assert _states(read, reading) == [State.DELIVERED]
    assert reading.entries[0].match == {"id": "123456789012345678901234567890"}


def test_a_token_that_is_too_old_is_too_late(tmp_path: Path) -> None:
    read = reader(tmp_path, TWILIO)
    reading = proved(read, post(f"/m/acme/{token(now=NOW - 7 * 86400)}", {"MessageStatus": "delivered"}))
    assert [each.why for each in reading.unmatched] == [Why.TOO_LATE]


def test_entries_to_ignore_are_counted(tmp_path: Path) -> None:
    read = reader(tmp_path, PLAIN + "\nignore: \"channel == 'email'\"")
    reading = proved(read, post(SECRET_PATH, b'[{"channel": "email"}, {"id": 1, "status": 1}]'))
    assert (reading.ignored, _states(read, reading)) == (1, [State.DELIVERED])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "status", "data", "event"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(body=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("receipts", [PLAIN, CLEVERTAP])
def test_whatever_comes_every_entry_ends_somewhere(
    tmp_path_factory: pytest.TempPathFactory, receipts: str, body: bytes
) -> None:
    if receipts not in _READERS:
        _READERS[receipts] = reader(tmp_path_factory.mktemp("any"), receipts)
    read = _READERS[receipts]
    reading = proved(read, post(SECRET_PATH, body))
    for entry in reading.entries:
        assert isinstance(read.meaning(entry.document), Meaning)
    assert not read.faults["reader"]


_READERS: dict[str, ReceiptReader] = {}


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"null", b"1", b"\xff", b"[" * 5000, b'{"status": []}'])
def test_a_document_of_others_has_a_meaning_or_none(tmp_path: Path, document: bytes) -> None:
    assert isinstance(reader(tmp_path, PLAIN).meaning(document), Meaning | UnreadableEntry)


# ---- what a definition may not say ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receipts", "words"),
    [
        ("state: s\nstates: {delivred: x}", "did you mean `delivered`"),
        ("state: s\nstates: {delivered: x, sent: x}", "`x` is delivered already"),
        ("state: s", "`state` without `states`"),
        ("match: token", "nothing says what a receipt means"),
        ("verfy: url\nstate: s\nstates: {delivered: x}", "did you mean `verify`"),
        ("verify: {hmac: {secret: x}}\nstate: s\nstates: {delivered: x}", "`header` is missing"),
        (
            "verify: {hmac: {secret: x, header: X, over: '{timestamp}'}}\nstate: s\nstates: {delivered: x}",
            "does not cover",
        ),
        (
            "verify: {hmac: {secret: x, header: X, over: '{bdy}'}}\nstate: s\nstates: {delivered: x}",
            "no part of a request",
        ),
        ("verify: []\nstate: s\nstates: {delivered: x}", "an empty list proves nothing"),
        ("verify: {sns: {topics: x}}\nstate: s\nstates: {delivered: x}", "arn:aws:sns"),
        ("state: 's['\nstates: {delivered: x}", "receipts.state"),
        ("at: {value: t, format: never}\nstate: s\nstates: {delivered: x}", "no format of times"),
        ("at: {value: t, zone: Mars/One}\nstate: s\nstates: {delivered: x}", "no time zone"),
        ("match: {Body: b}\nverify: url\nstate: s\nstates: {delivered: x}", "not known any more"),
        ("decode: yaml\nstate: s\nstates: {delivered: x}", "write one of: json"),
        ("reply: {status: 500}\nstate: s\nstates: {delivered: x}", "200 to 299"),
    ],
)
def test_a_slip_is_told_with_its_place_and_a_remedy(tmp_path: Path, receipts: str, words: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        definition(tmp_path, receipts)
    assert words in str(caught.value)
    assert all(problem.line is not None for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("receipts", "warned"),
    [
        ("match: {id: id}", True),
        ("match: {id: id}\nverify: none", True),
        ("match: {id: id}\nverify: url", False),
        ("match: {token: ref}", False),
        ("match: token", False),
        ("match: {id: id}\nverify: {twilio: {secret: x}}", False),
    ],
)
def test_a_definition_that_anybody_may_post_to_is_warned_about(tmp_path: Path, receipts: str, warned: bool) -> None:
    warnings = definition(tmp_path, receipts + "\nstate: s\nstates: {delivered: x}").warnings
    assert any("anybody may post here" in problem.message for problem in warnings) is warned


def test_an_answer_repeats_what_the_provider_wants_back(tmp_path: Path) -> None:
    read = reader(tmp_path, FIREHOSE)
    path = f"/r/acme/{KEYS.url_secrets.of('acme')}"
    body = orjson.dumps({"requestId": "r-1", "timestamp": 7, "records": []})
    answer = proved(read, post(path, body)).answer
    assert (answer.type, orjson.loads(answer.body)) == ("application/json", {"id": "r-1", "at": 7})
    unreadable = proved(read, post(path, b"{"))
    assert orjson.loads(unreadable.answer.body) == {"id": None, "at": None}
    assert len(unreadable.unmatched) == 1


FIREHOSE = """
verify: url
each: records
unpack: [{base64: data}, {json: inner}]
match: {token: ref}
state: s
states: {delivered: d}
reply: {echo: {id: requestId, at: timestamp}}
"""


def test_a_text_inside_of_an_entry_need_not_be_in_every_one(tmp_path: Path) -> None:
    read = reader(tmp_path, FIREHOSE)
    events = [{"s": "d", "inner": orjson.dumps({"ref": token()}).decode()}, {"s": "d"}, {"s": "d", "inner": None}]
    records = [{"data": b64encode(orjson.dumps(event)).decode()} for event in events]
    reading = proved(read, post(f"/r/acme/{KEYS.url_secrets.of('acme')}", orjson.dumps({"records": records})))
    assert [entry.token is not None for entry in reading.entries] == [True]
    assert [unmatched.why for unmatched in reading.unmatched] == [Why.UNKNOWN, Why.UNKNOWN]


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/json; charset=utf-8", b'{"s": "d"}', ""),
        ("application/x-www-form-urlencoded", b"s=d", ""),
        ("text/xml", b"<r><s>d</s></r>", ""),
        ("", b"", "s=d"),
        ("", b"s=d", ""),
    ],
)
def test_auto_reads_a_body_as_its_content_type_says(tmp_path: Path, kind: str, body: bytes, query: str) -> None:
    read = reader(tmp_path, "decode: auto\nstate: s || r.s\nstates: {delivered: d}")
    callback = post(f"/m/acme/{token()}", body, query=query, content_type=kind)
    (entry,) = proved(read, callback).entries
    meaning = read.meaning(entry.document)
    assert isinstance(meaning, Meaning)
    assert meaning.state is State.DELIVERED


def test_a_field_called_url_is_a_field(tmp_path: Path) -> None:
    read = reader(tmp_path, "match: {token: url}\nstate: s\nstates: {delivered: d}")
    body = orjson.dumps({"s": "d", "url": token()})
    (entry,) = proved(read, post(f"/r/acme/{KEYS.url_secrets.of('acme')}", body)).entries
    assert entry.token is not None


def test_beside_the_reference_of_a_request_its_messages_are_told_apart(tmp_path: Path) -> None:
    read = reader(tmp_path, 'match: {token: ref, "To|digits": to}\nstate: s\nstates: {delivered: d}')
    path = f"/r/acme/{KEYS.url_secrets.of('acme')}"
    batch = KEYS.tokens.batch("acme", "ab" * 16, NOW)
    bodies = [{"s": "d", "ref": ref, "to": "+91 98"} for ref in (batch, token(), "0")]
    reading = proved(read, post(path, orjson.dumps(bodies)))
    assert [type(entry.token).__name__ for entry in reading.entries] == ["BatchToken", "MessageToken"]
    assert [entry.match for entry in reading.entries] == [{"To|digits": "9198"}, {}]
    assert [it.why for it in reading.unmatched] == [Why.FOREIGN]  # a number alone names nobody's message


def test_of_no_topic_nothing_is_proved(tmp_path: Path) -> None:
    read = reader(tmp_path, 'verify: {sns: {topics: ["${NOT_SET?}"]}}\nstate: s\nstates: {delivered: d}')
    body = orjson.dumps({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:x", "Message": "{}"})
    assert isinstance(read.verify(post("/r/acme", body)), Refused)


MANY = [{"n": n} for n in range(200)]


@pytest.mark.parametrize(
    ("receipts", "body", "around"),
    [
        ('decode: json\neach: ["[]", "data[]"]', [{"event": "e", "data": MANY}], {"event": "e"}),
        ('decode: json\neach: "a.b[]"', {"a": {"b": MANY, "c": 1}, "d": 2}, {"a": {"c": 1}, "d": 2}),
        ('decode: json\neach: "a[].b[]"', {"a": [{"b": MANY}], "d": 2}, {"d": 2}),
        (
            'decode: [json, {json: text}]\neach: "x[]"',
            {"text": orjson.dumps({"x": MANY, "y": 3}).decode(), "z": 4},
            {"y": 3, "z": 4},
        ),
    ],
)
def test_an_entry_holds_what_stands_around_it_and_not_the_other_entries(
    tmp_path: Path, receipts: str, body: Any, around: dict[str, Any]
) -> None:
    read = reader(tmp_path, f"verify: none\n{receipts}\nmatch: {{id: n}}\nstate: n\nstates: {{delivered: '*'}}")
    entries = proved(read, post("/r/acme", orjson.dumps(body))).entries
    assert [orjson.loads(entry.document) for entry in entries] == [{**around, **each} for each in MANY]


@pytest.mark.parametrize(
    "text", ["extends: clevertap", "verify: url", "reply: {status: 204}", "ignore: \"event == 'x'\""]
)
def test_without_a_word_about_its_format_a_callback_is_clevertaps(tmp_path: Path, text: str) -> None:
    read = reader(tmp_path, text)
    body = orjson.dumps([{"event": "delivered", "data": [{"ts": 1435322805, "meta": token()}]}])
    reading = proved(read, post(SECRET_PATH, body))
    assert _states(read, reading) == [State.DELIVERED]
    assert reading.entries[0].token is not None
