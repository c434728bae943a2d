"""What the simulator's fakes send, written from the providers' documents alone, is proved and read as it was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connector.receipts.callback import Callback, Meaning, NeedsCertificate, Refused, State, Verified
from connector.receipts.receipt_reader import ReceiptReader
from connector.tools.simulator.callbacks.aws_callbacks import SnsCallbacks
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.receipts import fate
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter
from tests.receipts.build import KEYS, NOW, URL, reader, token

SECRET = "hunter2-of-acme"
STATES = """
states:
  delivered: delivered
  undelivered: [undelivered, failed]
  sent: [sent, buffered]
  pending: [accepted, queued]
  expired: expired
  blocked: rejected
"""
TWILIO = """
verify: {twilio: {secret: "${SECRET}"}}
decode: form
id: MessageSid
state: MessageStatus
"""
PLIVO = """
verify: {plivo: {secret: "${SECRET}"}}
decode: form
id: MessageUUID
state: Status
sequence: Sequence
"""
VONAGE = """
verify: {vonage: {secret: "${SECRET}", algorithm: ALGORITHM}}
decode: form
id: messageId
state: status
"""
VONAGE_JWT = """
verify: {jwt: {secret: "${SECRET}", payload: payload_hash}}
decode: json
id: messageId
state: status
"""
SNS = """
verify: {sns: {topics: ["arn:aws:sns:us-east-1:123456789012:sms-receipts"]}}
decode: [json, {json: Message}]
match: {token: context.ref}
id: messageId
state: eventType
states: {delivered: TEXT_DELIVERED, sent: TEXT_SUCCESSFUL, pending: TEXT_QUEUED, undelivered: "*"}
at: {value: eventTimestamp, format: unix_ms}
"""
INFOBIP = """
verify: {basic: {username: us, password: "${SECRET}"}}
decode: json
each: results
match: {token: callbackData}
id: messageId
state: status.groupName
states: {delivered: DELIVERED, undelivered: UNDELIVERABLE, expired: EXPIRED, blocked: REJECTED, pending: PENDING}
"""


@dataclass(frozen=True)
class Row:
    """A fake, its knobs, the definition's `receipts`, and what a delivered message means.

    Attributes:
        ref, context: where our token comes back; else it stands in the URL.
    """

    fake: str
    receipts: str
    meaning: Meaning
    knobs: Mapping[str, Any] = field(default_factory=dict)
    ref: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


DELIVERED = Meaning(State.DELIVERED, "id-1")
ROWS = {
    "twilio": Row("twilio", TWILIO + STATES, DELIVERED),
    **{
        f"plivo {version}": Row(
            "plivo", PLIVO + STATES, Meaning(State.DELIVERED, "id-1", sequence=3), {"signature": version}
        )
        for version in ("v3", "v2", "both")
    },
    **{
        f"vonage {method}": Row(
            "vonage", VONAGE.replace("ALGORITHM", method) + STATES, DELIVERED, {"signature": method}
        )
        for method in ("md5hash", "md5", "sha1", "sha256", "sha512")
    },
    "vonage jwt": Row("vonage", VONAGE_JWT + STATES, DELIVERED, {"signature": "jwt", "method": "JSON"}),
    "sns": Row("aws-eum", SNS, Meaning(State.DELIVERED, "id-1", at=NOW), context={"ref": token()}),
    "infobip": Row("infobip", INFOBIP, DELIVERED, {"basic": f"us:{SECRET}"}, ref=token()),
    "clevertap": Row("json", "extends: clevertap", Meaning(State.DELIVERED, at=NOW), ref=token()),
}


def called(row: Row, reporter: Reporter, *, forged: bool = False) -> Callback:
    """The fake's callback about a delivered message, as the receiver gets it."""
    knobs = type(PROVIDERS[row.fake].options().receipts)(**row.knobs)
    sent = fate.SentMessage("+15550012345", "id-1", NOW, ref=row.ref, sender="+15550000001", context=row.context)
    news = fate.News(sent, fate.NewsKind.RECEIPT, fate.NetworkState.DELIVERED, NOW, 3)
    registered = row.ref is not None or row.context
    path = f"/r/acme/{KEYS.url_secrets.of('acme')}" if registered else f"/m/acme/{token()}"
    secret = f"{SECRET}-wrong" if forged else SECRET
    made = reporter.write(CallbackAttempt((news,), URL + path, knobs, NOW, "nonce-1", secret, forged))
    target = urlsplit(made.url)
    headers = {name.lower(): value for name, value in made.headers.items()}
    return Callback(made.method, target.path, target.query, headers, made.body, NOW)


def verified(read: ReceiptReader, row: Row, *, forged: bool = False) -> tuple[Callback, Verified | Refused]:
    reporter = PROVIDERS[row.fake]().reporter
    assert reporter is not None
    callback = called(row, reporter, forged=forged)
    found = read.verify(callback)
    if isinstance(found, NeedsCertificate):
        assert isinstance(reporter, SnsCallbacks)
        read.certificates.add(found.url, reporter.certificate, NOW)
        found = read.verify(callback)
    assert not isinstance(found, NeedsCertificate)
    return callback, found


@pytest.mark.parametrize("name", ROWS)
def test_what_a_fake_sends_is_proved_and_means_what_it_meant(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    read = reader(tmp_path, row.receipts)
    callback, proof = verified(read, row)
    assert isinstance(proof, Verified), proof
    (entry,) = read.read(callback, proof).entries
    assert entry.token is not None
    meaning = read.meaning(entry.document)
    assert isinstance(meaning, Meaning), meaning
    assert Meaning(meaning.state, meaning.id, at=meaning.at, sequence=meaning.sequence) == row.meaning


@pytest.mark.parametrize("name", [name for name in ROWS if name != "clevertap"])
def test_what_somebody_else_signs_is_refused(tmp_path: Path, name: str) -> None:
    _, proof = verified(reader(tmp_path, ROWS[name].receipts), ROWS[name], forged=True)
    assert isinstance(proof, Refused)
