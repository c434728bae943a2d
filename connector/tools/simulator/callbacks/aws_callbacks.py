"""Receipts of AWS: SNS over HTTPS (End User Messaging), Firehose over HTTPS (Pinpoint). Sources: its documentation.

SNS signs with a key whose certificate is fetched from its own host. The fake makes both, and serves the certificate and
the confirmation of the subscription; `sns_url` says under which address the notification names them.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from urllib.parse import urlencode

import orjson

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.receipts import callback_signing as signing
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    AnswerVerdict,
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    json_post,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

EVENTS: Final = {
    NetworkState.PENDING: ("TEXT_QUEUED", "QUEUED", False, "Message is queued"),
    NetworkState.SENT: ("TEXT_SUCCESSFUL", "SUCCESSFUL", True, "Message has been accepted by phone carrier"),
    NetworkState.DELIVERED: ("TEXT_DELIVERED", "DELIVERED", True, "Message has been accepted by phone"),
    NetworkState.UNDELIVERED: ("TEXT_UNREACHABLE", "UNREACHABLE", True, "Phone is currently unreachable"),
    NetworkState.EXPIRED: (
        "TEXT_TTL_EXPIRED",
        "TTL_EXPIRED",
        True,
        "Message was not delivered before its time to live",
    ),
    NetworkState.BLOCKED: ("TEXT_BLOCKED", "BLOCKED", True, "Phone has blocked SMS"),
}
PINPOINT: Final = {
    NetworkState.PENDING: ("_SMS.BUFFERED", "PENDING"),
    NetworkState.DELIVERED: ("_SMS.SUCCESS", "DELIVERED"),
    NetworkState.UNDELIVERED: ("_SMS.FAILURE", "UNREACHABLE"),
    NetworkState.EXPIRED: ("_SMS.FAILURE", "TTL_EXPIRED"),
    NetworkState.BLOCKED: ("_SMS.FAILURE", "OPTED_OUT"),
}
CERTIFICATE: Final = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
SNS_TYPE: Final = "text/plain; charset=UTF-8"


class SnsReceipts(ReceiptKnobs, frozen=True, kw_only=True):
    """The topic and its subscription.

    Attributes:
        topic: its ARN.
        signature: SignatureVersion, SHA-1 or SHA-256.
        confirmed: the subscription is confirmed already; else the receiver has to do it first.
        sns_url: where certificate and confirmation are said to be, without a slash at its end.
    """

    topic: str = "arn:aws:sns:us-east-1:123456789012:sms-receipts"
    signature: Literal["1", "2"] = "1"
    confirmed: bool = False
    sns_url: str = "https://sns.us-east-1.amazonaws.com"


class SnsCallbacks(Reporter):
    """POST of an SNS notification with the event as JSON text in `Message`, where a request names a configuration set.

    Nothing comes before the subscription is confirmed. Three repeats, 20 s apart, as documented; that a 4xx
    other than 429 ends it is unconfirmed.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: event for state, (event, *_) in EVENTS.items()}
    replies = True
    policy = Repetition(waits=(20, 20, 20))

    def __init__(self, account: str, secret: str) -> None:
        super().__init__(account, secret)
        self._token: str | None = None
        self.subscribed = False

    def signs(self, knobs: ReceiptKnobs) -> bool:
        del knobs
        return True

    def ready(self, knobs: ReceiptKnobs) -> bool:
        return self.subscribed or (isinstance(knobs, SnsReceipts) and knobs.confirmed)

    def probe(self, url: str, knobs: ReceiptKnobs, now: float) -> WrittenCallback | None:
        assert isinstance(knobs, SnsReceipts)
        if knobs.confirmed:
            return None
        self.subscribed, self._token = False, uuid.uuid4().hex * 4
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": knobs.topic, "Token": self._token})
        text = f"You have chosen to subscribe to the topic {knobs.topic}.\nTo confirm, visit the SubscribeURL."
        own = {"Token": self._token, "Message": text, "SubscribeURL": f"{knobs.sns_url}/?{query}"}
        kind = {"Type": "SubscriptionConfirmation", "MessageId": str(uuid.uuid4())}
        return self._signed({**kind, **own}, url, knobs, now, self._key)

    def confirm(self, token: str) -> bool:
        """The receiver has visited SubscribeURL; False where the token is none that was given out."""
        self.subscribed = self.subscribed or (self._token is not None and token == self._token)
        return self.subscribed and token == self._token

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, SnsReceipts)
        [one] = attempt.news
        # The same message id whenever it is repeated.
        name = f"{one.sent.id}|{one.sequence}|{one.kind}|{one.state}"
        event = _reply(one) if one.kind is NewsKind.REPLY else _event(one)
        key = self._other_key if attempt.forged else self._key
        own = {"Message": orjson.dumps(event).decode()}
        identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, name))
        return self._signed(
            {"Type": "Notification", "MessageId": identifier, **own}, attempt.url, knobs, attempt.now, key
        )

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        if 400 <= status < 500 and status != 429:
            return AnswerVerdict.DISCARDED
        return super().verdict(status, body)

    @cached_property
    def certificate(self) -> bytes:
        """The certificate of its key, PEM."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.x509.oid import NameOID

        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
        made = made.serial_number(x509.random_serial_number())
        made = made.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    @cached_property
    def _key(self) -> RSAPrivateKey:
        return _new_key()

    @cached_property
    def _other_key(self) -> RSAPrivateKey:
        return _new_key()

    def _signed(
        self, own: dict[str, str], url: str, knobs: SnsReceipts, now: float, key: RSAPrivateKey
    ) -> WrittenCallback:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        moment = datetime.fromtimestamp(now, UTC)
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        message = {"TopicArn": knobs.topic, **own, "Timestamp": stamp}
        digest = hashes.SHA1() if knobs.signature == "1" else hashes.SHA256()  # noqa: S303  what SNS does
        signature = key.sign(signing.sns_text(message), PKCS1v15(), digest)
        message |= {
            "SignatureVersion": knobs.signature,
            "Signature": base64.b64encode(signature).decode(),
            "SigningCertURL": f"{knobs.sns_url}/{CERTIFICATE}",
        }
        if message["Type"] == "Notification":
            query = urlencode({"Action": "Unsubscribe", "SubscriptionArn": f"{knobs.topic}:{uuid.UUID(int=7)}"})
            message["UnsubscribeURL"] = f"{knobs.sns_url}/?{query}"
        headers = {
            "Content-Type": SNS_TYPE,
            "x-amz-sns-message-type": message["Type"],
            "x-amz-sns-message-id": message["MessageId"],
            "x-amz-sns-topic-arn": knobs.topic,
        }
        return WrittenCallback("POST", url, headers, orjson.dumps(message))


def _new_key() -> RSAPrivateKey:
    try:
        from cryptography.hazmat.primitives.asymmetric import rsa
    except ImportError as error:
        text = "the simulator signs as SNS does with cryptography: pip install 'kafka-sms-connector[receipts]'"
        raise RuntimeError(text) from error
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _event(news: News) -> dict[str, Any]:
    sent, state = news.sent, news.state
    assert state is not None
    event, status, final, words = EVENTS[state]
    return {
        "eventType": event,
        "eventVersion": "1.0",
        "eventTimestamp": int(news.at * 1000),
        "isFinal": final,
        "originationPhoneNumber": sent.sender,
        "destinationPhoneNumber": sent.to,
        "isoCountryCode": "US",
        "mcc": "310",
        "mnc": "800",
        "messageId": sent.id,
        "messageRequestTimestamp": int(sent.at * 1000),
        "messageEncoding": "GSM",
        "messageType": "TRANSACTIONAL",
        "messageStatus": status,
        "messageStatusDescription": words,
        "context": dict(sent.context),
        "totalMessageParts": 1,
        "totalMessagePrice": 0.00581,
        "totalCarrierFee": 0.003,
    }


def _reply(news: News) -> dict[str, Any]:
    return {
        "originationNumber": news.sent.to,
        "destinationNumber": news.sent.sender,
        "messageKeyword": "STOP",
        "messageBody": "STOP",
        "inboundMessageId": f"{int(news.at * 1000):032x}",
        "previousPublishedMessageId": news.sent.id,
    }


class FirehoseReceipts(ReceiptKnobs, frozen=True, kw_only=True):
    """`access_key`: what X-Amz-Firehose-Access-Key carries; None: no such header."""

    access_key: str | None = "demo-access-key"


class FirehoseCallbacks(Reporter):
    """POST of `{"requestId", "timestamp", "records": [{"data": base64 of an event}]}`, with an access key.

    The answer must be 200 and repeat the request's id, else it comes again: Firehose keeps trying for five minutes by
    default. The seconds between are a guess (15, twice as long each time), and so are three minutes to answer. A reply
    STOP is an event `_SMS.OPTOUT`.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: record for state, (_, record) in PINPOINT.items()}
    bunch = 100
    replies = True
    policy = Repetition(waits=(15, 30, 60, 120), until=300, timeout=180)

    def signs(self, knobs: ReceiptKnobs) -> bool:
        return isinstance(knobs, FirehoseReceipts) and knobs.access_key is not None

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, FirehoseReceipts)
        records = [{"data": base64.b64encode(orjson.dumps(self._record(each))).decode()} for each in attempt.news]
        document = {"requestId": attempt.nonce, "timestamp": int(attempt.now * 1000), "records": records}
        headers = {"X-Amz-Firehose-Request-Id": attempt.nonce, "X-Amz-Firehose-Protocol-Version": "1.0"}
        if knobs.access_key is not None:
            given = f"{knobs.access_key}-wrong" if attempt.forged else knobs.access_key
            headers["X-Amz-Firehose-Access-Key"] = given
        return json_post(attempt.url, document, headers)

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        try:
            answer = orjson.loads(body)
        except ValueError:
            return AnswerVerdict.AGAIN
        named = isinstance(answer, dict) and bool(answer.get("requestId")) and "timestamp" in answer
        return AnswerVerdict.TAKEN if status == 200 and named else AnswerVerdict.AGAIN

    def _record(self, news: News) -> dict[str, Any]:
        sent = news.sent
        event, record = ("_SMS.OPTOUT", "OPTED_OUT") if news.state is None else PINPOINT[news.state]
        attributes = {
            "sender_request_id": sent.batch,
            "destination_phone_number": sent.to,
            "record_status": record,
            "iso_country_code": "US",
            "number_of_message_parts": "1",
            "message_id": sent.id,
            "message_type": "Transactional",
        }
        if sent.context:
            attributes["customer_context"] = orjson.dumps(dict(sent.context)).decode()
        return {
            "event_type": event,
            "event_timestamp": int(news.at * 1000),
            "arrival_timestamp": int(sent.at * 1000),
            "event_version": "3.1",
            "application": {"app_id": sent.sender, "sdk": {}},
            "client": {"client_id": utc(sent.at, "%Y%m%d%H%M%S")},
            "device": {"platform": {}},
            "session": {},
            "attributes": attributes,
            "metrics": {"price_in_millicents_usd": 645.0},
        }
