"""Callbacks that somebody made to do harm, and those of providers that only look like it."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.errors import DefinitionError
from connector.receipts.callback import MessageToken, Refused, Verified, Why
from connector.receipts.receipt_reader import ReceiptBounds
from connector.receipts.receipt_records import inbound_record, unmatched_record
from tests.receipts.build import KEYS, NOW, definition, post, proved, reader, token

FORM = "decode: form\nstate: status\nstates: {delivered: OK, undelivered: NO}\nid: id\n"
REPLIES = "replies: [{when: \"kind == 'mo'\", from: from, text: text, at: {value: when, format: iso}}]"
URL_SECRET = f"/r/acme/{KEYS.url_secrets.of('acme')}"
MULTIPART = "multipart/form-data; boundary=b"


def part(head: bytes, value: bytes = b"x") -> bytes:
    return b"--b\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


@pytest.mark.parametrize("pad", [b"=?utf-8?q?a?= ", b";", b'\\"', b" "])
@pytest.mark.parametrize("where", ["name", "value", "header"])
def test_a_multipart_body_costs_what_its_bytes_cost(tmp_path: Path, pad: bytes, where: str) -> None:
    pad *= 900_000 // len(pad)
    name = b'Content-Disposition: form-data; name="status"'
    body = {
        "name": part(b'Content-Disposition: form-data; name="' + pad + b'"'),
        "value": part(name, pad),
        "header": part(b"X-Y: " + pad + b"\r\n" + name),
    }[where] + b"--b--\r\n"
    read, callback = reader(tmp_path, FORM), post(URL_SECRET, body, content_type=MULTIPART)
    began = time.thread_time()
    reading = proved(read, callback)
    assert time.thread_time() - began < 0.5
    assert len(reading.entries) + len(reading.unmatched) == 1


def test_a_multipart_body_of_many_parts_is_kept_whole(tmp_path: Path) -> None:
    body = part(b'Content-Disposition: form-data; name="a"') * 20_000 + b"--b--\r\n"
    (found,) = proved(reader(tmp_path, FORM), post(URL_SECRET, body, content_type=MULTIPART)).unmatched
    assert (found.whole, found.why) == (True, Why.UNREADABLE)


def test_entries_that_repeat_much_of_what_stands_around_them_are_kept_whole(tmp_path: Path) -> None:
    receipts = 'decode: json\neach: "results[]"\nstate: s\nstates: {delivered: OK}\nmatch: {token: ref}'
    read = reader(tmp_path, receipts, ReceiptBounds(bytes=1024**2))
    entries = [{"s": "OK", "ref": token()} for _ in range(100)]
    few = orjson.dumps({"pad": "x" * 1_000, "results": entries})
    assert len(proved(read, post(URL_SECRET, few)).entries) == 100
    many = orjson.dumps({"pad": "x" * 20_000, "results": entries})
    (found,) = proved(read, post(URL_SECRET, many)).unmatched
    assert (found.whole, found.document) == (True, many)


@pytest.mark.parametrize("days", [0, 300])
def test_a_reply_is_not_proved_by_the_reference_of_a_message(tmp_path: Path, days: int) -> None:
    read = reader(tmp_path, FORM + REPLIES)
    fields = {"kind": "mo", "from": "447700900123", "text": "STOP"}
    reading = proved(read, post(f"/m/acme/{token(now=NOW - days * 86_400)}", fields))
    assert not reading.inbound
    assert [it.why for it in reading.unmatched] == [Why.UNVERIFIED]
    (inbound,) = proved(read, post(URL_SECRET, fields)).inbound
    assert inbound.text == "STOP"
    # Who knows that it is genuine takes it all the same.
    assert [it.text for it in read.read_again(reading.unmatched[0]).inbound] == ["STOP"]


def signed(body: bytes) -> str:
    return hmac.new(b"hunter2-of-acme", body, hashlib.sha256).hexdigest()


def test_a_query_that_nothing_signs_says_nothing(tmp_path: Path) -> None:
    receipts = f'verify: {{hmac: {{secret: "${{SECRET}}", header: X-Sign}}}}\n{FORM}{REPLIES}\nmatch: {{token: ref}}'
    read = reader(tmp_path, receipts)
    body = f"status=OK&ref={token()}".encode()
    form = "application/x-www-form-urlencoded"
    query = "kind=mo&from=447700900123&text=STOP"
    reading = proved(read, post("/r/acme", body, query=query, x_sign=signed(body), content_type=form))
    assert (len(reading.entries), len(reading.inbound)) == (1, 0)
    got = proved(read, post("/r/acme", method="GET", query=f"status=NO&ref={token()}", x_sign=signed(b"")))
    assert not got.entries
    over = receipts.replace("header: X-Sign", 'header: X-Sign, over: "{url}{body}"')
    url = f"https://sms.example.com/r/acme?{query}"
    given = signed(url.encode() + body)
    reading = proved(reader(tmp_path, over), post("/r/acme", body, query=query, x_sign=given, content_type=form))
    assert len(reading.inbound) == 1


def test_a_get_of_plivo_has_no_body(tmp_path: Path) -> None:
    read = reader(tmp_path, 'verify: {plivo: {secret: "${SECRET}"}}\n' + FORM)
    callback = post("/r/acme", {"status": "NO"}, method="GET", query="status=OK", x_plivo_signature_v3="x")
    found = read.verify(callback)
    assert isinstance(found, Refused)
    assert "body" in found.reason


def test_a_jwt_that_says_nothing_of_the_body_is_no_way(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="payload"):
        definition(tmp_path, 'verify: {jwt: {secret: "${SECRET}"}}\n' + FORM)


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:30", "0001-01-01T00:00:00"])
def test_a_time_that_no_clock_can_say_is_none(tmp_path: Path, when: str) -> None:
    fields = {"kind": "mo", "from": "1", "text": "STOP", "when": when}
    (inbound,) = proved(reader(tmp_path, FORM + REPLIES), post(URL_SECRET, fields)).inbound
    assert inbound.at is None
    inbound_record(inbound)


def test_bytes_of_a_header_that_are_no_text_end_in_no_record(tmp_path: Path) -> None:
    body = b"&".join(b"a=1" for _ in range(2_000))
    (found,) = proved(reader(tmp_path, FORM), post(URL_SECRET, body, content_type="x\udcff")).unmatched
    unmatched_record(found)


def test_what_was_refused_keeps_the_reference_that_its_url_held(tmp_path: Path) -> None:
    read = reader(tmp_path, 'verify: {twilio: {secret: "${SECRET}"}}\n' + FORM)
    found = read.verify(post(f"/m/acme/{token()}", {"status": "OK"}, x_twilio_signature="wrong"))
    assert isinstance(found, Refused)
    assert isinstance(found.token, MessageToken)
    other: Any = read.verify(post("/m/acme/none-of-ours", {"status": "OK"}, x_twilio_signature="wrong"))
    assert (type(other), other.token) == (Refused, None)
    assert not isinstance(other, Verified)
