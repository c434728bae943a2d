"""What people said, out of callbacks: who proved it, whose it is, and that nothing else in the callback hides it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector.receipts.callback import Callback, Inbound, Kind, Refused, Verified
from connector.receipts.inbound_reader import InboundRules
from connector.receipts.intents import Intents
from connector.receipts.receipt_reader import ReceiptReader, compile_receipts
from connector.receipts.receipt_records import inbound_record, read_inbound
from connector.settings.way_back import InboundSettings
from tests.receipts.build import KEYS, NOW, SOURCE, URL, definition, post, proved, reader, token

SECRET_PATH = f"/r/acme/{KEYS.url_secrets.of('acme')}"
ACME = """
match: {token: ref}
state: status
states: {delivered: DELIVRD, blocked: BARRED}
id: id
to: phone
at: {value: ts, format: unix}
replies: [{when: "text != `null`", from: phone, to: us, text: text, id: id, at: {value: ts, format: unix}}]
"""


def blocking(folder: Path, receipts: str, *, blocked: bool = True) -> ReceiptReader:
    rules = InboundRules(Intents(InboundSettings()), blocked=blocked)
    return compile_receipts(definition(folder, receipts), KEYS, public_url=URL, rules=rules)


def posted(path: str, *entries: object) -> Callback:
    return post(path, json.dumps(entries).encode())


@pytest.mark.parametrize(
    ("verify", "path", "phone"),
    [
        ("url", SECRET_PATH, "+1555"),
        ("url", f"/m/acme/{token()}", None),  # who has the reference of one message proves nothing of any phone
        ("none", "/r/acme", "+1555"),
    ],
)
def test_a_phone_that_a_receipt_calls_blocked_is_said_where_that_is_asked_for(
    tmp_path: Path, verify: str, path: str, phone: str | None
) -> None:
    entries = [
        {"ref": token(), "status": status, "phone": "+1555", "id": "a1", "ts": NOW - 5}
        for status in ("DELIVRD", "BARRED")
    ]
    callback = posted(path, *entries)
    assert proved(reader(tmp_path, f"verify: {verify}\n{ACME}"), callback).inbound == []
    reading = proved(blocking(tmp_path, f"verify: {verify}\n{ACME}"), callback)
    (inbound,) = reading.inbound
    assert len(reading.entries) == 2
    assert (inbound.kind, inbound.sender, inbound.id, inbound.at) == (Kind.BLOCKED, phone, "a1", NOW - 5)
    assert inbound.by == {"none": "none"}.get(verify, "url" if phone else "token")
    read = read_inbound(inbound_record(inbound)[1])
    assert read.source is not None
    assert read.source.offset == SOURCE.offset


def test_a_blocked_phone_that_nothing_names_is_not_said(tmp_path: Path) -> None:
    read = blocking(tmp_path, f"verify: url\n{ACME.replace('{token: ref}', '{token: ref, id: id}')}")
    reading = proved(read, posted(SECRET_PATH, {"status": "BARRED", "id": "a1"}))
    assert (len(reading.entries), reading.inbound) == (1, [])


@pytest.mark.parametrize("behind", [5, {"status": [[]]}, {"ref": token(), "status": "DELIVRD", "x": "y" * 9_000_000}])
def test_an_opt_out_counts_although_what_follows_it_cannot_be_read(tmp_path: Path, behind: object) -> None:
    stop = {"phone": "+1555", "us": "5555", "text": "Stop.", "id": "r1", "ts": NOW}
    reading = proved(reader(tmp_path, f"verify: url\n{ACME}"), posted(SECRET_PATH, stop, behind))
    assert [(each.kind, each.sender) for each in reading.inbound] in (
        [(Kind.OPT_OUT, "+1555")],
        [],  # where the callback cannot even be divided
    )
    assert len(reading.unmatched) == 1
    if not reading.inbound:
        assert reading.unmatched[0].whole


def test_nobody_opts_out_who_is_not_proved(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: url\n{ACME}")
    stop = {"phone": "+1555", "text": "STOP"}
    assert isinstance(read.verify(posted("/r/acme/guess", stop)), Refused)
    assert isinstance(read.verify(posted("/r/acme", stop)), Refused)
    by_reference = proved(read, posted(f"/m/acme/{token()}", stop))
    assert by_reference.inbound == []
    (kept,) = by_reference.unmatched
    again = reader(tmp_path, f"verify: none\n{ACME}").read_again(kept)
    assert [each.by for each in again.inbound] == ["none"], "reading it again proves no more"


def test_a_record_has_one_key_for_all_spellings_of_a_phone_and_without_one_that_of_the_message(tmp_path: Path) -> None:
    def key(phone: str | None, by: str = "url", **more: str) -> bytes | None:
        reading = proved(
            reader(tmp_path, f"verify: url\n{ACME}"), posted(SECRET_PATH, {"phone": phone, "text": "x", **more})
        )
        return inbound_record(reading.inbound[0])[0]

    assert {key("+1 555-0100"), key("15550100")} == {b"15550100"}
    assert key(None, ref=token()) == b"sms.messages/3/4711"
    assert key(None, id="r1") == b"r1"
    assert key(None) is None


def test_what_is_written_is_read_again() -> None:
    said = Inbound(Kind.OPT_OUT, "acme", NOW, "hmac", "+1555", "5555", "STOP", "r1", NOW - 1, 1)
    read = read_inbound(inbound_record(said)[1])
    assert (read.kind, read.provider, read.verified_by, read.sender, read.text) == (
        "opt-out",
        "acme",
        "hmac",
        "+1555",
        "STOP",
    )
    assert read.received_at.timestamp() == NOW
    assert read.at is not None
    assert read.at.timestamp() == NOW - 1


def test_a_country_is_put_before_numbers_that_are_written_without_one(tmp_path: Path) -> None:
    read = reader(tmp_path, f"verify: url\n{ACME.replace('from: phone', 'from: phone, country: 91')}")
    reading = proved(read, posted(SECRET_PATH, *({"phone": phone, "text": "a"} for phone in ("09812345678", "ACME"))))
    assert [each.sender for each in reading.inbound] == ["+919812345678", "ACME"]
    assert isinstance(read.verify(posted(SECRET_PATH)), Verified)
